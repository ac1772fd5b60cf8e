"""What Debezium 3.3.2 really sent of a PostgreSQL 17 table with 44 column types, through three converters at once.

The events: a snapshot row, an insert, an update that leaves TOASTed values alone, a change of key, nulls, infinities,
years beyond 9999 and before 1, a delete, an added column, a truncate, a logical message, and a table without a key.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from debezium_events import Record

from models import Change, Op, TableSchema
from parrot_faust.codec import Decoded, Decoder
from parrot_faust.codec.values import INFINITY_US, MINUS_INFINITY_US
from parrot_faust.errors import TableRefused

CAPTURED = json.loads(gzip.decompress((Path(__file__).parent / "debezium-3.3.2-postgres.json.gz").read_bytes()))
TOASTED = ["big", "bigb", "bigarr", "bigint_arr", "biguuid", "bigj"]


def unpacked(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def decoded(form: str, topic: str) -> Decoded:
    decoder = Decoder()
    for schema_id, text in CAPTURED["schemas"].items():
        decoder.learn(int(schema_id), text)
    batch = [
        Record(
            offset, unpacked(key), unpacked(value), timestamp, tuple((name, b64decode(raw)) for name, raw in headers)
        )
        for offset, key, value, timestamp, headers in CAPTURED["records"][form][topic]
    ]
    return decoder.decode(f"capture.{topic}", batch)


def changes(found: Decoded) -> list[tuple[TableSchema, Change]]:
    assert not found.failures, str(found.failures[0].error)
    return [(segment.schema, change) for segment in found.segments for change in segment.changes]


def unset(schema: TableSchema, change: Change) -> list[str]:
    return [schema.columns[place].name for place in change.unset]


@pytest.mark.parametrize("form", ["avro", "described", "plain"])
def test_every_event_is_accounted_for(form: str) -> None:
    found = decoded(form, "public.everything")
    assert [change.op.value for _, change in changes(found)] == list("rcudccuudut")
    assert (found.tombstones, found.skipped) == (2, 0)
    keys = [(1, 1), (1, 2), (1, 2), (1, 2), (1, 3), (1, 4), (1, 4), (1, 4), (1, 1), (1, 4), ()]
    assert [change.key for _, change in changes(found)] == keys
    assert decoded(form, "message").skipped == 1
    (failure,) = decoded(form, "public.nokey").failures
    assert isinstance(failure.error, TableRefused)


@pytest.mark.parametrize("form", ["avro", "described", "plain"])
def test_unchanged_toast_values_are_unset_also_in_the_create_of_a_key_change(form: str) -> None:
    names = [unset(schema, change) for schema, change in changes(decoded(form, "public.everything"))]
    assert names == [[], [], TOASTED, [], TOASTED, [], [], [], [], [], []]


@pytest.mark.parametrize("form", ["avro", "described", "plain"])
def test_an_added_column_begins_a_new_shape(form: str) -> None:
    first, second = decoded(form, "public.everything").segments
    assert [column.name for column in second.schema.columns] == [*(each.name for each in first.schema.columns), "extra"]


@pytest.mark.parametrize("topic", ["public.everything", "public.keyed"])
def test_avro_and_json_with_schema_agree_in_every_value_and_type(topic: str) -> None:
    avro, described = changes(decoded("avro", topic)), changes(decoded("described", topic))
    assert len(avro) == len(described)
    for (one, left), (other, right) in zip(avro, described, strict=True):
        assert one.columns == other.columns
        assert (left.op, left.key, left.unset) == (right.op, right.key, right.unset)
        # NaN is not equal to itself: the text of the rows is.
        assert repr(left.before) == repr(right.before)
        assert repr(left.after) == repr(right.after)


@pytest.mark.parametrize("form", ["avro", "described"])
def test_the_values_are_those_of_the_table(form: str) -> None:
    rows = [named(schema, change) for schema, change in changes(decoded(form, "public.everything"))]
    first = rows[0]
    expected: dict[str, Any] = {
        "id": 1,
        "b": True,
        "i2": -3,
        "f4": 1.5,
        "n": Decimal("-12345.6789"),
        "nn": Decimal("1e30"),
        "m": Decimal("12.34"),
        "t": "héllo",
        "ch": "c   ",
        "by": b"\x00\xff",
        "d": -1,
        "ti": 86_400_000_000,
        "tz": "08:00:00Z",
        "ts": 1_709_210_096_789_012,
        "ts3": 1_709_210_096_789_000,
        "tstz": 1_709_202_896_789_012,
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "j": '{"a": [1]}',
        "e": "ok",
        "ai": "[1,null,3]",
        "at": '["a","b c"]',
        "an": '["1.50","2.25"]',
        "bt": b"\xaa\x0a",
    }
    assert {name: first[name] for name in expected} == expected
    infinite = rows[6]
    assert (infinite["ts"], infinite["tstz"]) == (INFINITY_US, MINUS_INFINITY_US)
    assert repr((infinite["f8"], infinite["f4"])) == "(nan, -inf)"
    far = rows[7]
    assert (far["ts"], far["tstz"]) == (317_273_587_200_000_000, -63_517_780_800_000_000)
    assert rows[9]["extra"] == 5


def test_full_replica_identity_keeps_toast_values_across_a_key_change_and_default_does_not() -> None:
    found = changes(decoded("avro", "public.keyed"))
    created = [(change.key, unset(schema, change)) for schema, change in found if change.op is Op.CREATE]
    assert created == [(("a",), []), (("b",), []), (("c",), ["big"]), (("end",), [])]


def named(schema: TableSchema, change: Change) -> dict[str, Any]:
    row = change.after or (None,) * len(schema.columns)
    return {column.name: value for column, value in zip(schema.columns, row, strict=True)}

"""Events that were read from a MariaDB 10.11, by Debezium's connectors for MariaDB 3.2.0 and for MySQL 3.3.2, in Avro.

`seen/*.json` hold the records byte for byte, with the schemas that the registry had: rows with every type at its ends,
zero dates, an insert, an update and a delete, a key change, a replace, columns added, widened, renamed and dropped.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from models import Change, Op, TableSchema
from parrot_faust.codec import Decoder

SEEN = Path(__file__).with_name("seen")
DAY = 86_400_000_000
LEAP_DAY = 1_709_210_096_000_000  # 2024-02-29T12:34:56Z
ENDS = {
    "ti": -128, "tiu": 255, "b1": 1, "bo": 1, "si": -32_768, "siu": 65_535, "mi": -8_388_608, "miu": 16_777_215,
    "i": -(2**31), "iu": 2**32 - 1, "bi": -(2**63), "de": Decimal("-12345678.91"), "deu": Decimal("123456789.123"),
    "big": Decimal("123456789012345678901234567890123456789012345.12345"), "num": Decimal(42), "fl": 1.5, "db": 2.25,
    "bt1": True, "bt8": b"\xaa", "da": 19_782, "dt": LEAP_DAY, "dt6": LEAP_DAY + 123_456, "ts": LEAP_DAY,
    "ts6": LEAP_DAY + 123_456, "tt": -(838 * 3_600 + 59 * 60 + 59) * 1_000_000, "tt6": 45_296_654_321, "yr": 2024,
    "en": "it's", "st": "x,z", "js": '{"a": [1, 2], "b": "ü"}', "ch": "ab", "tx": "text", "vb": b"\x00\xff\x10",
    "bb": b"\x01\x02\x00\x00", "bl": b"\xde\xad\xbe\xef", "dflt": "x",
}  # fmt: skip


class Seen(NamedTuple):
    """A record of a topic."""

    offset: int
    timestamp: int
    headers: list[tuple[str, bytes]]
    key: bytes | None
    value: bytes | None


def bytes_of(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def decoded(connector: str, table: str) -> Iterator[tuple[TableSchema, Change]]:
    """Each change of a table, in the order in which the source committed it, with its shape."""
    found = json.loads((SEEN / f"{connector}.json").read_text(encoding="utf-8"))
    decoder = Decoder()
    for identity, text in found["schemas"].items():
        decoder.learn(int(identity), text)
    for topic, _, offset, at, headers, key, value in found["records"]:
        if topic.endswith(f".{table}"):
            record = Seen(offset, at, [(n, b64decode(v)) for n, v in headers], bytes_of(key), bytes_of(value))
            batch = decoder.decode(topic, [record])
            assert not batch.failures, str(batch.failures[0].error)
            yield from ((segment.schema, change) for segment in batch.segments for change in segment.changes)


def row(schema: TableSchema, change: Change) -> dict[str, Any]:
    assert change.after is not None
    return {column.name: value for column, value in zip(schema.columns, change.after, strict=True)}


@pytest.fixture(params=["mariadb", "mysql"])
def connector(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def inserted(connector: str, table: str, key: int) -> dict[str, Any]:
    (found,) = [row(*each) for each in decoded(connector, table) if each[1].after and each[1].after[0] == key]
    return found


def test_values_at_the_ends_of_their_types_are_those_of_the_source(connector: str) -> None:
    found = inserted(connector, "types", 101)
    assert {name: found[name] for name in ENDS} == ENDS
    assert found["bt20"] == b"\xaa\xaa\x0a"  # b'10101010101010101010', its lowest bits first
    assert found["biu"] == -1  # what the connectors make of 2^64 - 1 unless they are told to be precise


def test_zero_dates_are_null_where_a_column_takes_it_but_for_timestamps(connector: str) -> None:
    found = inserted(connector, "types", 103)
    assert (found["da"], found["dt"], found["dt6"]) == (None, None, None)
    assert (found["ts"], found["ts6"], found["yr"]) == (0, 0, 1900)
    kept = inserted(connector, "zeros", 101)
    assert (kept["da"], kept["dt"], kept["dt6"], kept["ts"]) == (0, 0, 0, 0)


def test_a_change_of_key_is_a_delete_and_an_insert(connector: str) -> None:
    ops = [
        (change.op, (change.after or change.before or (None,))[0])
        for _, change in decoded(connector, "types")
        if (change.after or change.before or (None,))[0] in (104, 500)
    ]
    assert ops == [(Op.CREATE, 104), (Op.DELETE, 104), (Op.CREATE, 500)]


def test_changes_and_shapes_in_their_order_leave_the_rows_of_the_source(connector: str) -> None:
    rows: dict[int, dict[str, Any]] = {}
    shapes = []
    for schema, change in decoded(connector, "orders"):
        names = [column.name for column in schema.columns]
        if not shapes or shapes[-1] != names:
            shapes.append(names)
        if change.op is Op.DELETE:
            assert change.before is not None
            del rows[change.before[0]]
        else:
            rows[row(schema, change)["id"]] = row(schema, change)
    shown = {key: (one.get("client", one.get("customer")), one["total"]) for key, one in rows.items()}
    assert shown == {
        1: ("replaced", Decimal("7.00")),
        -1: ("max", Decimal("3.00")),
        10: ("n", Decimal("-1.00")),
        11: ("tx2", None),
        20: ("after add", Decimal("1.2345")),
        21: ("dropped", None),
    }
    assert ["id", "customer", "prio", "total", "note", "updated"] in shapes
    assert shapes[-1] == ["id", "client", "prio", "total", "updated"]

"""JSON without schema: types from values and from declarations."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from debezium_events import Record

from models import Column, Kind, Op
from parrot_faust.codec import Decoded, Decoder
from parrot_faust.errors import SettingsError

TOPIC = "shop.public.t"


def event(after: Any, op: str = "c", before: Any = None) -> Record:
    row = after or before
    source = {"db": "d", "schema": "public", "table": "t", "ts_ms": 5}
    value = json.dumps({"before": before, "after": after, "source": source, "op": op}).encode()
    return Record(1, json.dumps({"id": row["id"]}).encode(), value)


def columns(decoded: Decoded) -> list[list[tuple[str, Kind]]]:
    return [[(column.name, column.kind) for column in segment.schema.columns] for segment in decoded.segments]


def rows(decoded: Decoded) -> list[Any]:
    return [change.after for segment in decoded.segments for change in segment.changes]


def test_types_are_what_values_show() -> None:
    row = {"id": 1, "f": 1.5, "s": "x", "b": True, "o": {"a": [1, {}]}, "l": [1, "é"]}
    (segment,) = Decoder().decode(TOPIC, [event(row)]).segments
    assert segment.schema.columns == (
        Column("id", Kind.INT64, nullable=False),
        Column("f", Kind.FLOAT64),
        Column("s", Kind.STRING),
        Column("b", Kind.BOOL),
        Column("o", Kind.STRING, semantic="json"),
        Column("l", Kind.STRING, semantic="array"),
    )
    (change,) = segment.changes
    assert change.after is not None
    assert change.after[:4] == (1, 1.5, "x", True)
    assert [json.loads(text) for text in change.after[4:]] == [row["o"], row["l"]]
    assert change.time_us == 5000


def test_a_column_appears_with_its_first_value_and_keeps_its_type() -> None:
    decoded = Decoder().decode(
        TOPIC,
        [
            event({"id": 1, "x": None}),
            event({"id": 2, "x": "a"}),
            event({"id": 3, "x": None}),
            event({"id": 4, "x": 5}),
        ],
    )
    assert columns(decoded) == [[("id", Kind.INT64)], [("id", Kind.INT64), ("x", Kind.STRING)]]
    assert rows(decoded) == [(1,), (2, "a"), (3, None)]
    assert "x: Expected" in str(decoded.failures[0].error)
    assert "declare" in str(decoded.failures[0].error)


def test_a_whole_number_may_turn_out_to_be_a_float() -> None:
    decoded = Decoder().decode(TOPIC, [event({"id": 1, "x": 1}), event({"id": 2, "x": 1.5}), event({"id": 3, "x": 2})])
    assert rows(decoded) == [(1, 1), (2, 1.5), (3, 2.0)]
    assert [shape[1][1] for shape in columns(decoded)] == [Kind.INT64, Kind.FLOAT64]


def test_columns_added_and_dropped_make_new_shapes() -> None:
    decoded = Decoder().decode(
        TOPIC,
        [
            event({"id": 1, "a": 1}),
            event({"id": 2, "a": 1, "b": 2}),
            event({"id": 3, "b": 2}),
            event({"id": 4, "a": 1}),
        ],
    )
    names = [[name for name, _ in shape] for shape in columns(decoded)]
    assert names == [["id", "a"], ["id", "a", "b"], ["id", "b"], ["id", "a"]]
    assert decoded.segments[0].schema is decoded.segments[3].schema


def test_an_object_column_may_be_null() -> None:
    decoded = Decoder().decode(TOPIC, [event({"id": 1, "o": {"a": 1}}), event({"id": 2, "o": None})])
    assert [row[1] for row in rows(decoded)] == ['{"a": 1}', None]


def test_a_delete_before_anything_else_has_its_key() -> None:
    (segment,) = Decoder().decode(TOPIC, [event(None, "d", {"id": 7, "x": None})]).segments
    assert (segment.changes[0].op, segment.changes[0].key) == (Op.DELETE, (7,))


@pytest.mark.parametrize("columns", [{}, {"日本": "int64", "ø.π": "int64"}])
def test_names_that_debezium_spells_otherwise_in_the_log_are_the_same_columns(columns: dict[str, str]) -> None:
    log = {"id": 2, "\uffc3\uffb8.\uffcf\uff80": 5, "\uffe6\uff97\uffa5\uffe6\uff9c\uffac": 6}
    batch = [event({"id": 1, "ø.π": 3, "日本": 4}), event(log), event({"id": 3, "ﾃ": 7})]
    decoded = Decoder(columns={TOPIC: columns}).decode(TOPIC, batch)
    assert not decoded.failures, str(decoded.failures)
    names = [column.name for column in decoded.segments[0].schema.columns]
    assert names == ["id", "ø.π", "日本"]
    assert rows(decoded) == [(1, 3, 4), (2, 5, 6), (3, 7)]
    assert [column.name for column in decoded.segments[-1].schema.columns] == ["id", "ﾃ"]


@pytest.mark.parametrize(
    ("declared", "raw", "kind", "value"),
    [
        ("decimal(10,2)", 12.34, Kind.DECIMAL, Decimal("12.34")),
        ("decimal(10,2)", "12.30", Kind.DECIMAL, Decimal("12.30")),
        ("decimal(10,2) base64", "AeJA", Kind.DECIMAL, Decimal("1234.56")),
        ("decimal", "1e3", Kind.DECIMAL, Decimal("1E+3")),
        ("decimal variable", {"scale": 3, "value": "AeJA"}, Kind.DECIMAL, Decimal("123.456")),
        ("float32", 0.1, Kind.FLOAT32, 0.10000000149011612),
        ("float32", 3.4028235e38, Kind.FLOAT32, 3.4028234663852886e38),
        ("date", "+12024-01-01Z", Kind.DATE, 3_672_148),
        ("timestamp", 1_700_000_000_123_456, Kind.TIMESTAMP, 1_700_000_000_123_456),
        ("timestamp", "2023-11-14T22:13:20.5Z", Kind.TIMESTAMP, 1_700_000_000_500_000),
        ("timestamp", "2023-11-14T22:13:20.5", Kind.TIMESTAMP, 1_700_000_000_500_000),
        ("timestamp(ms)", 5, Kind.TIMESTAMP, 5_000),
        ("timestamp(ns)", 5_999, Kind.TIMESTAMP, 5),
        ("date", 3, Kind.DATE, 3),
        ("date", "1970-01-04", Kind.DATE, 3),
        ("time", 7, Kind.TIME, 7),
        ("time(ms)", 7, Kind.TIME, 7_000),
        ("time", "00:00:01.5Z", Kind.TIME, 1_500_000),
        ("float64", 1, Kind.FLOAT64, 1.0),
        ("bytes", "AAE=", Kind.BYTES, b"\x00\x01"),
        ("int8", -128, Kind.INT8, -128),
        ("array", [1, 2], Kind.STRING, "[1, 2]"),
    ],
)
def test_a_declared_type_decides(declared: str, raw: Any, kind: Kind, value: Any) -> None:
    decoded = Decoder(columns={TOPIC: {"x": declared}}).decode(
        TOPIC, [event({"id": 1, "x": None}), event({"id": 2, "x": raw})]
    )
    assert not decoded.failures, str(decoded.failures)
    (segment,) = decoded.segments
    assert segment.schema.columns[1].kind is kind
    assert rows(decoded) == [(1, None), (2, value)]


@pytest.mark.parametrize(
    ("declared", "raw"),
    [
        ("int8", 128),
        ("decimal(10,2)", "A+g="),
        ("decimal(10,2)", "NaN"),
        ("date", "soon"),
        ("bytes", "?"),
        ("bool", 1),
        ("decimal variable", "1.5"),
        ("float32", 1e39),
        ("timestamp", -(2**63)),
        ("date", -3_000_000),
    ],
)
def test_a_value_that_is_not_of_its_declared_type_names_the_column(declared: str, raw: Any) -> None:
    (failure,) = Decoder(columns={TOPIC: {"x": declared}}).decode(TOPIC, [event({"id": 2, "x": raw})]).failures
    assert "after.x" in str(failure.error)


@pytest.mark.parametrize(
    "text", ["varchar", "decimal(2,1,3)", "timestamp(h)", "int8(4)", "decimal base64", "", "bool base64"]
)
def test_an_unknown_declaration_is_refused_when_the_decoder_is_made(text: str) -> None:
    with pytest.raises(SettingsError, match="column x"):
        Decoder(columns={TOPIC: {"x": text}})


def test_a_null_key_column_is_refused() -> None:
    record = Record(1, b'{"id":null}', event({"id": 1}).value)
    deleted = Record(1, b'{"id":null}', event(None, "d", {"id": 1}).value)
    decoded = Decoder().decode(TOPIC, [record, deleted])
    assert "id" in str(decoded.failures[0].error)


def test_a_message_key_that_names_no_column_needs_the_settings() -> None:
    record = Record(1, b"42", event({"id": 42}).value)
    assert "name no columns" in str(Decoder().decode(TOPIC, [record]).failures[0].error)
    (segment,) = Decoder(keys={TOPIC: ("id",)}).decode(TOPIC, [record]).segments
    assert segment.changes[0].key == (42,)


def test_the_topic_names_the_table_where_the_source_block_does_not() -> None:
    record = Record(1, b'{"id":1}', b'{"op":"c","after":{"id":1}}')
    (segment,) = Decoder().decode("a.b.c", [record]).segments
    schema = segment.schema
    assert (schema.database, schema.namespace, schema.relation) == ("a", "b", "c")


def test_mysql_has_a_database_and_no_schema() -> None:
    record = Record(1, b'{"id":1}', b'{"op":"c","after":{"id":1},"source":{"db":"inventory","table":"c"}}')
    (segment,) = Decoder().decode("my.inventory.c", [record]).segments
    assert (segment.schema.database, segment.schema.namespace) == ("inventory", "inventory")


def test_a_schema_in_the_second_half_of_the_message_is_found() -> None:
    row = {"field": "after", "type": "struct", "optional": True, "fields": [{"field": "id", "type": "int32"}]}
    schema = {"type": "struct", "fields": [{"field": "op", "type": "string"}, row]}
    value = json.dumps({"payload": {"op": "c", "after": {"id": 1}}, "schema": schema}).encode()
    (segment,) = Decoder().decode("a.b.c", [Record(1, b'{"id":1}', value)]).segments
    assert segment.schema.columns[0].kind is Kind.INT32


def test_a_float_column_takes_the_words_for_what_json_has_no_number_for() -> None:
    batch = [event({"id": 1, "x": 1.5}), event({"id": 2, "x": "-Infinity"}), event({"id": 3, "x": "soon"})]
    decoded = Decoder().decode(TOPIC, [*batch, event({"id": 4, "x": 2.5})])
    assert rows(decoded) == [(1, 1.5), (2, float("-inf")), (4, 2.5)]
    assert "after.x: 'soon'" in str(decoded.failures[0].error)
    assert len(decoded.segments) == 1

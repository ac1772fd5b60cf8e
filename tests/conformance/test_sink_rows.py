"""What every sink promises of rows: what was written is there, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from stores import Tables, deletes, soon, upserts, write

from models import Column, Kind, Row, RowOp
from parrot_faust.sinks.base import Sink

ID = Column("id", Kind.INT64, False)
TEXT = Column("text", Kind.STRING)
NUMBER = Column("number", Kind.INT32)

DAY_US = 86_400_000_000
VALUES: dict[str, tuple[Column, list[Any]]] = {
    "bool": (Column("v", Kind.BOOL), [True, False]),
    "int8": (Column("v", Kind.INT8), [-128, 0, 127]),
    "int16": (Column("v", Kind.INT16), [-(2**15), 2**15 - 1]),
    "int32": (Column("v", Kind.INT32), [-(2**31), 2**31 - 1]),
    "int64": (Column("v", Kind.INT64), [-(2**63), -1, 0, 2**63 - 1]),
    "float32": (Column("v", Kind.FLOAT32), [0.5, -1.25, math.inf, -math.inf]),
    "float64": (Column("v", Kind.FLOAT64), [0.1, 1e308, 5e-324, math.inf, -math.inf]),
    "decimal 12,2": (Column("v", Kind.DECIMAL, True, 12, 2), ["0.15", "-0.05", "9999999999.99", "1.50"]),
    "decimal 38,0": (Column("v", Kind.DECIMAL, True, 38, 0), ["9" * 38, "-" + "9" * 38, "0"]),
    "decimal 60,4": (Column("v", Kind.DECIMAL, True, 60, 4), ["-" + "9" * 56 + ".0001"]),
    "decimal": (Column("v", Kind.DECIMAL), ["0.10", "-" + "9" * 60, "NaN"]),
    "string": (Column("v", Kind.STRING), ["", "ü☃𝄞🦜", "a\0b", "|\\", "x" * 60_000]),
    "bytes": (Column("v", Kind.BYTES), [b"", b"\0\xff\0", bytes(range(256)) * 200]),
    "date": (Column("v", Kind.DATE), [-719_162, -1, 0, 2_932_896]),
    "time": (Column("v", Kind.TIME), [0, DAY_US - 1]),
    "timestamp": (Column("v", Kind.TIMESTAMP), [-62_135_596_800_000_000, -1, 0, 1_700_000_000_123_457]),
}


def test_values_cover_every_kind() -> None:
    assert {column.kind for column, _ in VALUES.values()} == set(Kind)


@pytest.mark.parametrize("case", VALUES)
def test_every_value_comes_back_as_it_went(sink: Sink, tables: Tables, case: str) -> None:
    column, values = VALUES[case]
    schema = tables.of(ID, column)
    rows = list(enumerate([*values, None]))
    write(sink, schema, upserts(*rows))
    found = sorted(sink.read(schema))
    assert found == rows
    assert [type(value) for _, value in found] == [type(value) for _, value in rows]


@pytest.mark.parametrize("kind", [Kind.FLOAT32, Kind.FLOAT64])
def test_not_a_number_and_negative_zero_come_back(sink: Sink, tables: Tables, kind: Kind) -> None:
    schema = tables.of(ID, Column("v", kind))
    write(sink, schema, upserts((1, math.nan), (2, -0.0)))
    found = dict(sink.read(schema))
    assert math.isnan(found[1])
    assert math.copysign(1.0, found[2]) == -1.0


@pytest.mark.parametrize(
    "case", [case for case, (column, _) in VALUES.items() if column.kind not in (Kind.BOOL, Kind.FLOAT32, Kind.FLOAT64)]
)
def test_every_value_can_be_a_key_and_be_deleted_by_it(sink: Sink, tables: Tables, case: str) -> None:
    column, values = VALUES[case]
    values = [value for value in values if not (isinstance(value, str | bytes) and len(value) > 1_000)]
    key = Column("v", column.kind, False, column.precision, column.scale)
    schema = tables.of(key, NUMBER, key=("v",))
    write(sink, schema, upserts(*[(value, number) for number, value in enumerate(values)]))
    assert dict(sink.read(schema)) == {key: number for number, key in enumerate(values)}
    write(sink, schema, deletes(*[(value,) for value in values[1:]]))
    assert list(sink.read(schema)) == [(values[0], 0)]


def test_columns_keep_apart_whatever_their_names(sink: Sink, tables: Tables) -> None:
    names = ["a", "A", "a:b", "größe 🦜", "order", "d"]
    schema = tables.of(ID, *(Column(name, Kind.STRING) for name in names))
    record = (1, *(f"value of {name}" for name in names))
    write(sink, schema, upserts(record))
    assert list(sink.read(schema)) == [record]


def test_composite_keys_that_look_alike_are_rows_of_their_own(sink: Sink, tables: Tables) -> None:
    one, two = Column("one", Kind.STRING, False), Column("two", Kind.STRING, False)
    schema = tables.of(NUMBER, one, two, key=("two", "one"))
    keys = [
        ("a|b", "c"), ("a", "b|c"), ("a\\", "b"), ("a", "\\b"), ("a\\|b", ""), ("a\\", "|b"), ("", "a|b"),
        ("", ""), ("|", ""), ("", "|"), ("\\e", ""), ("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("A", "b"),
    ]  # fmt: skip
    rows = [(number, one, two) for number, (one, two) in enumerate(keys)]
    write(sink, schema, upserts(*rows))
    assert sorted(sink.read(schema)) == rows
    gone = keys[::2]
    write(sink, schema, deletes(*[(two, one) for one, two in gone]))  # a delete has its key in key order
    assert sorted(sink.read(schema)) == [row for row in rows if row[1:] not in gone]


def test_composite_key_of_several_kinds(sink: Sink, tables: Tables) -> None:
    day, line = Column("day", Kind.DATE, False), Column("line", Kind.BYTES, False)
    schema = tables.of(TEXT, line, ID, day, key=("day", "id", "line"))
    rows = [("a", b"\x01", 1, -1), ("b", b"", 11, 1), ("c", b"\x01\x01", 1, 1), ("d", b"\x01", 1, 11)]
    write(sink, schema, upserts(*rows))
    write(sink, schema, deletes((1, 11, b"")))
    assert sorted(sink.read(schema)) == [rows[0], *rows[2:]]


def test_upsert_replaces_the_row_and_null_the_value(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT, NUMBER)
    write(sink, schema, upserts((1, "old", 1), (2, "other", 2)))
    write(sink, schema, upserts((1, None, 10)))
    assert sorted(sink.read(schema)) == [(1, None, 10), (2, "other", 2)]
    write(sink, schema, upserts((1, "new", None)))
    assert sorted(sink.read(schema)) == [(1, "new", None), (2, "other", 2)]


def test_row_of_nulls_alone_is_a_row(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    write(sink, schema, upserts((1, None)))
    assert list(sink.read(schema)) == [(1, None)]


def test_unset_value_stays_as_it_is(sink: Sink, tables: Tables) -> None:
    schema = tables.of(TEXT, ID, NUMBER)
    write(sink, schema, upserts(("long text", 1, 1), (None, 2, 2)))
    write(sink, schema, upserts((None, 1, 10), (None, 2, 20), (None, 3, 30), unset=(0,)))
    assert sorted(sink.read(schema), key=lambda row: row[1]) == [("long text", 1, 10), (None, 2, 20), (None, 3, 30)]


def test_delete_takes_its_row_and_an_absent_one_is_no_error(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    write(sink, schema, upserts((1, "a"), (2, "b")))
    write(sink, schema, deletes((1,), (404,)))
    assert list(sink.read(schema)) == [(2, "b")]


def test_deleted_row_that_comes_again_has_nothing_of_the_old_one(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT, NUMBER)
    write(sink, schema, upserts((1, "old", 1)))
    write(sink, schema, deletes((1,)))
    write(sink, schema, upserts((1, None, 2), unset=(1,)))
    assert list(sink.read(schema)) == [(1, None, 2)]


def test_replayed_segment_leaves_the_store_equal(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    segment = [
        upserts((1, "a"), (2, "b"), (3, "c")),
        [*deletes((2,)), *upserts((1, "a2"))],
        [*upserts((2, "b2")), *deletes((3,))],
    ]
    for _ in range(2):
        for rows in segment:
            write(sink, schema, rows)
        assert sorted(sink.read(schema)) == [(1, "a2"), (2, "b2")]


def test_thousands_of_rows_of_one_call_are_all_there(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT)
    write(sink, schema, upserts(*[(number, f"text {number}") for number in range(5_000)]))
    mixed = [
        *deletes(*[(number,) for number in range(0, 5_000, 2)]),
        *upserts(*[(number, None) for number in range(1, 5_000, 2)]),
    ]
    write(sink, schema, mixed)
    assert sorted(sink.read(schema)) == [(number, None) for number in range(1, 5_000, 2)]


def test_rows_that_do_not_fit_fail_alone_for_good_and_in_order(sink: Sink, tables: Tables) -> None:
    schema = tables.of(ID, TEXT, NUMBER, Column("flag", Kind.BOOL), Column("data", Kind.BYTES))
    sink.ensure(schema, soon())
    rows = upserts(
        (0, "fits", 1, True, b"x"),
        (1, "number too large", 2**31, True, b"x"),
        (2, b"bytes for text", 1, True, b"x"),
        (3, "fits", None, None, None),
        (None, "no key", 1, True, b"x"),
        (5, "number for a boolean", 1, 3, b"x"),
        (6, "a length for bytes", 1, True, 5),
        ("7", "text for a number", 1, True, b"x"),
        (8, "boolean for a number", True, True, b"x"),
        (9, "too few"),
        (10, "fits", -(2**31), False, b""),
    )
    rows.append(Row(11, rows[-1].version + 1, RowOp.DELETE, (None,)))
    rows.append(Row(12, rows[-1].version + 1, RowOp.DELETE, (3,)))
    result = sink.write(schema, rows, soon())
    assert result.rows == len(rows)
    assert [failure.index for failure in result.failures] == [1, 2, 4, 5, 6, 7, 8, 9, 11]
    assert not any(failure.transient for failure in result.failures)
    assert {failure.error for failure in result.failures} <= {"ValueRefused", "RowRefused"}
    assert sorted(row[0] for row in sink.read(schema)) == [0, 10]

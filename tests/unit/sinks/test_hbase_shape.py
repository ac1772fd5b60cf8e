from __future__ import annotations

from typing import Any

import pytest

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.sinks.hbase.cells import CELL_LIMIT
from parrot_faust.sinks.hbase.shape import Shape

ID = Column("id", Kind.INT64, False)
TEXT = Column("text", Kind.STRING)
DATA = Column("data", Kind.BYTES)
TARGET = "public.t"
FITTING: dict[Kind, Any] = {
    Kind.BOOL: True,
    Kind.STRING: "x",
    Kind.BYTES: b"x",
    Kind.DECIMAL: "1.5",
    Kind.FLOAT32: 1.5,
    Kind.FLOAT64: 1.5,
}


def shape(*columns: Column, key: tuple[str, ...] = ("id",), family: bytes = b"d") -> Shape:
    return Shape(TableSchema.of("shop.public.t", columns, key), TARGET, lambda _: family)


def upsert(*values: Any, version: int = 9, unset: tuple[int, ...] = ()) -> Row:
    return Row(0, version, RowOp.UPSERT, values, unset)


def refusals(shape: Shape, *rows: Row) -> list[tuple[int, bool, str]]:
    made, failures = shape.mutations(rows)
    assert len(made) + len(failures) == len(rows)
    return [(failure.index, failure.transient, failure.error) for failure in failures]


def test_upsert_puts_values_and_deletes_nulls_at_one_version() -> None:
    ((index, put, delete),), failures = shape(ID, TEXT, DATA).mutations([upsert(1, None, b"x", version=42)])
    assert (index, failures) == (0, [])
    assert (put.row, put.timestamp) == (b"1", 42)
    assert [(cell.family, cell.qualifier, cell.value, cell.timestamp) for cell in put.columnValues] == [
        (b"d", b"id", b"\0" * 7 + b"\x01", 42),
        (b"d", b"data", b"x", 42),
    ]
    assert (delete.row, [(column.qualifier, column.timestamp) for column in delete.columns]) == (b"1", [(b"text", 42)])


def test_row_without_nulls_deletes_nothing() -> None:
    ((_, put, delete),), _ = shape(ID, TEXT).mutations([upsert(1, "")])
    assert [cell.value for cell in put.columnValues][1] == b""
    assert delete is None


def test_unset_column_is_in_neither() -> None:
    ((_, put, delete),), _ = shape(ID, TEXT, DATA).mutations([upsert(1, None, None, unset=(1,))])
    assert [cell.qualifier for cell in put.columnValues] == [b"id"]
    assert [column.qualifier for column in delete.columns] == [b"data"]


def test_delete_takes_the_whole_row_up_to_its_version() -> None:
    ((_, put, delete),), _ = shape(ID, TEXT).mutations([Row(0, 42, RowOp.DELETE, (1,))])
    assert put is None
    assert (delete.row, delete.timestamp, delete.columns) == (b"1", 42, None)


def test_upsert_and_delete_of_a_key_name_the_same_row() -> None:
    price = Column("price", Kind.DECIMAL, False)
    made, _ = shape(TEXT, price, ID, key=("price", "id")).mutations(
        [upsert("x", "1E+3", 7), Row(0, 9, RowOp.DELETE, ("1000", 7))]
    )
    assert made[0][1].row == made[1][2].row == b"1000|7"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INT64, True),
        (Kind.INT64, 1.0),
        (Kind.INT64, "1"),
        (Kind.BOOL, 1),
        (Kind.BOOL, "no"),
        (Kind.STRING, b"text"),
        (Kind.STRING, 1),
        (Kind.BYTES, "text"),
        (Kind.BYTES, 5),
        (Kind.BYTES, [1, 2]),
        (Kind.FLOAT64, "1.0"),
        (Kind.FLOAT64, True),
        (Kind.FLOAT64, 2**53 + 1),
        (Kind.DECIMAL, 1),
        (Kind.DECIMAL, "1E+999999999"),
        (Kind.DECIMAL, "1E+x"),
        (Kind.INT8, 128),
        (Kind.FLOAT32, 1e39),
        (Kind.STRING, "\ud800"),
    ],
)
@pytest.mark.parametrize("key", [False, True])
def test_value_of_another_type_is_refused_never_converted(kind: Kind, value: Any, key: bool) -> None:
    one = shape(ID, Column("v", kind), key=("v",) if key else ("id",))
    ((index, transient, error),) = refusals(one, upsert(1, value), upsert(2, FITTING.get(kind, 1)))
    assert (index, transient) == (0, False)
    assert error in ("ValueRefused", "RowRefused")


def test_whole_number_is_a_float_where_nothing_is_lost() -> None:
    made, failures = shape(ID, Column("v", Kind.FLOAT64)).mutations([upsert(1, -(2**53))])
    assert failures == []
    assert made[0][1].columnValues[1].value == b"\xc3\x40" + b"\0" * 6


@pytest.mark.parametrize(
    "row",
    [
        upsert(None, "a"),
        upsert(1, "a", unset=(0,)),
        upsert(1),
        upsert(1, "a", "b"),
        Row(0, 9, RowOp.DELETE, ()),
        Row(0, 9, RowOp.DELETE, (1, 2)),
        Row(0, 9, RowOp.DELETE, (None,)),
        Row(0, 9, RowOp.DELETE, ("1",)),
    ],
)
def test_row_without_a_whole_key_or_with_other_columns_is_refused_alone(row: Row) -> None:
    made, failures = shape(ID, TEXT).mutations([upsert(1, "a"), row, upsert(2, "b")])
    assert [index for index, _, _ in made] == [0, 2]
    assert [(failure.index, failure.transient) for failure in failures] == [(1, False)]


def test_cell_is_taken_up_to_hbases_limit_with_all_that_is_stored_with_it() -> None:
    one = shape(ID, DATA, family=b"fam")
    room = CELL_LIMIT - 24 - len(b"fam") - len(b"data") - len(b"1")
    assert refusals(one, upsert(1, bytes(room)), upsert(1, bytes(room + 1))) == [(1, False, "RowTooLarge")]


def test_row_key_is_taken_up_to_what_can_be_looked_up() -> None:
    one = shape(Column("k", Kind.STRING, False), key=("k",))
    room = 32_767 - 16 - len(TARGET)
    rows = [upsert("x" * room), upsert("x" * (room + 1)), Row(0, 9, RowOp.DELETE, ("x" * (room + 1),))]
    assert refusals(one, *rows) == [(1, False, "RowTooLarge"), (2, False, "RowTooLarge")]


def test_refusal_names_table_and_column() -> None:
    _, (failure,) = shape(ID, TEXT).mutations([upsert(1, 2)])
    assert "shop.public.t" in failure.message
    assert "column text" in failure.message
    assert "int where str" in failure.message

from __future__ import annotations

from typing import Any

import pytest

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.sinks.kudu.layout import StoreTable, lay_out
from parrot_faust.sinks.kudu.mapping import StoreColumn, store_columns
from parrot_faust.sinks.kudu.prepare import MAX_KEY, Preparer

COLUMNS = (
    Column("name", Kind.STRING),
    Column("id", Kind.INT64, False),
    Column("code", Kind.STRING, False),
    Column("price", Kind.DECIMAL, True, 10, 2),
)
SCHEMA = TableSchema.of("shop.public.t", COLUMNS, ("code", "id"), relation="t")


def preparer(*more: StoreColumn) -> Preparer:
    return Preparer(lay_out(SCHEMA, StoreTable("t", (*store_columns(SCHEMA), *more), 2)))


def upsert(*values: Any, unset: tuple[int, ...] = ()) -> Row:
    return Row(0, 0, RowOp.UPSERT, values, unset)


def test_values_come_in_kudus_order_and_form() -> None:
    prepared = preparer().prepare([upsert("ü", 7, "k", "1.50")])
    assert [operation.record for operation in prepared.operations] == [(b"k", 7, "ü".encode(), 150)]
    assert prepared.failures == []


def test_delete_carries_the_key_alone() -> None:
    (operation,) = preparer().prepare([Row(0, 0, RowOp.DELETE, ("k", 7))]).operations
    assert (operation.delete, operation.record) == (True, (b"k", 7))


def test_column_that_the_source_dropped_becomes_null() -> None:
    (operation,) = preparer(StoreColumn("gone", "int32", True)).prepare([upsert("n", 7, "k", None)]).operations
    assert operation.record == (b"k", 7, b"n", None, None)


def test_unset_places_are_those_of_kudus_order() -> None:
    rows = [upsert(None, 7, "k", "1.00", unset=(0,)), upsert("n", 8, "k", "1.00")]
    first, second = preparer().prepare(rows).operations
    assert (first.unset, second.unset) == (frozenset({2}), frozenset())


def test_decimals_that_kudu_keeps_as_text_have_no_exponent() -> None:
    schema = TableSchema.of("t", (Column("id", Kind.INT64, False), Column("n", Kind.DECIMAL)), ("id",), relation="t")
    texts = Preparer(lay_out(schema, StoreTable("t", store_columns(schema), 1)))
    rows = [upsert(1, "1E-7"), upsert(2, "-1.5E+3"), upsert(3, "12.50"), upsert(4, None)]
    records = [operation.record for operation in texts.prepare(rows).operations]
    assert records == [(1, b"0.0000001"), (2, b"-1500"), (3, b"12.50"), (4, None)]
    (failure,) = texts.prepare([upsert(5, "1E+70000")]).failures
    assert "id=5" in failure.message
    assert "65536" in failure.message


def test_a_refusal_names_table_key_column_type_and_limit() -> None:
    rows = [upsert("x" * 65537, 6, "k", None), upsert("n", 7, "k", "123456789.00"), upsert("n", 8, "k" * 20_000, None)]
    cell, digits, key = (failure.message for failure in preparer().prepare(rows).failures)
    assert cell == (
        "shop.public.t: key (code='k', id=6): column name (string): 65537 bytes are more than the 65536 that Kudu "
        "takes in a cell"
    )
    assert digits == (
        "shop.public.t: key (code='k', id=7): column price (decimal(10,2)): 123456789.00 has more digits than "
        "decimal(10,2) holds"
    )
    assert key.startswith("shop.public.t: key (code='kkkk")
    assert key.endswith("id=8): the key has 20010 bytes, the limit is 16384")
    assert len(key) < 200


def test_bad_rows_are_named_and_their_neighbours_prepared() -> None:
    rows = [
        upsert("fine", 1, "k", "1.00"),
        upsert("decimal", 2, "k", "1.001"),
        upsert("null key", None, "k", "1.00"),
        Row(0, 0, RowOp.DELETE, ("k", "not a number")),
        upsert("narrow", 4, "k"),
        upsert(None, 5, "k", "1.00", unset=(1,)),
        upsert("x" * 65537, 6, "k", None),
        Row(0, 0, RowOp.DELETE, ("k", 7)),
        upsert("long key", 8, "\0" * (MAX_KEY // 2), None),
    ]
    prepared = preparer().prepare(rows)
    assert sorted(operation.row for operation in prepared.operations) == [0, 7]
    assert {failure.index: failure.error for failure in prepared.failures} == {
        1: "ValueRefused",
        2: "ValueRefused",
        3: "ValueRefused",
        4: "RowRefused",
        5: "ValueRefused",
        6: "ValueRefused",
        8: "RowTooLarge",
    }
    assert not any(failure.transient for failure in prepared.failures)
    assert "column price" in next(failure.message for failure in prepared.failures if failure.index == 1)


@pytest.mark.parametrize(("length", "fits"), [(MAX_KEY - 10, True), (MAX_KEY - 9, False)])
def test_key_is_measured_as_kudu_encodes_it(length: int, fits: bool) -> None:
    # A text that is not the key's last column ends in two bytes, the integer after it has eight.
    prepared = preparer().prepare([upsert(None, 1, "k" * length, None)])
    assert bool(prepared.operations) is fits


def test_null_in_a_column_that_takes_none_is_refused_for_its_row_only() -> None:
    columns = (*store_columns(SCHEMA)[:2], StoreColumn("name", "string", False), StoreColumn("price", "string", True))
    strict = Preparer(lay_out(SCHEMA, StoreTable("t", columns, 2)))
    prepared = strict.prepare([upsert(None, 1, "k", None), upsert("n", 2, "k", None)])
    assert [operation.row for operation in prepared.operations] == [1]
    assert [failure.index for failure in prepared.failures] == [0]

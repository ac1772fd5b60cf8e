from __future__ import annotations

from typing import Any

from models import Row, RowOp
from parrot_faust.delivery.reduction import reduce


def upsert(offset: int, *values: Any, unset: tuple[int, ...] = ()) -> Row:
    return Row(offset, offset * 10, RowOp.UPSERT, values, unset)


def delete(offset: int, *key: Any) -> Row:
    return Row(offset, offset * 10, RowOp.DELETE, key)


def test_last_operation_of_each_key_is_kept_as_it_came() -> None:
    rows = [upsert(1, "a", 1), upsert(2, "b", 1), upsert(3, "a", 2)]
    assert reduce(rows, (0,)).rows == [rows[1], rows[2]]


def test_order_is_that_of_the_last_operations() -> None:
    rows = [upsert(1, "a", 1), upsert(2, "b", 1), upsert(3, "c", 1), upsert(4, "a", 2), upsert(5, "b", 2)]
    assert [row.offset for row in reduce(rows, (0,)).rows] == [3, 4, 5]


def test_positions_say_where_each_row_stood() -> None:
    rows = [upsert(7, "a", 1), upsert(8, "b", 1), upsert(9, "a", 2)]
    reduced = reduce(rows, (0,))
    assert reduced.positions == [1, 2]
    assert [rows[position].offset for position in reduced.positions] == [row.offset for row in reduced.rows]


def test_delete_after_an_upsert_is_a_delete_and_the_other_way_round() -> None:
    assert reduce([upsert(1, "a", 1), delete(2, "a")], (0,)).rows == [delete(2, "a")]
    assert reduce([delete(1, "a"), upsert(2, "a", 1)], (0,)).rows == [upsert(2, "a", 1)]


def test_key_of_several_columns_is_found_in_key_order() -> None:
    # A delete holds its key in key order, an upsert anywhere in its row.
    rows = [upsert(1, "v", 1, "x"), upsert(2, "v", 2, "x"), upsert(3, "v", 1, "y"), delete(4, "x", 1)]
    assert [row.offset for row in reduce(rows, (2, 1)).rows] == [2, 3, 4]


def test_keys_that_look_alike_in_another_order_are_two() -> None:
    assert len(reduce([upsert(1, 1, 2), upsert(2, 2, 1)], (0, 1)).rows) == 2
    assert len(reduce([upsert(1, "1"), upsert(2, 1)], (0,)).rows) == 2


def test_nothing_reduces_to_nothing() -> None:
    reduced = reduce([], (0,))
    assert (reduced.rows, reduced.positions) == ([], [])


def test_column_left_unset_takes_the_value_it_had_in_the_same_run() -> None:
    rows = [upsert(1, "a", "toast", 1), upsert(2, "a", None, 2, unset=(1,))]
    assert reduce(rows, (0,)).rows == [upsert(2, "a", "toast", 2)]


def test_null_in_the_same_run_is_a_value_too() -> None:
    rows = [upsert(1, "a", None, 1), upsert(2, "a", None, 2, unset=(1,))]
    assert reduce(rows, (0,)).rows == [upsert(2, "a", None, 2)]


def test_column_that_no_row_of_the_run_sets_stays_unset() -> None:
    rows = [upsert(1, "a", None, 1, unset=(1,)), upsert(2, "a", None, 2, unset=(1,))]
    assert reduce(rows, (0,)).rows == [rows[1]]


def test_each_unset_column_is_filled_for_itself() -> None:
    rows = [upsert(1, "a", None, "y", unset=(1,)), upsert(2, "a", None, None, unset=(1, 2))]
    assert reduce(rows, (0,)).rows == [upsert(2, "a", None, "y", unset=(1,))]


def test_value_is_carried_through_a_chain_of_unset_columns() -> None:
    rows = [upsert(1, "a", "toast", 1), *(upsert(n, "a", None, n, unset=(1,)) for n in (2, 3, 4))]
    assert reduce(rows, (0,)).rows == [upsert(4, "a", "toast", 4)]


def test_value_of_a_deleted_row_does_not_come_back() -> None:
    # A changed key arrives as a delete and a create, and the create may leave a column unset.
    rows = [upsert(1, "a", "toast", 1), delete(2, "a"), upsert(3, "a", None, 2, unset=(1,))]
    assert reduce(rows, (0,)).rows == [upsert(3, "a", None, 2)]
    # Also when the store has the deleted row: the delete is folded away, so the null must be written.
    assert reduce(rows[1:], (0,)).rows == [upsert(3, "a", None, 2)]


def test_value_of_another_key_is_not_taken() -> None:
    rows = [upsert(1, "a", "toast", 1), upsert(2, "b", None, 2, unset=(1,))]
    assert reduce(rows, (0,)).rows == rows


def test_rows_handed_in_are_left_as_they_were() -> None:
    rows = [upsert(1, "a", "toast"), upsert(2, "a", None, unset=(1,))]
    reduce(rows, (0,))
    assert rows == [upsert(1, "a", "toast"), upsert(2, "a", None, unset=(1,))]

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Column, Kind, Row, RowFailure, RowOp, TableSchema, WriteResult
from parrot_faust.delivery.isolation import Written, write_reduced
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks.memory import MemorySink

SCHEMA = TableSchema.of(
    "t", (Column("id", Kind.INT32, False), Column("n", Kind.INT32), Column("s", Kind.STRING)), ("id",)
)
FOR_EVER = float("inf")
BAD = 2**40  # no INT32


class Store:
    """The reference sink, with a record of what it was sent."""

    def __init__(self) -> None:
        self.sink = MemorySink()
        self.sink.ensure(SCHEMA, FOR_EVER)
        self.sent: list[list[int]] = []
        self.refused: list[int] = []

    def send(self, rows: Sequence[Row]) -> WriteResult:
        self.sent.append([row.offset for row in rows])
        return self.sink.write(SCHEMA, rows, FOR_EVER)

    def write(self, rows: Sequence[Row]) -> Written:
        return write_reduced(
            rows, SCHEMA.key_positions(), self.send, lambda position, _: self.refused.append(rows[position].offset)
        )

    def failed(self, rows: Sequence[Row]) -> list[int]:
        return [rows[position].offset for position, _ in self.write(rows).failures]

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return sorted(self.sink.read(SCHEMA))


def put(offset: int, *values: Any, unset: tuple[int, ...] = ()) -> Row:
    return Row(offset, offset, RowOp.UPSERT, values, unset)


def delete(offset: int, key: int) -> Row:
    return Row(offset, offset, RowOp.DELETE, (key,))


def test_without_a_refusal_all_is_one_write() -> None:
    store = Store()
    assert store.failed([put(1, 1, 1, "a"), put(2, 2, 1, "b"), put(3, 1, 2, "c")]) == []
    assert store.sent == [[2, 3]]
    assert store.refused == []


def test_a_row_that_nothing_was_folded_into_costs_no_second_write() -> None:
    store = Store()
    assert store.failed([put(1, 1, 1, "a"), put(2, 2, BAD, "b"), put(3, 3, 3, "c")]) == [2]
    assert len(store.sent) == 1
    assert store.rows == [(1, 1, "a"), (3, 3, "c")]


def test_operations_folded_into_a_refused_row_are_applied_and_neighbours_are_sent_once() -> None:
    store = Store()
    rows = [put(1, 1, 1, "a"), put(2, 2, 2, "b"), put(3, 1, 3, "c"), put(4, 1, BAD, "d"), put(5, 3, 5, "e")]
    assert store.failed(rows) == [4]
    assert store.rows == [(1, 3, "c"), (2, 2, "b"), (3, 5, "e")]
    assert store.sent[0] == [2, 4, 5]
    assert not {2, 5} & {offset for sent in store.sent[1:] for offset in sent}
    assert store.refused == [4]


def test_a_delete_folded_into_a_refused_row_is_done() -> None:
    store = Store()
    store.write([put(1, 1, 1, "a")])
    assert store.failed([delete(2, 1), put(3, 1, BAD, "b")]) == [3]
    assert store.rows == []


def test_a_value_taken_from_a_refused_row_is_not_held_against_the_row_that_took_it() -> None:
    store = Store()
    rows = [put(1, 1, 1, "a"), Row(2, 2, RowOp.UPSERT, (1, 2, b"no text")), put(3, 1, 3, None, unset=(2,))]
    assert store.failed(rows) == [2]
    assert store.rows == [(1, 3, "a")]


def test_a_refused_row_that_a_later_one_replaces_counts_as_folded() -> None:
    store = Store()
    assert store.failed([put(1, 1, BAD, "a"), put(2, 1, 2, "b")]) == []
    assert len(store.sent) == 1
    assert store.rows == [(1, 2, "b")]


def test_several_keys_are_narrowed_down_together() -> None:
    store = Store()
    rows = [put(offset, offset % 10, BAD if offset >= 90 else offset, "x") for offset in range(100)]
    assert store.failed(rows) == list(range(90, 100))
    assert store.rows == [(key, 80 + key, "x") for key in range(10)]
    assert len(store.sent) <= 9  # ten rows of a key are halved four times, all keys at once


def test_what_the_store_does_not_answer_goes_up_and_what_was_found_is_told() -> None:
    store = Store()
    store.sink.refuse = {(2,)}
    rows = [put(1, 1, 1, "a"), put(2, 1, BAD, "b"), put(3, 2, 1, "a")]
    writes = iter((False, True))

    def send(reduced: Sequence[Row]) -> WriteResult:
        if next(writes):
            raise SinkUnavailable("memory", "away")
        return store.send(reduced)

    with pytest.raises(SinkUnavailable):
        write_reduced(rows, (0,), send, lambda position, _: store.refused.append(rows[position].offset))
    assert store.refused == [3]


def test_nothing_is_narrowed_down_while_rows_may_succeed_later() -> None:
    def send(rows: Sequence[Row]) -> WriteResult:
        return WriteResult(len(rows), (RowFailure(0, False, "RowRefused", "no"), RowFailure(1, True, "Busy", "later")))

    sent: list[int] = []
    written = write_reduced(
        [put(1, 1, 1, "a"), put(2, 1, 1, "a"), put(3, 2, 1, "a")], (0,), send, lambda position, _: sent.append(position)
    )
    assert [(position, failure.transient) for position, failure in written.failures] == [(1, False), (2, True)]
    assert sent == []


@st.composite
def runs(draw: st.DrawFn) -> list[Row]:
    rows = []
    for offset in range(draw(st.integers(0, 14))):
        key = draw(st.integers(0, 2))
        if draw(st.integers(0, 3)) == 0:
            rows.append(delete(offset, key))
        else:
            unset = (2,) if draw(st.booleans()) else ()
            number = draw(st.sampled_from([offset, BAD, BAD]))
            rows.append(put(offset, key, number, None if unset else draw(st.sampled_from("xyz")), unset=unset))
    return rows


@given(runs(), st.sets(st.integers(0, 2), max_size=1))
def test_rows_end_as_one_by_one_but_for_values_of_refused_ones(rows: list[Row], refuse: set[int]) -> None:
    reduced, single = Store(), Store()
    reduced.sink.refuse = single.sink.refuse = {(key,) for key in refuse}
    failed = set(reduced.failed(rows))
    alone = {offset for row in rows for offset in single.failed([row])}
    assert failed <= alone  # what a later row replaces need not be refused
    assert {row[:2] for row in reduced.rows} == {row[:2] for row in single.rows}
    lasts = {row.values[0]: row.offset for row in rows}
    assert {offset for offset in lasts.values() if offset in alone} <= failed

"""The process that reads a store: its answers, its errors, and its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from parrot_faust.errors import ParrotError, SinkUnavailable
from parrot_faust.verify import hashing
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.readers import Reader, Rows, TooMany, Unreadable
from parrot_faust.verify.scope import Scope
from parrot_faust.verify.stored import Logical

COLUMNS = (ColumnPlan("id", Logical.INT32, "int4", "integer"),)


def plan(relation: str) -> TablePlan:
    return TablePlan(f"shop.public.{relation}", "public", relation, COLUMNS, 1, {"kudu": relation})


class Numbers:
    """A store of a hundred rows, whose tables' names say what is wrong with them."""

    def unlike(self, _plan: TablePlan) -> dict[str, str]:
        return {}

    def scan(self, plan: TablePlan, _scope: Scope) -> Iterator[hashing.Batch]:
        if plan.relation == "away":
            raise SinkUnavailable("kudu", "connection refused")
        if plan.relation == "dies":
            os._exit(3)
        if plan.relation == "hangs":
            time.sleep(600)
        for first in range(0, 100, 10):
            rows = [(number,) for number in range(first, first + 10)]
            yield rows, rows

    def fetch(self, _plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> Rows:
        return {key: key for key in keys if 0 <= key[0] < 100}

    def close(self) -> None:
        return


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    made = Reader("kudu", Numbers)
    yield made
    made.close()


def test_all_rows_are_told_and_summed(reader: Reader) -> None:
    told: list[int] = []
    sums = reader.sums(plan("t"), Scope(), 16, told.append)
    assert sum(map(hashing.count_of, sums)) == sum(told) == 100
    digests = reader.digests(plan("t"), Scope(), None, 100, told.append)
    assert hashing.decode_key(min(digests)) == (0,)
    assert len(digests) == 100
    assert reader.fetch(plan("t"), [(5,), (500,)]) == {(5,): (5,)}


def test_more_rows_than_may_be_held_is_an_error_of_its_own(reader: Reader) -> None:
    with pytest.raises(TooMany):
        reader.digests(plan("t"), Scope(), None, 99, lambda _rows: None)


def test_a_store_that_is_away_is_told_and_asked_anew_the_next_time(reader: Reader) -> None:
    with pytest.raises(Unreadable, match="kudu is not available: connection refused"):
        reader.sums(plan("away"), Scope(), 16, lambda _rows: None)
    assert sum(map(hashing.count_of, reader.sums(plan("t"), Scope(), 16, lambda _rows: None))) == 100


def test_a_process_that_dies_is_no_end_of_the_rows() -> None:
    reader = Reader("kudu", Numbers)
    with pytest.raises(SinkUnavailable, match="has ended"):
        reader.sums(plan("dies"), Scope(), 16, lambda _rows: None)
    reader.close()


def test_closing_ends_a_process_in_the_middle_of_its_work() -> None:
    reader = Reader("kudu", Numbers)
    errors: list[ParrotError] = []

    def ask() -> None:
        try:
            reader.sums(plan("hangs"), Scope(), 16, lambda _rows: None)
        except ParrotError as error:
            errors.append(error)

    reader.fetch(plan("t"), [(1,)])  # it runs
    asking = threading.Thread(target=ask)
    asking.start()
    while not reader._lock.locked():
        time.sleep(0.01)
    reader.close()
    asking.join(10)
    assert [type(error) for error in errors] == [SinkUnavailable]

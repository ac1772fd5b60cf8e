"""Rows that Kudu keeps no longer: which they are, and that nothing else is taken for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parrot_faust.creation import KuduRange
from parrot_faust.sinks.kudu.ranges import Periods
from parrot_faust.verify import readers, scanning
from parrot_faust.verify.aging import aging
from parrot_faust.verify.differences import row_difference
from parrot_faust.verify.explain import explained
from parrot_faust.verify.plan import Aging, ColumnPlan, TablePlan
from parrot_faust.verify.report import Reason
from parrot_faust.verify.scanning import candidates
from parrot_faust.verify.scope import Scope
from parrot_faust.verify.stored import Logical

DAY_US = 86_400_000_000
ID = ColumnPlan("id", Logical.INT32, "int4", "integer")
AT = ColumnPlan("at", Logical.MOMENT, "timestamptz", "timestamp with time zone")
ON = ColumnPlan("on", Logical.DATE, "date", "date")
PLAN = TablePlan(
    "shop.public.t",
    "public",
    "t",
    (ID, AT, ColumnPlan("note", Logical.TEXT, "text", "text")),
    2,
    {"kudu": "public.t", "hbase": "public.t"},
    aging=Aging(1, 100 * DAY_US, "at before 1970-04-11"),
)


# -- which rows are too old ------------------------------------------------------------------------------------------


@given(
    st.sampled_from(["1 hour", "1 day", "1 month", "1 year"]),
    st.integers(0, 1_900),
    st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - with the zone
    st.sampled_from([(AT, "unixtime_micros"), (ON, "date")]),
)
def test_they_are_those_of_the_ranges_that_the_writers_drop(
    every: Any, keep: int, now: datetime, column: tuple[ColumnPlan, str]
) -> None:
    wanted, kind = column
    if kind == "date" and every == "1 hour":
        return  # the writers refuse it
    found = aging(KuduRange(column=wanted.name, every=every, keep=keep), (ID, wanted), now)
    assert found is not None
    periods = Periods(wanted.name, 1, kind, every)
    assert (found.place, found.before) == (1, periods.begin(periods.now(now.timestamp()) - keep))


def test_where_there_is_no_such_year_none_is_too_old() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for every in ("1 day", "1 month", "1 year"):
        found = aging(KuduRange(column="on", every=every, keep=1_000_000), (ID, ON), now)  # type: ignore[arg-type]
        assert found is not None
        assert found.before == datetime(1, 1, 1, tzinfo=UTC).toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def test_there_are_none_unless_the_settings_say_so() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert aging(None, (ID, AT), now) is None
    assert aging(KuduRange(column="at", every="1 day"), (ID, AT), now) is None
    assert aging(KuduRange(column="at", every="1 day", keep=1), (ID, ON), now) is None, "no column of the key"
    found = aging(KuduRange(column="at", every="1 hour", keep=30), (ID, AT), now)
    assert found is not None
    assert found.told == "at before 2025-12-30T18: ranges of 1 hour, of which 30 are kept"
    keys: list[Any] = [(1, 0), (1, found.before), ("?", "no number"), (("bad", "x"),)]
    assert [found.has(key) for key in keys] == [True, False, False, False]


# -- looking for what differs ----------------------------------------------------------------------------------------


class Here:
    """A store in memory, read as its process would."""

    def __init__(self, rows: dict[tuple[int, int], str]) -> None:
        self.rows = {key: (*key, note) for key, note in rows.items()}

    def unlike(self, _plan: TablePlan) -> dict[str, str]:
        return {}

    def scan(self, _plan: TablePlan, _scope: Scope) -> Iterator[Any]:
        yield list(self.rows), list(self.rows.values())

    def fetch(self, plan: TablePlan, keys: Sequence[Any]) -> Any:
        return {key: self.rows[key] for key in keys if key in self.rows}

    def close(self) -> None: ...

    def send(self, _told: Any) -> None:
        """Nobody hears how far it is."""

    def sums(self, plan: TablePlan, scope: Scope, buckets: int, _progress: Any) -> list[int]:
        return readers._sums(self, self, plan, scope, buckets)  # type: ignore[arg-type]

    def digests(self, plan: TablePlan, scope: Scope, chosen: bytes | None, limit: int, _progress: Any) -> Any:
        return readers._digests(self, self, plan, scope, chosen, limit)  # type: ignore[arg-type]


OLD = {(number, number % 100 * DAY_US): str(number) for number in range(3_000)}
KEPT = {(number, (100 + number) * DAY_US): str(number) for number in range(3_000)}
WAYS: dict[str, tuple[int, float | None]] = {
    "small": (1, None),
    "large": (scanning.SMALL_ROWS + 1, None),
    "sampled": (1, 0.5),
}


def looked_at(way: str, kudu: Here, hbase: Here, again: list[int] | None = None) -> tuple[set[Any], int]:
    """The keys that may differ, and how many rows are aged out; how many are read a second time goes into `again`."""
    rows, sample = WAYS[way]
    plan = msgspec.structs.replace(PLAN, rows=rows)
    stores: Any = {"source": Here(OLD | KEPT), "kudu": kudu, "hbase": hbase}
    found = candidates([plan], {plan.topic: Scope(sample=sample)}, stores, lambda *_: None, (again or []).append)
    return set(found[plan.topic].keys), found[plan.topic].aged_out


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_kudu_has_dropped_are_counted_and_looked_at_no_more(way: str) -> None:
    again: list[int] = [0]
    assert looked_at(way, Here(KEPT), Here(OLD | KEPT), again) == (set(), 3_000)
    assert again == [0]


@pytest.mark.parametrize("way", WAYS)
def test_what_else_is_wrong_is_found_beside_them(way: str) -> None:
    old_in_hbase, late, missing, wrong = (5, 5 * DAY_US), (7, 7 * DAY_US), (8, 108 * DAY_US), (9, 109 * DAY_US)
    kudu = Here({**KEPT, late: "a late change that has made its range again", wrong: "wrong"})
    del kudu.rows[missing]
    hbase = Here(OLD | KEPT)
    del hbase.rows[old_in_hbase]
    assert looked_at(way, kudu, hbase) == ({old_in_hbase, late, missing, wrong}, 2_999)


@pytest.mark.parametrize("way", ["small", "large"])
def test_an_old_row_that_only_kudu_has_is_found(way: str) -> None:
    extra = (-1, 3 * DAY_US)
    keys, _ = looked_at(way, Here({**KEPT, extra: "extra"}), Here(OLD | KEPT))
    assert keys == {extra}


def test_the_reason_is_kudu_s_alone_and_for_rows_that_it_has_no_more() -> None:
    row = (1, 5, "note")
    both = row_difference(PLAN, (1, 5), row, {"kudu": None, "hbase": None})
    other = row_difference(PLAN, (1, 5), row, {"kudu": (1, 5, "wrong"), "hbase": row})
    assert both is not None
    assert other is not None
    found = explained(both, (), None, frozenset(), "at before then")
    assert [(store.store, store.reason) for store in found.stores] == [
        ("kudu", Reason.AGED_OUT),
        ("hbase", Reason.UNEXPLAINED),
    ]
    assert found.stores[0].detail == "at before then"
    assert [store.reason for store in explained(other, (), None, frozenset(), "aged").stores] == [Reason.UNEXPLAINED]

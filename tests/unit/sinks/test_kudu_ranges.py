from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Column, Kind, TableSchema
from parrot_faust.creation import KuduRange
from parrot_faust.errors import TableRefused
from parrot_faust.sinks.kudu.mapping import StoreColumn, store_columns
from parrot_faust.sinks.kudu.ranges import DAY_US, Periods, missing, periods_of

EVERY = ("1 hour", "1 day", "1 month", "1 year")
MICROS = st.integers(-(2**63), 2**63 - 1)


def stamps(every: str) -> Periods:
    return Periods("at", 0, "unixtime_micros", every)


@given(MICROS, st.sampled_from(EVERY))
def test_a_value_lies_in_the_period_it_falls_into(value: int, every: str) -> None:
    periods = stamps(every)
    number = periods.number(value)
    assert periods.begin(number) <= value < periods.begin(number + 1)
    low, high = periods.bounds(number)
    assert low is None or low["at"] <= value
    assert high is None or value < high["at"]


@given(st.datetimes(timezones=st.just(UTC)))
def test_periods_are_those_of_the_calendar(moment: datetime) -> None:
    value = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution)
    month, year = stamps("1 month"), stamps("1 year")
    assert month.number(value) == (moment.year - 1970) * 12 + moment.month - 1
    assert year.number(value) == moment.year - 1970
    first = datetime(moment.year, moment.month, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert month.begin(month.number(value)) == first // datetime.resolution


def test_days_of_a_date_are_its_values() -> None:
    periods = Periods("day", 0, "date", "1 month")
    assert periods.bounds(periods.number(31)) == ({"day": 31}, {"day": 59})
    assert periods.now(45 * 86_400.0) == 1
    first, last = periods.number(-719_162), periods.number(2_932_896)
    assert (periods.bounds(first)[0], periods.bounds(last)[1]) == ({"day": -719_162}, None)


def test_periods_are_told_by_where_they_begin() -> None:
    assert stamps("1 day").told([2, 0]) == "at 1 day from 1970-01-01, 1970-01-03"
    assert stamps("1 hour").told([25]) == "at 1 hour from 1970-01-02T01"
    assert stamps("1 month").told(range(5)).endswith("1970-03-01 and 2 more up to 1970-05-01")
    assert stamps("1 year").told([200_000]).endswith(" 6311390400000000000")


def test_only_unknown_periods_are_asked_for() -> None:
    known = {0, 1}.__contains__
    assert missing(stamps("1 day"), [5, 6], known) == set()
    assert missing(stamps("1 day"), [5, 3 * DAY_US, DAY_US, -1], known) == {3, -1}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"column": "made"}, r"made is not of the key \(id, at\): Kudu cuts by key columns only"),
        ({"column": "id"}, "id is int64: only dates and timestamps"),
        ({"column": "day", "every": "1 hour"}, "not of the key"),
    ],
)
def test_column_that_can_not_be_cut_by_time_refuses_the_table(wanted: dict[str, Any], says: str) -> None:
    columns = (Column("id", Kind.INT64), Column("at", Kind.TIMESTAMP), Column("made", Kind.TIMESTAMP))
    schema = TableSchema.of("s.p.t", columns, ("id", "at"))
    with pytest.raises(TableRefused, match=says):
        periods_of("s.p.t", KuduRange(**{"every": "1 day", **wanted}), store_columns(schema), schema.key)


def test_hours_of_a_date_refuse_the_table_and_what_fits_does_not() -> None:
    columns = [StoreColumn("id", "int64", False), StoreColumn("day", "date", False)]
    with pytest.raises(TableRefused, match="is a date, which `every: 1 hour` can't cut"):
        periods_of("t", KuduRange(column="day", every="1 hour"), columns, ("id", "day"))
    assert periods_of("t", KuduRange(column="day", every="1 day"), columns, ("id", "day")) == Periods(
        "day", 1, "date", "1 day"
    )
    assert periods_of("t", None, columns, ("id", "day")) is None

"""Range partitions by time: which one a value falls into, and where it begins and ends. Pure.

Periods are numbered, the one with 1970-01-01 being 0 (1970 itself for years). Values are as Kudu has them: microseconds
of a timestamp, days of a date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from parrot_faust.creation import KuduRange
from parrot_faust.errors import TableRefused
from parrot_faust.sinks.kudu.mapping import StoreColumn
from parrot_faust.sinks.kudu.values import FIRST_DATE, LAST_DATE

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
#: The first and last value that a bound may have, by Kudu's type of the column.
LIMITS = {"unixtime_micros": (-(2**63), 2**63 - 1), "date": (FIRST_DATE, LAST_DATE)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Periods:
    """The periods of a column. `place` is the column's among the key, `kind` Kudu's type."""

    column: str
    place: int
    kind: str
    every: str

    def number(self, value: int) -> int:
        """The period that a value falls into."""
        if self.every == "1 hour":
            return value // HOUR_US
        days = value if self.kind == "date" else value // DAY_US
        if self.every == "1 day":
            return days
        year, month = _month_of(days)
        return (year - 1970) * 12 + month - 1 if self.every == "1 month" else year - 1970

    def now(self, seconds: float) -> int:
        """The period of a moment."""
        return self.number(int(seconds // 86_400) if self.kind == "date" else int(seconds * 1_000_000))

    def begin(self, number: int) -> int:
        """The first value of a period."""
        if self.every == "1 hour":
            return number * HOUR_US
        if self.every == "1 day":
            days = number
        elif self.every == "1 month":
            days = _day_of(1970 + number // 12, number % 12 + 1)
        else:
            days = _day_of(1970 + number, 1)
        return days if self.kind == "date" else days * DAY_US

    def bounds(self, number: int) -> tuple[dict[str, int] | None, dict[str, int] | None]:
        """Where a period begins, and where the next one does; None where Kudu's type ends before."""
        first, last = LIMITS[self.kind]
        low, high = self.begin(number), self.begin(number + 1)
        return ({self.column: low} if low >= first else None, {self.column: high} if high <= last else None)

    def told(self, numbers: Iterable[int]) -> str:
        """Periods for people, by where they begin."""
        every = sorted(numbers)
        shown = [self._shown(number) for number in every[:3]]
        return f"{self.column} {self.every} from {', '.join(shown)}" + (
            f" and {len(every) - 3} more up to {self._shown(every[-1])}" if len(every) > 3 else ""
        )

    def _shown(self, number: int) -> str:
        value = self.begin(number)
        try:
            moment = _EPOCH + (timedelta(days=value) if self.kind == "date" else timedelta(microseconds=value))
        except OverflowError:  # beyond the years 1 to 9999, where Kudu's timestamps go on
            return str(value)
        return moment.strftime("%Y-%m-%dT%H" if self.every == "1 hour" else "%Y-%m-%d")


def periods_of(
    table: str, wanted: KuduRange | None, columns: Sequence[StoreColumn], key: Sequence[str]
) -> Periods | None:
    """The periods that the settings ask for. Raise TableRefused when the column can't have them."""
    if wanted is None:
        return None
    names = [column.name for column in columns[: len(key)]]
    if wanted.column not in names:
        raise TableRefused(
            table, f"`range.column` {wanted.column} is not of the key ({', '.join(key)}): Kudu cuts by key columns only"
        )
    place = names.index(wanted.column)
    kind = columns[place].type
    if kind not in LIMITS:
        raise TableRefused(table, f"`range.column` {wanted.column} is {kind}: only dates and timestamps have periods")
    if kind == "date" and wanted.every == "1 hour":
        raise TableRefused(table, f"`range.column` {wanted.column} is a date, which `every: 1 hour` can't cut")
    return Periods(wanted.column, place, kind, wanted.every)


def missing(periods: Periods, values: Sequence[int], known: Callable[[int], bool]) -> set[int]:
    """The periods of values that are not known to be there."""
    low, high = periods.number(min(values)), periods.number(max(values))
    if low == high:  # nearly always
        return set() if known(low) else {low}
    return {number for number in set(map(periods.number, values)) if not known(number)}


def _month_of(days: int) -> tuple[int, int]:
    """Year and month of a day since 1970-01-01, for any year: Python's own calendar ends at 9999."""
    era, day = divmod(days + 719_468, 146_097)  # days since 0000-03-01, in eras of 400 years
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    month = (5 * (day - (365 * year + year // 4 - year // 100)) + 2) // 153
    return year + era * 400 + (month >= 10), month + 3 if month < 10 else month - 9


def _day_of(year: int, month: int) -> int:
    """The day since 1970-01-01 on which a month begins."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468

"""What many rows together come to: tallies that take a value at a time, merge, and are judged by a window's rules.

A window over a table is one verdict: each partition has tallies of its own, and `merge` makes one of two. Verdicts are
Great Expectations' where it has the expectation.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

from parrot_faust.quality.column_checks import bound_of
from parrot_faust.quality.rules import Rule
from parrot_faust.quality.values import is_null

#: Distinct values that a tally keeps. Beyond, what needs them all is undecided, which is a failure that says so.
EXACT = 100_000


class Undecided(ValueError):
    """There were more values than are kept, so the rule can't be judged."""


class Tally(Protocol):
    """Takes the values of the rows that count."""

    def add(self, values: tuple[Any, ...]) -> None: ...
    def merge(self, other: Any) -> None: ...


@dataclass(slots=True)
class Rows:
    """How many rows, and how many of them hold null."""

    rows: int = 0
    nulls: int = 0

    def add(self, values: tuple[Any, ...]) -> None:
        self.rows += 1
        self.nulls += bool(values) and is_null(values[0])

    def merge(self, other: Rows) -> None:
        self.rows, self.nulls = self.rows + other.rows, self.nulls + other.nulls


@dataclass(slots=True)
class Numbers:
    """Count, sum, extremes, and Welford's mean and sum of squared deviations."""

    count: int = 0
    total: Any = 0
    low: Any = None
    high: Any = None
    _mean: float = 0.0
    _squares: float = 0.0

    def add(self, values: tuple[Any, ...]) -> None:
        (value,) = values
        if is_null(value):
            return
        if isinstance(value, Decimal):
            value = float(value)
        self.count += 1
        self.low = value if self.low is None or value < self.low else self.low
        self.high = value if self.high is None or value > self.high else self.high
        if isinstance(value, int | float):
            self.total += value
            delta = value - self._mean
            self._mean += delta / self.count
            self._squares += delta * (value - self._mean)

    def merge(self, other: Numbers) -> None:
        if not other.count:
            return
        count = self.count + other.count
        delta = other._mean - self._mean
        self._squares += other._squares + delta * delta * self.count * other.count / count
        self._mean += delta * other.count / count
        self.total += other.total
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        self.count, self.low, self.high = count, min(lows), max(highs)

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return self._number(self.total) / self.count if self.count else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of a sample, None of fewer than two."""
        self._number(self.low)
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else None

    @property
    def sum(self) -> Any:
        """The sum, 0 of nothing."""
        self._number(self.low)
        return self.total

    def _number(self, value: Any) -> Any:
        if self.low is not None and not isinstance(self.low, int | float):
            raise TypeError(f"{type(self.low).__name__} is no number")
        return value


@dataclass(frozen=True, slots=True)
class Collection:
    """A list or mapping among the values counted: equal to another when its members are."""

    members: Any

    @classmethod
    def of(cls, value: Any) -> Any:
        """The value itself, or what stands for a list or mapping, however deep."""
        if isinstance(value, dict):
            return cls(frozenset((name, cls.of(one)) for name, one in value.items()))
        return cls(tuple(map(cls.of, value))) if isinstance(value, list) else value


@dataclass(slots=True)
class Values:
    """How often each value came, as long as there are not too many different ones."""

    limit: int = EXACT
    count: int = 0
    _counts: dict[Any, int] = field(default_factory=dict)
    _over: bool = False

    def add(self, values: tuple[Any, ...]) -> None:
        value = values[0] if len(values) == 1 else tuple(None if is_null(one) else one for one in values)
        if len(values) == 1 and is_null(value):
            return
        self._put(Collection.of(value), 1)

    def merge(self, other: Values) -> None:
        self._over = self._over or other._over
        self.count += other.count - sum(other._counts.values())
        for value, times in other._counts.items():
            self._put(value, times)

    def _put(self, value: Any, times: int) -> None:
        self.count += times
        if value in self._counts:
            self._counts[value] += times
        elif len(self._counts) < self.limit:
            self._counts[value] = times
        else:
            self._over = True

    def most_common(self) -> list[Any]:
        """The values that came most often. Raise TypeError when a list or mapping is one of them."""
        counts = self.complete()
        most = max(counts.values(), default=0)
        modes = [value for value, times in counts.items() if times == most]
        _refuse_collections(modes)
        return modes

    def counts(self) -> Mapping[Any, int]:
        """What can be compared with a set: as `complete`. Raise TypeError when a list or mapping is among them."""
        _refuse_collections(counts := self.complete())
        return counts

    def complete(self) -> Mapping[Any, int]:
        """All values with how often they came. Raise Undecided when there were too many."""
        if self._over:
            raise Undecided(f"there were more than {self.limit} different values")
        return self._counts


def _refuse_collections(values: Iterable[Any]) -> None:
    if any(isinstance(value, Collection) for value in values):
        raise TypeError("lists and mappings can't be compared with a set")


@dataclass(slots=True)
class Ranks:
    """The values themselves, for quantiles, as long as there are not too many."""

    limit: int = EXACT
    _values: list[Any] = field(default_factory=list)
    _over: bool = False

    def add(self, values: tuple[Any, ...]) -> None:
        (value,) = values
        if is_null(value):
            return
        if not isinstance(value, int | float | Decimal):
            raise TypeError(f"{type(value).__name__} is no number")
        if len(self._values) < self.limit:
            self._values.append(value)
        else:
            self._over = True

    def merge(self, other: Ranks) -> None:
        self._over = self._over or other._over or len(self._values) + len(other._values) > self.limit
        self._values += other._values[: self.limit - len(self._values)]

    def sorted(self) -> list[float]:
        """The values in order. Raise Undecided when there were too many."""
        if self._over:
            raise Undecided(f"there were more than {self.limit} values")
        return sorted(map(float, self._values))

    def median(self) -> float | None:
        """The middle, between the two in the middle of an even number."""
        values = self.sorted()
        middle = len(values) // 2
        if not values:
            return None
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2

    def nearest(self, share: float) -> float | None:
        """The value nearest to a quantile; half way the one with the even place, as numpy rounds."""
        values = self.sorted()
        return values[round(share * (len(values) - 1))] if values else None


@dataclass(slots=True)
class Steps:
    """Values in the order in which they came: how many were not beyond the one before."""

    in_order: Callable[[Any, Any], bool]
    count: int = 0
    wrong: int = 0
    last: Any = None

    def add(self, values: tuple[Any, ...]) -> None:
        (value,) = values
        if is_null(value):
            return
        if self.count and not self.in_order(value - self.last, 0):
            self.wrong += 1
        self.count, self.last = self.count + 1, value

    def merge(self, other: Steps) -> None:
        """Each partition has an order of its own: what is wrong in one is wrong."""
        self.count, self.wrong = self.count + other.count, self.wrong + other.wrong


class WindowVerdict(NamedTuple):
    """Whether a rule holds over a window, and what was observed."""

    success: bool
    observed: Any
    reason: str = ""


def tally_for(rule: Rule) -> Tally:
    """An empty tally for a rule."""
    tally: Tally = _FAMILIES[rule.type][0](rule)
    return tally


def judge_window(rule: Rule, tally: Tally) -> WindowVerdict:
    """The verdict over what a tally has taken. What can't be judged has failed, and says why."""
    try:
        return WindowVerdict(*_FAMILIES[rule.type][1](rule, tally))
    except (TypeError, ValueError, ArithmeticError) as error:
        return WindowVerdict(False, None, f"{type(error).__name__}: {error}")


def _within(rule: Rule, observed: Any) -> tuple[bool, Any]:
    """Whether a number, date or moment is within the bounds; what is null is not."""
    if is_null(observed):
        return False, None
    low, high = (bound_of(rule.kwargs.get(name), None, False) for name in ("min_value", "max_value"))
    value = observed
    if isinstance(value, str) and (moment := next((one for one in (low, high) if isinstance(one, date)), None)):
        value = datetime.fromisoformat(value) if isinstance(moment, datetime) else date.fromisoformat(value)
    if low is not None and not (value > low if rule.kwargs.get("strict_min") else value >= low):
        return False, observed
    if high is not None and not (value < high if rule.kwargs.get("strict_max") else value <= high):
        return False, observed
    return True, observed


def share_holds(considered: int, unexpected: int, mostly: float) -> bool:
    """Whether so many of the rows that count have passed. Of no row, all have."""
    return not considered or (float(considered) - float(unexpected)) / float(considered) >= mostly


def _unique(rule: Rule, tally: Values) -> tuple[bool, Any]:
    repeated = sum(times for times in tally.complete().values() if times > 1)
    return share_holds(tally.count, repeated, rule.mostly), {"repeated": repeated, "of": tally.count}


def _in_order(rule: Rule, tally: Steps) -> tuple[bool, Any]:
    return share_holds(tally.count, tally.wrong, rule.mostly), {"out_of_order": tally.wrong, "of": tally.count}


def _quantiles(rule: Rule, tally: Ranks) -> tuple[bool, Any]:
    ranges = rule.kwargs["quantile_ranges"]
    observed = [tally.nearest(share) for share in ranges["quantiles"]]
    for value, (low, high) in zip(observed, ranges["value_ranges"], strict=True):
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        close = value is not None and any(math.isclose(value, bound, rel_tol=1e-4) for bound in (low, high))
        if value is None or not (close or low <= value <= high):
            return False, observed
    return True, observed


def _distinct(holds: Callable[[set[Any], set[Any]], bool]) -> Callable[[Rule, Values], tuple[bool, Any]]:
    def judge(rule: Rule, tally: Values) -> tuple[bool, Any]:
        found = set(tally.counts())
        return holds(found, set(rule.kwargs["value_set"])), len(found)

    return judge


def _most_common(rule: Rule, tally: Values) -> tuple[bool, Any]:
    modes = tally.most_common()
    common = set(modes) & set(rule.kwargs["value_set"])
    holds = bool(common) if rule.kwargs.get("ties_okay") else len(modes) == len(common) == 1
    return holds, modes[:20]


def _share_unique(rule: Rule, tally: Values) -> tuple[bool, Any]:
    return _within(rule, len(tally.counts()) / tally.count if tally.count else 0)


def _share_present(rule: Rule, tally: Rows) -> tuple[bool, Any]:
    return _within(rule, (tally.rows - tally.nulls) / tally.rows if tally.rows else 0)


def _steps(signs: tuple[Callable[[Any, Any], bool], Callable[[Any, Any], bool]]) -> Callable[[Rule], Steps]:
    return lambda rule: Steps(signs[bool(rule.kwargs.get("strictly"))])


_Family = tuple[Callable[[Rule], Any], Callable[[Rule, Any], tuple[bool, Any]]]
_FAMILIES: dict[str, _Family] = {
    "expect_column_values_to_be_unique": (lambda _: Values(), _unique),
    "expect_compound_columns_to_be_unique": (lambda _: Values(), _unique),
    "expect_column_values_to_be_increasing": (_steps((operator.ge, operator.gt)), _in_order),
    "expect_column_values_to_be_decreasing": (_steps((operator.le, operator.lt)), _in_order),
    "expect_column_mean_to_be_between": (lambda _: Numbers(), lambda rule, tally: _within(rule, tally.mean)),
    "expect_column_min_to_be_between": (lambda _: Numbers(), lambda rule, tally: _within(rule, tally.low)),
    "expect_column_max_to_be_between": (lambda _: Numbers(), lambda rule, tally: _within(rule, tally.high)),
    "expect_column_sum_to_be_between": (lambda _: Numbers(), lambda rule, tally: _within(rule, tally.sum)),
    "expect_column_stdev_to_be_between": (lambda _: Numbers(), lambda rule, tally: _within(rule, tally.deviation)),
    "expect_column_median_to_be_between": (lambda _: Ranks(), lambda rule, tally: _within(rule, tally.median())),
    "expect_column_quantile_values_to_be_between": (lambda _: Ranks(), _quantiles),
    "expect_column_unique_value_count_to_be_between": (
        lambda _: Values(),
        lambda rule, tally: _within(rule, len(tally.counts())),
    ),
    "expect_column_proportion_of_unique_values_to_be_between": (lambda _: Values(), _share_unique),
    "expect_column_proportion_of_non_null_values_to_be_between": (lambda _: Rows(), _share_present),
    "expect_column_distinct_values_to_be_in_set": (lambda _: Values(), _distinct(set.issubset)),
    "expect_column_distinct_values_to_contain_set": (lambda _: Values(), _distinct(set.issuperset)),
    "expect_column_distinct_values_to_equal_set": (lambda _: Values(), _distinct(set.__eq__)),
    "expect_column_most_common_value_to_be_in_set": (lambda _: Values(), _most_common),
    "expect_table_row_count_to_be_between": (lambda _: Rows(), lambda rule, tally: _within(rule, tally.rows)),
    "expect_table_row_count_to_equal": (
        lambda _: Rows(),
        lambda rule, tally: (tally.rows == rule.kwargs["value"], tally.rows),
    ),
}
#: Rules about time, which rows alone do not decide.
TIMED = ("freshness", "volume")

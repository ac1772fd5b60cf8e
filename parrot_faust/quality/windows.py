"""What a window's rules say of what many rows have come to (`tallies.py`).

A window over a table is one verdict: each run of rows of a partition is tallied by itself, and the tallies are merged.
Verdicts are Great Expectations' where it has the expectation. What a sketch has counted fails only where that is sure.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, NamedTuple

from models import Kind
from parrot_faust.quality.column_checks import bound_of
from parrot_faust.quality.rules import EXACT, Rule
from parrot_faust.quality.tallies import (
    Numbers,
    Ranks,
    Rows,
    Steps,
    Tally,
    Undecided,
    Values,
    is_hashed,
    key_of,
)
from parrot_faust.quality.values import is_null

__all__ = ["TIMED", "Undecided", "WindowVerdict", "judge_window", "share_holds", "tally_for"]
_SHOWN = 20  # of the most common values, when many are


class WindowVerdict(NamedTuple):
    """Whether a rule holds over a window, and what was observed."""

    success: bool
    observed: Any
    reason: str = ""


def tally_for(rule: Rule, *, limit: int = EXACT, secret: bytes = b"", partition: int = 0) -> Tally:
    """An empty tally for a rule, over rows of one source partition. Under a `secret` it keeps no value of a row that
    the rule does not name.
    """
    kind = _FAMILIES[rule.type][0]
    if kind is Steps:
        signs = _SIGNS[rule.type]
        return Steps(signs[bool(rule.kwargs.get("strictly"))], partition)
    if kind is Values:
        return Values(limit, {key_of(value): value for value in rule.kwargs.get("value_set", ())}, secret)
    tally: Tally = Ranks(limit) if kind is Ranks else kind()
    return tally


def judge_window(rule: Rule, tally: Any, kind: Kind | None = None) -> WindowVerdict:
    """The verdict over what a tally has taken, of a column of that kind. What can't be judged has failed."""
    try:
        return WindowVerdict(*_FAMILIES[rule.type][1](rule, tally, kind))
    except (TypeError, ValueError, ArithmeticError) as error:
        return WindowVerdict(False, None, f"{type(error).__name__}: {error}")


def share_holds(considered: int, unexpected: int, mostly: float) -> bool:
    """Whether so many of the rows that count have passed. Of no row, all have."""
    return not considered or (float(considered) - float(unexpected)) / float(considered) >= mostly


def _within(rule: Rule, observed: Any, kind: Kind | None = None) -> tuple[bool, Any]:
    """Whether a number, date or moment is within the bounds; what is null is not."""
    if is_null(observed):
        return False, None
    low, high = (bound_of(rule.kwargs.get(name), kind, False) for name in ("min_value", "max_value"))
    value = observed
    if isinstance(value, str) and (moment := next((one for one in (low, high) if isinstance(one, date)), None)):
        value = datetime.fromisoformat(value) if isinstance(moment, datetime) else date.fromisoformat(value)
    if low is not None and not (value > low if rule.kwargs.get("strict_min") else value >= low):
        return False, observed
    if high is not None and not (value < high if rule.kwargs.get("strict_max") else value <= high):
        return False, observed
    return True, observed


def _unique(rule: Rule, tally: Values, _: Any) -> tuple[bool, Any]:
    if tally.sketch is not None:
        sure = max(0, tally.count - tally.distinct_at_most)
        about = max(0, tally.count - tally.distinct)
        observed = {"repeated": about, "of": tally.count, "estimated": True}
        return share_holds(tally.count, sure, rule.mostly), observed
    repeated = sum(times for times in tally.counts().values() if times > 1)
    return share_holds(tally.count, repeated, rule.mostly), {"repeated": repeated, "of": tally.count}


def _in_order(rule: Rule, tally: Steps, _: Any) -> tuple[bool, Any]:
    return share_holds(tally.count, tally.wrong, rule.mostly), {"out_of_order": tally.wrong, "of": tally.count}


def _quantiles(rule: Rule, tally: Ranks, _: Any) -> tuple[bool, Any]:
    ranges = rule.kwargs["quantile_ranges"]
    observed = [tally.nearest(share) for share in ranges["quantiles"]]
    for value, (low, high) in zip(observed, ranges["value_ranges"], strict=True):
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        close = value is not None and any(math.isclose(value, bound, rel_tol=1e-4) for bound in (low, high))
        if value is None or not (close or low <= value <= high):
            return False, observed
    return True, observed


def _subset(_: Rule, tally: Values, __: Any) -> tuple[bool, Any]:
    tally.refuse_collections(tally.others)
    return not tally.others and tally.sketch is None, tally.distinct


def _contains(_: Rule, tally: Values, __: Any) -> tuple[bool, Any]:
    tally.refuse_collections(tally.others)
    return len(tally.kept) == len(tally.wanted), tally.distinct


def _equals(rule: Rule, tally: Values, kind: Any) -> tuple[bool, Any]:
    return _subset(rule, tally, kind)[0] and _contains(rule, tally, kind)[0], tally.distinct


def _most_common(rule: Rule, tally: Values, _: Any) -> tuple[bool, Any]:
    counts = tally.counts()
    most = max(counts.values(), default=0)
    modes = [key for key, times in counts.items() if times == most]
    tally.refuse_collections(modes)
    common = [key for key in modes if key in tally.wanted]
    holds = bool(common) if rule.kwargs.get("ties_okay") else len(modes) == len(common) == 1
    shown = sorted(
        (tally.wanted.get(key, "(a long or masked value)" if is_hashed(key) else key) for key in modes), key=str
    )
    return holds, shown[:_SHOWN]


def _count_unique(rule: Rule, tally: Values, _: Any) -> tuple[bool, Any]:
    tally.refuse_collections(tally.others)
    return _within(rule, tally.distinct)


def _share_unique(rule: Rule, tally: Values, _: Any) -> tuple[bool, Any]:
    tally.refuse_collections(tally.others)
    return _within(rule, min(1.0, tally.distinct / tally.count) if tally.count else 0)


def _share_present(rule: Rule, tally: Rows, _: Any) -> tuple[bool, Any]:
    return _within(rule, (tally.rows - tally.nulls) / tally.rows if tally.rows else 0)


def _row_count(rule: Rule, tally: Rows, _: Any) -> tuple[bool, Any]:
    return tally.rows == rule.kwargs["value"], tally.rows


_SIGNS = {
    "expect_column_values_to_be_increasing": (operator.ge, operator.gt),
    "expect_column_values_to_be_decreasing": (operator.le, operator.lt),
}
_Judge = Callable[[Rule, Any, Kind | None], tuple[bool, Any]]
_FAMILIES: dict[str, tuple[type[Any], _Judge]] = {
    "expect_column_values_to_be_unique": (Values, _unique),
    "expect_compound_columns_to_be_unique": (Values, _unique),
    "expect_column_values_to_be_increasing": (Steps, _in_order),
    "expect_column_values_to_be_decreasing": (Steps, _in_order),
    "expect_column_mean_to_be_between": (Numbers, lambda rule, tally, kind: _within(rule, tally.mean, kind)),
    "expect_column_min_to_be_between": (Numbers, lambda rule, tally, kind: _within(rule, tally.low, kind)),
    "expect_column_max_to_be_between": (Numbers, lambda rule, tally, kind: _within(rule, tally.high, kind)),
    "expect_column_sum_to_be_between": (Numbers, lambda rule, tally, kind: _within(rule, tally.sum, kind)),
    "expect_column_stdev_to_be_between": (Numbers, lambda rule, tally, _: _within(rule, tally.deviation)),
    "expect_column_median_to_be_between": (Ranks, lambda rule, tally, kind: _within(rule, tally.median(), kind)),
    "expect_column_quantile_values_to_be_between": (Ranks, _quantiles),
    "expect_column_unique_value_count_to_be_between": (Values, _count_unique),
    "expect_column_proportion_of_unique_values_to_be_between": (Values, _share_unique),
    "expect_column_proportion_of_non_null_values_to_be_between": (Rows, _share_present),
    "expect_column_distinct_values_to_be_in_set": (Values, _subset),
    "expect_column_distinct_values_to_contain_set": (Values, _contains),
    "expect_column_distinct_values_to_equal_set": (Values, _equals),
    "expect_column_most_common_value_to_be_in_set": (Values, _most_common),
    "expect_table_row_count_to_be_between": (Rows, lambda rule, tally, _: _within(rule, tally.rows)),
    "expect_table_row_count_to_equal": (Rows, _row_count),
    "freshness": (Rows, lambda _, tally, __: (True, tally.rows)),
    "volume": (Rows, lambda _, tally, __: (True, tally.rows)),
}
#: Rules about time, which rows alone do not decide: `window_state.py` does.
TIMED = ("freshness", "volume")
#: Rules that would have to send single values of their column on; a masked column has none of them.
TELLING = (Ranks, Steps)


def tells_values(rule: Rule) -> bool:
    """Whether what a rule tallies holds values of single rows as they are."""
    return _FAMILIES[rule.type][0] in TELLING

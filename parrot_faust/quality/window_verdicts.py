"""What the rules of a window say when it closes, of what its rows have come to and of the windows before it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import msgspec

from models import Kind, WindowPart
from parrot_faust.quality.arguments import duration_ms
from parrot_faust.quality.rules import Rule
from parrot_faust.quality.tallies import Tally
from parrot_faust.quality.windows import WindowVerdict, judge_window, tally_for

USUAL = 10  # windows that a table's usual volume is told from, unless the rule says another number
LEAST_USUAL = 3  # fewer say nothing of what is usual


class OpenWindow(msgspec.Struct, array_like=True):
    """What is merged of a window: by rule its packed tally, or why there is none."""

    rows: int
    newest_ms: int
    tallies: list[Any]
    broken: list[str]


class History(NamedTuple):
    """What rules about time look at: the newest row up to the window's end (-1: none), since when the table is looked
    at, that end, and by rule how many rows the windows before had.
    """

    newest_ms: int
    began_ms: int
    end_ms: int
    usual: dict[str, list[int]]


def merged(known: OpenWindow | None, parts: Sequence[WindowPart], rules: tuple[Rule, ...], exact: int) -> OpenWindow:
    """What a window has come to with parts more, which came later than what is known of their partitions."""
    reasons = list(known.broken) if known else [""] * len(rules)
    for part in parts:
        reasons = [mine or other for mine, other in zip(reasons, part.broken or reasons, strict=True)]
    every = [known.tallies] if known else []
    every += [list(part.tallies) for part in parts]
    tallies: list[Any] = []
    for position, (rule, reason) in enumerate(zip(rules, reasons, strict=True)):
        if reason:
            tallies.append(None)
        elif len(every) == 1:
            tallies.append(every[0][position])
        else:
            one, *others = (_unpacked(rule, each[position], exact) for each in every)
            for other in others:
                one.merge(other)
            tallies.append(one.packed())
    rows, newest = (known.rows, known.newest_ms) if known else (0, -1)
    return OpenWindow(
        rows + sum(part.rows for part in parts), max(newest, *(part.newest_ms for part in parts)), tallies, reasons
    )


def verdict_of(
    rule: Rule, position: int, exact: int, filled: OpenWindow | None, kind: Kind | None, history: History
) -> WindowVerdict | None:
    """What a rule says of a window; None where it says nothing of one without rows."""
    if rule.type == "freshness":
        return _freshness(rule, history)
    if filled is not None and filled.broken[position]:
        return WindowVerdict(False, None, filled.broken[position])
    tally: Any = tally_for(rule, limit=exact)
    if filled is not None:
        tally.unpack(filled.tallies[position])
    if rule.type == "volume":
        return _volume(rule, tally.rows, history.usual)
    if filled is None and not rule.type.startswith("expect_table_row_count"):
        return None
    return judge_window(rule, tally, kind)


def _freshness(rule: Rule, history: History) -> WindowVerdict:
    newest = history.newest_ms
    age = max(0, history.end_ms - (history.began_ms if newest < 0 else newest))
    if age <= duration_ms(rule.kwargs["max_age"]):
        return WindowVerdict(True, {"age_ms": age})
    what = "no change came at all" if newest < 0 else f"the newest change was {age / 1e3:g} s old"
    return WindowVerdict(False, {"age_ms": age}, what)


def _volume(rule: Rule, rows: int, usual: dict[str, list[int]]) -> WindowVerdict:
    """Compare with the middle of the windows before, and remember this one."""
    known = usual.setdefault(rule.id, [])
    before, wanted = list(known), rule.kwargs.get("windows") or USUAL
    known.append(rows)
    del known[:-wanted]
    if len(before) < min(LEAST_USUAL, wanted):
        return WindowVerdict(True, {"rows": rows, "usual": None}, "too few windows came before to tell what is usual")
    middle = median(before)
    low, high = rule.kwargs.get("min_share"), rule.kwargs.get("max_share")
    holds = (low is None or rows >= low * middle) and (high is None or rows <= high * middle)
    reason = "" if holds else f"{rows} rows, where {middle:g} are usual"
    return WindowVerdict(holds, {"rows": rows, "usual": middle}, reason)


def _unpacked(rule: Rule, data: Any, exact: int) -> Tally:
    tally = tally_for(rule, limit=exact)
    tally.unpack(data)
    return tally

"""A rule set's verdict over changes, as one window: what `mostly` is judged by, and what tests of rules ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from models import Action, Change, Column
from parrot_faust.quality.compiling import Compiled
from parrot_faust.quality.conditions import Row, columns_of, compile_condition
from parrot_faust.quality.folding import column_of
from parrot_faust.quality.rules import Rule, RuleSet
from parrot_faust.quality.shapes import judge_shape
from parrot_faust.quality.windows import TIMED, judge_window, share_holds, tally_for


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """Whether a rule holds over the window. For a rule about rows: how many count, and which did not pass."""

    rule: str
    success: bool
    considered: int = 0
    unexpected: tuple[int, ...] = ()
    observed: Any = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SuiteVerdict:
    """`success` when every rule holds. By change: the rules it `failed`, and the action, None for one that passed."""

    success: bool
    rules: tuple[RuleVerdict, ...]
    failed: tuple[tuple[str, ...], ...]
    actions: tuple[Action | None, ...]

    @property
    def unexpected(self) -> tuple[int, ...]:
        """The positions of changes that failed any rule about rows."""
        return tuple(position for position, rules in enumerate(self.failed) if rules)


def judge_suite(
    rules: RuleSet, changes: Sequence[Change], columns: Mapping[str, Column | None], present: Sequence[str]
) -> SuiteVerdict:
    """Judge changes whose rows have `columns` in this order; `present` are those that the table has.

    A column without a kind may hold any value. Rules about time are not judged: rows alone do not decide them.
    """
    compiled = Compiled.untyped(rules, columns)
    verdicts = [RuleVerdict(rule.id, False, reason=reason) for rule, reason in compiled.suspended]
    verdicts += [_over_rows(compiled, number, changes) for number in range(len(compiled.rules))]
    for window in rules.windows:
        verdicts += [_over_window(rules, rule, changes, columns) for rule in window.rules if rule.type not in TIMED]
    shape = {name: columns[name] for name in present}
    verdicts += [RuleVerdict(rule.id, *judge_shape(rule, shape)[:1]) for rule in rules.shape]
    failed: list[tuple[str, ...]] = [()] * len(changes)
    actions: list[Action | None] = [None] * len(changes)
    for position, mask in compiled.scan(changes):
        action, failures = compiled.settle(structs.replace(changes[position]), mask)
        actions[position] = action
        failed[position] = tuple(failure.rule for failure in failures)
    return SuiteVerdict(all(one.success for one in verdicts), tuple(verdicts), tuple(failed), tuple(actions))


def _over_rows(compiled: Compiled, number: int, changes: Sequence[Change]) -> RuleVerdict:
    rule = compiled.rules[number]
    considered, unexpected, reason = 0, [], ""
    for position, change in enumerate(changes):
        considered += compiled.considers(number, change)
        passed, raised = compiled.verdict(number, change)
        if not passed:
            unexpected.append(position)
            reason = reason or raised
    success = not reason and share_holds(considered, len(unexpected), rule.mostly)
    return RuleVerdict(rule.id, success, considered, tuple(unexpected), reason=reason)


def _over_window(
    rules: RuleSet, rule: Rule, changes: Sequence[Change], columns: Mapping[str, Column | None]
) -> RuleVerdict:
    places = {name: (index, column.kind if column else None) for index, (name, column) in enumerate(columns.items())}
    try:
        if missing := {*rule.columns, *(columns_of(rule.row_condition) if rule.row_condition else ())} - places.keys():
            raise ValueError(f"the table has no column {', '.join(sorted(missing))}")
        condition = compile_condition(rule.row_condition, places) if rule.row_condition else None
        tally, positions = tally_for(rule), [places[name][0] for name in rule.columns]
        rows: list[Row] = []
        for change in changes:
            row = change.before if rules.when.image == "before" else change.after
            if row is None or change.op not in rules.when.ops or (condition is not None and not condition(row)):
                continue
            rows.append(row)
        considered, present = column_of(rule, positions, rows)
        tally.extend(considered, present)
    except (TypeError, ValueError, ArithmeticError) as error:
        return RuleVerdict(rule.id, False, reason=f"{type(error).__name__}: {error}")
    verdict = judge_window(rule, tally)
    return RuleVerdict(rule.id, verdict.success, considered, observed=verdict.observed, reason=verdict.reason)

"""A rule set tried on changes that have been, beside the one in force: what would fail, and what it costs. Pure.

Memory is bounded by the rules and the shapes of the table, not by the changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from models import Action, Change, Op, RuleFailure, TableSchema
from models.schema import key_text
from parrot_faust.quality.compiling import Compiled, Scan, compile_rules
from parrot_faust.quality.rules import Rule, RuleSet, When
from parrot_faust.quality.shapes import judge_shape
from parrot_faust.quality.trial_windows import WindowTrial

SAMPLES = 3
TRIES = 200  # failures of a rule that are looked at for samples with other values
TIMED = 20_000  # changes that each rule's time is measured on
SLICE = 500  # of these, so many of each run, from all over it: partitions, shapes and operations have a part
LONGEST = 80  # characters of a value that is shown
HELD = (Action.DROP, Action.QUARANTINE, Action.FAIL)
_REPAIRS = (Action.DEFAULT, Action.NULL)


class Shown(NamedTuple):
    """How a shape's changes and failures may be shown: masked, as they leave a worker."""

    change: Callable[[Change], Change]
    failures: Callable[[Sequence[RuleFailure]], tuple[RuleFailure, ...]]


class Sample(msgspec.Struct, frozen=True):
    """A change that failed: where its record is, its key, and the value seen, both masked."""

    address: str
    key: str
    value: str
    reason: str


class RuleTrial(msgspec.Struct):
    """What became of a rule. `failed` of `of` are changes that it looks at; windows, or the table's shape, for others.

    `now` is how many fail the rule of that id in force, None where there is none. `us` is its time for one change.
    """

    rule: str
    judges: str
    action: str
    failed: int = 0
    of: int = 0
    now: int | None = None
    us: float | None = None
    samples: list[Sample] = []
    #: Why it judges nothing: it does not fit the table.
    suspended: str = ""

    @property
    def share(self) -> float:
        """How large a part fails."""
        return self.failed / self.of if self.of else 0.0


class Outcome(msgspec.Struct):
    """What would become of the changes: rows held back by the tried set and by the one in force, and who differs."""

    held: int = 0
    held_now: int = 0
    newly_held: int = 0
    let_through: int = 0
    actions: dict[str, int] = {}


class Trial:
    """Runs both sets over changes. `shown` makes samples fit to be seen; `clock` counts seconds."""

    def __init__(
        self,
        rules: RuleSet,
        active: RuleSet | None,
        shown: Callable[[TableSchema], Shown],
        clock: Callable[[], float],
        masked: frozenset[str] = frozenset(),
        secret: bytes = b"",
    ) -> None:
        self.rules, self.active = rules, active
        self.changes = 0
        self.outcome = Outcome()
        self._shown, self._clock = shown, clock
        self._sides = [_Side(rules, masked, secret), *([_Side(active, masked, secret)] if active else [])]
        self._samples: dict[str, list[Sample]] = {rule.id: [] for rule in rules.rules}
        self._tries: Counter[str] = Counter()
        self._costs = _Costs(rules)

    def take(
        self, schema: TableSchema, changes: Sequence[Change], times: Sequence[int], place: tuple[str, int]
    ) -> None:
        """Judge a run of changes of one topic's partition. `times` are in milliseconds, by change."""
        self.changes += len(changes)
        new = self._sides[0].take(schema, changes, times, place[1])
        now = self._sides[1].take(schema, changes, times, place[1]) if self.active else {}
        self._sample(schema, changes, new, place)
        held = {position for position, one in new.items() if one.action in HELD}
        held_now = {position for position, one in now.items() if one.action in HELD}
        outcome = self.outcome
        outcome.held += len(held)
        outcome.held_now += len(held_now)
        outcome.newly_held += len(held - held_now)
        outcome.let_through += len(held_now - held)
        for one in new.values():
            outcome.actions[one.action.value] = outcome.actions.get(one.action.value, 0) + 1
        self._costs.measure(self._sides[0].compiled(schema), schema, changes, self._clock)

    def results(self, now_ms: int, cut_ms: int) -> list[RuleTrial]:
        """By rule, in the set's order, then those that would be gone. Windows that begin before `cut_ms` were not seen
        from their beginning, and those that are open at `now_ms` not to their end: neither is judged.
        """
        new, *others = self._sides
        found = new.results(now_ms, cut_ms)
        before = {one.rule: one for one in others[0].results(now_ms, cut_ms)} if others else {}
        for one in found:
            if one.rule in before:
                one.now = before.pop(one.rule).failed
            one.us = self._costs.us(one.rule)
            one.samples = self._samples.get(one.rule, [])
        gone = [
            RuleTrial(one.rule, one.judges, "gone", 0, one.of, one.failed, suspended=one.suspended)
            for one in before.values()
        ]
        return found + gone

    def windows_left_out(self) -> int:
        """Windows of the tried set that were forgotten, oldest first, to keep memory bounded."""
        return self._sides[0].windows.left_out

    def _sample(
        self, schema: TableSchema, changes: Sequence[Change], failed: dict[int, _Failed], place: tuple[str, int]
    ) -> None:
        compiled = self._sides[0].compiled(schema)
        wanted = sum(1 << number for number, rule in enumerate(compiled.rules) if self._wanting(rule.id))
        if not wanted:
            return
        shown = self._shown(schema)
        for position, one in failed.items():
            if one.mask & wanted:
                change = changes[position]
                key = key_text(schema.key, shown.change(change).key)
                address = f"{place[0]}/{place[1]}/{change.offset}"
                for failure in shown.failures(compiled.explain(change, one.mask & wanted)):
                    self._keep(failure.rule, Sample(address, key, _cut(repr(failure.value)), _cut(failure.reason)))

    def _wanting(self, rule: str) -> bool:
        kept = self._samples[rule]
        return len(kept) < SAMPLES or (len({one.value for one in kept}) < SAMPLES and self._tries[rule] < TRIES)

    def _keep(self, rule: str, sample: Sample) -> None:
        """Three samples of a rule, with different values where there are such."""
        kept = self._samples[rule]
        self._tries[rule] += 1
        values = [one.value for one in kept]
        if len(kept) < SAMPLES:
            kept.append(sample)
        elif sample.value not in values:
            again = [number for number, value in enumerate(values) if value in values[:number]]
            if again:
                kept[again[-1]] = sample


class _Failed(NamedTuple):
    """Which rules a change failed, and what would happen to it."""

    mask: int
    action: Action


class _Side:
    """One rule set over all changes."""

    def __init__(self, rules: RuleSet, masked: frozenset[str], secret: bytes) -> None:
        self._rules = rules
        self.windows = WindowTrial(rules, masked, secret)
        self._compiled: dict[str, Compiled] = {}
        self._failed: Counter[str] = Counter()
        self._kinds: Counter[tuple[Op, bool, bool]] = Counter()
        self._schema: TableSchema | None = None

    def compiled(self, schema: TableSchema) -> Compiled:
        """The checks for a shape."""
        known = self._compiled.get(schema.fingerprint)
        if known is None:
            known = self._compiled[schema.fingerprint] = compile_rules(self._rules, schema)
        return known

    def take(
        self, schema: TableSchema, changes: Sequence[Change], times: Sequence[int], partition: int
    ) -> dict[int, _Failed]:
        compiled = self.compiled(schema)
        if self._schema is None or len(schema.columns) > len(schema.key):  # a delete may carry its key alone
            self._schema = schema
        self.windows.take(schema, changes, times, partition)
        self._kinds.update((one.op, one.before is not None, one.after is not None) for one in changes)
        found = compiled.scan(changes)
        for mask, times_seen in Counter(mask for _, mask in found).items():
            for number in _bits(mask):
                self._failed[compiled.rules[number].id] += times_seen
        return {position: _Failed(mask, _outcome(compiled, changes[position], mask)) for position, mask in found}

    def results(self, now_ms: int, cut_ms: int) -> list[RuleTrial]:
        schema = self._schema
        unfit = {rule.id: reason for rule, reason in self.compiled(schema).suspended} if schema else {}
        found = []
        for rule in self._rules.rules:
            when = self._rules.when if rule.when is UNSET else rule.when
            of = sum(count for seen, count in self._kinds.items() if _looks(when, *seen))
            suspended = unfit.get(rule.id, "")
            found.append(RuleTrial(rule.id, "rows", rule.action, self._failed[rule.id], of, suspended=suspended))
        for rule, verdict in self.windows.verdicts(now_ms, cut_ms):
            found.append(RuleTrial(rule.id, "windows", rule.action, *verdict[:2], suspended=verdict.suspended))
        columns = {column.name: column for column in schema.columns} if schema else {}
        for rule in self._rules.shape if schema else ():
            fails = not judge_shape(rule, columns).success
            found.append(RuleTrial(rule.id, "shape", rule.action, int(fails), 1))
        return found


class _Costs:
    """The time of each rule by itself, on a part of the changes, less what looking at changes costs at all."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._scans: dict[str, dict[str, Scan]] = {}
        self._spent: dict[str, float] = {}
        self._measured: Counter[str] = Counter()
        self._all = 0

    def measure(
        self, compiled: Compiled, schema: TableSchema, changes: Sequence[Change], clock: Callable[[], float]
    ) -> None:
        if self._all >= TIMED:
            return
        part = changes[:: -(-len(changes) // SLICE) or 1]
        for name, scan in self._of(compiled, schema).items():
            began = clock()
            scan(part)
            self._spent[name] = self._spent.get(name, 0.0) + clock() - began
            self._measured[name] += len(part)
        self._all += len(part)

    def us(self, rule: str) -> float | None:
        """Microseconds for one change."""
        measured = self._measured[rule]
        if not measured:
            return None
        looking = self._spent[""] / self._measured[""]
        return round(max(0.0, self._spent[rule] / measured - looking) * 1e6, 3)

    def _of(self, compiled: Compiled, schema: TableSchema) -> dict[str, Scan]:
        known = self._scans.get(schema.fingerprint)
        if known is None:
            known = self._scans[schema.fingerprint] = {"": self._alone((), schema)}
            known |= {rule.id: self._alone((rule,), schema) for rule in compiled.rules}
        return known

    def _alone(self, rules: tuple[Rule, ...], schema: TableSchema) -> Scan:
        return compile_rules(RuleSet.of(self._rules.table, self._rules.when, rules), schema).scan


def _outcome(compiled: Compiled, change: Change, mask: int) -> Action:
    action = compiled.action(mask)
    if action not in _REPAIRS:
        return action
    came = change.after
    action, _ = compiled.settle(change, mask)  # what is put in is checked again
    change.after = came
    return action


def _looks(when: When, op: Op, before: bool, after: bool) -> bool:
    return op in when.ops and (when.image == "both" or (before if when.image == "before" else after))


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def as_they_are(_: TableSchema) -> Shown:
    """How the changes of a table without masks are shown."""
    return Shown(lambda change: change, tuple)


def view(one: RuleTrial) -> dict[str, Any]:
    """A rule's trial as plain data."""
    made: dict[str, Any] = msgspec.to_builtins(one)
    return {**made, "share": round(one.share, 6), "change": None if one.now is None else one.failed - one.now}

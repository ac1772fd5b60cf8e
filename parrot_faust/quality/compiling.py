"""Making one function of a rule set and a table's shape.

The function's source consists of our own templates with integers in them: positions of columns and numbers of rules.
Whatever a rule file says (names, patterns, sets, bounds) is in objects that the function finds in its namespace, so
that nothing a user wrote is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from models import Action, Change, Op, RuleFailure, TableSchema
from parrot_faust.quality.conditions import columns_of, compile_condition
from parrot_faust.quality.expectations import EXPECTATIONS, Check, short_name
from parrot_faust.quality.rules import Rule, RuleSet

Scan = Callable[[Sequence[Change]], list[tuple[int, int]]]
_STRICTNESS = list(Action)


def is_null(value: Any) -> bool:
    """Null as Great Expectations has it: None, and what is not a number."""
    return value is None or (isinstance(value, float) and value != value) or (
        isinstance(value, Decimal) and value.is_nan()
    )  # fmt: skip


class Compiled:
    """The checks of one rule set for one shape of its table."""

    def __init__(self, rules: RuleSet, schema: TableSchema) -> None:
        positions = {column.name: index for index, column in enumerate(schema.columns)}
        kinds = {column.name: column.kind for column in schema.columns}
        self.version = rules.version
        self.suspended = tuple(rule for rule in rules.rules if not _columns(rule) <= positions.keys())
        self.rules = tuple(rule for rule in rules.rules if rule not in self.suspended)
        self._before = rules.when.image == "before"
        self._ops = frozenset(Op(op) for op in rules.when.ops)
        self._positions = [tuple(positions[name] for name in _subject(rule)) for rule in self.rules]
        self._tests: list[Callable[..., bool]] = []
        lines = []
        for number, rule in enumerate(self.rules):
            expectation = EXPECTATIONS[rule.type]
            check = expectation.make(rule.kwargs, tuple(kinds[name] for name in _subject(rule)))
            condition = compile_condition(rule.row_condition, positions) if rule.row_condition else None
            test = _guarded(check, condition, self._positions[number], nulls=expectation.nulls)
            self._tests.append(test)
            lines += _lines(number, self._positions[number], expectation.nulls, condition is not None)
        self._names = {f"check_{number}": self._plain(rule, kinds) for number, rule in enumerate(self.rules)}
        self._names |= {f"test_{number}": test for number, test in enumerate(self._tests)}
        self.scan: Scan = self._generate(lines)

    @staticmethod
    def _plain(rule: Rule, kinds: dict[str, Any]) -> Check:
        return EXPECTATIONS[rule.type].make(rule.kwargs, tuple(kinds[name] for name in _subject(rule)))

    def _generate(self, lines: list[str]) -> Scan:
        body = "\n".join(f"            {line}" for line in lines)
        source = (
            "def scan(changes):\n"
            "    failed = []\n"
            "    for position, change in enumerate(changes):\n"
            f"        row = change.{'before' if self._before else 'after'}\n"
            "        if row is None or change.op not in ops:\n"
            "            continue\n"
            "        mask = 0\n"
            "        try:\n"
            f"{body or '            pass'}\n"
            "        except Exception:\n"
            "            mask = careful(change)\n"
            "        if mask:\n"
            "            if change.unset:\n"
            "                mask = careful(change)\n"
            "            if mask:\n"
            "                failed.append((position, mask))\n"
            "    return failed\n"
        )
        namespace: dict[str, Any] = {**self._names, "ops": self._ops, "careful": self._careful}
        exec(compile(source, "<rules>", "exec"), namespace)  # noqa: S102 - the source above holds nothing of a user's
        scan: Scan = namespace["scan"]
        return scan

    def _careful(self, change: Change) -> int:
        """The mask of one change, rule by rule: one that raises has failed, one on a value not carried has passed."""
        mask = 0
        for number in range(len(self.rules)):
            if not self._passes(number, change)[0]:
                mask |= 1 << number
        return mask

    def _passes(self, number: int, change: Change) -> tuple[bool, str]:
        row = change.before if self._before else change.after
        if row is None or (not self._before and set(self._positions[number]) & set(change.unset)):
            return True, ""
        try:
            return self._tests[number](row), ""
        except Exception as error:  # noqa: BLE001 - a rule that raises has failed, whatever it raised
            return False, f"{type(error).__name__}: {error}"

    def explain(self, change: Change, mask: int) -> tuple[RuleFailure, ...]:
        """The failures behind a mask, each with the value seen."""
        row = (change.before if self._before else change.after) or ()
        failures = []
        for number, rule in enumerate(self.rules):
            if mask >> number & 1:
                values = [row[position] for position in self._positions[number]]
                raised = self._passes(number, change)[1]
                reason = raised or f"{short_name(rule.type)} does not hold for {_shown(values)}"
                value = values[0] if len(values) == 1 else tuple(values)
                failures.append(
                    RuleFailure(
                        rule.id, self.version, rule.action, rule.severity, ",".join(_subject(rule)), value, reason
                    )
                )
        return tuple(failures)

    def action(self, mask: int) -> Action:
        """The strictest action of the failed rules."""
        failed = [rule.action for number, rule in enumerate(self.rules) if mask >> number & 1]
        return max(failed, key=_STRICTNESS.index)


def compile_rules(rules: RuleSet, schema: TableSchema) -> Compiled:
    """Compile a rule set for a table's shape."""
    return Compiled(rules, schema)


def _subject(rule: Rule) -> tuple[str, ...]:
    return (rule.column,) if rule.column else tuple(str(rule.kwargs[name]) for name in ("column_A", "column_B"))


def _columns(rule: Rule) -> set[str]:
    return {*_subject(rule), *(columns_of(rule.row_condition) if rule.row_condition else ())}


def _guarded(
    check: Check, condition: Callable[[tuple[Any, ...]], bool] | None, positions: tuple[int, ...], *, nulls: bool
) -> Callable[[tuple[Any, ...]], bool]:
    """Condition first, then nulls, then the check."""

    def test(row: tuple[Any, ...]) -> bool:
        if condition is not None and not condition(row):
            return True
        values = [row[position] for position in positions]
        if nulls:
            return check(None if is_null(values[0]) else values[0])
        if len(values) == 1:
            return is_null(values[0]) or check(values[0])
        missing = [is_null(value) for value in values]
        return all(missing) or check(*values)

    return test


def _lines(number: int, positions: tuple[int, ...], nulls: bool, conditional: bool) -> list[str]:
    """The quick way for what is usual; what is unusual is a call of the rule's own test."""
    failed = f"    mask |= {1 << number}"
    if conditional or len(positions) > 1 or nulls:
        return [f"if not test_{number}(row):", failed]
    # A value that is not a number is unequal to itself: no need to ask for its type.
    value = f"row[{positions[0]}]"
    return [f"v = {value}", f"if v is not None and v == v and not check_{number}(v):", failed]


def _shown(values: list[Any]) -> str:
    text = ", ".join(repr(value) for value in values)
    return text if len(text) <= 120 else text[:117] + "..."

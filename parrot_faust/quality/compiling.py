"""Making one function of a rule set and a table's shape.

The function's source consists of our own templates with integers in them: positions of columns and numbers of rules.
Whatever a rule file says (names, patterns, sets, bounds) is in objects that the function finds in its namespace, so
that nothing a user wrote is ever run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from models import Action, Change, Kind, Op, RuleFailure, TableSchema
from parrot_faust.quality.conditions import columns_of, compile_condition
from parrot_faust.quality.expectations import EXPECTATIONS, Check, short_name
from parrot_faust.quality.rules import Rule, RuleSet
from parrot_faust.quality.values import is_null

Row = tuple[Any, ...]
Scan = Callable[[Sequence[Change]], list[tuple[int, int]]]
_STRICTNESS = list(Action)


class Suspended(NamedTuple):
    """A rule that can't be applied to the table's present shape, and why."""

    rule: Rule
    reason: str


class _Part(NamedTuple):
    """A rule made ready: `check` takes values that are not null, `test` a row. `reads` are all positions it needs."""

    check: Check
    test: Callable[[Row], bool]
    positions: tuple[int, ...]
    reads: frozenset[int]
    direct: bool


class Compiled:
    """The checks of one rule set for one shape of its table. Rules that do not fit it are `suspended`."""

    def __init__(self, rules: RuleSet, schema: TableSchema) -> None:
        columns = {column.name: (index, column.kind) for index, column in enumerate(schema.columns)}
        self.version = rules.version
        self._before = rules.when.image == "before"
        self._ops = frozenset(Op(op) for op in rules.when.ops)
        kept: list[Rule] = []
        suspended: list[Suspended] = []
        self._parts: list[_Part] = []
        for rule in rules.rules:
            try:
                self._parts.append(_part(rule, columns))
                kept.append(rule)
            except _UNFIT as error:
                suspended.append(Suspended(rule, str(error)))
        self.rules, self.suspended = tuple(kept), tuple(suspended)
        self.scan: Scan = self._generate(
            [line for number, part in enumerate(self._parts) for line in _lines(number, part)]
        )

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
        namespace: dict[str, Any] = {"ops": self._ops, "careful": self._careful}
        for number, part in enumerate(self._parts):
            namespace |= {f"check_{number}": part.check, f"test_{number}": part.test}
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
        if row is None or (not self._before and self._parts[number].reads & set(change.unset)):
            return True, ""
        try:
            return self._parts[number].test(row), ""
        except Exception as error:  # noqa: BLE001 - a rule that raises has failed, whatever it raised
            return False, _cut(f"{type(error).__name__}: {error}")

    def explain(self, change: Change, mask: int) -> tuple[RuleFailure, ...]:
        """The failures behind a mask, each with the value seen."""
        row = (change.before if self._before else change.after) or ()
        failures = []
        for number, rule in enumerate(self.rules):
            if mask >> number & 1:
                values = [row[position] for position in self._parts[number].positions]
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


#: What making a check may raise: it does not fit the columns, or came from elsewhere than a checked file.
_UNFIT = (ValueError, TypeError, LookupError, ArithmeticError)


def _part(rule: Rule, columns: Mapping[str, tuple[int, Kind]]) -> _Part:
    """Make a rule ready. Raise one of `_UNFIT`, which says why it can't be."""
    expectation = EXPECTATIONS.get(rule.type)
    if expectation is None:
        raise ValueError(f"{rule.type} is not known")
    used = columns_of(rule.row_condition) if rule.row_condition else set()
    if missing := sorted({*_subject(rule), *used} - columns.keys()):
        raise ValueError(f"the table has no column {', '.join(missing)}")
    found = [columns[name] for name in _subject(rule)]
    check = expectation.make(rule.kwargs, tuple(kind for _, kind in found))
    condition = compile_condition(rule.row_condition, columns) if rule.row_condition else None
    positions = tuple(position for position, _ in found)
    test = _guarded(check, condition, positions, nulls=expectation.nulls)
    reads = frozenset({*positions, *(columns[name][0] for name in used)})
    return _Part(check, test, positions, reads, not (condition or expectation.nulls or len(positions) > 1))


def _subject(rule: Rule) -> tuple[str, ...]:
    return (rule.column,) if rule.column else tuple(str(rule.kwargs[name]) for name in ("column_A", "column_B"))


def _guarded(
    check: Check, condition: Callable[[Row], bool] | None, positions: tuple[int, ...], *, nulls: bool
) -> Callable[[Row], bool]:
    """Condition first, then nulls, then the check."""

    def test(row: Row) -> bool:
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


def _lines(number: int, part: _Part) -> list[str]:
    """The quick way for what is usual; what is unusual is a call of the rule's own test."""
    failed = f"    mask |= {1 << number}"
    if not part.direct:
        return [f"if not test_{number}(row):", failed]
    # A value that is not a number is unequal to itself: no need to ask for its type.
    value = f"row[{part.positions[0]}]"
    return [f"v = {value}", f"if v is not None and v == v and not check_{number}(v):", failed]


def _shown(values: list[Any]) -> str:
    return _cut(", ".join(repr(value) for value in values))


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."

"""Making one function of a rule set and a table's shape.

The function's source consists of our own templates with integers in them: positions of columns and numbers of rules.
Whatever a rule file says (names, patterns, sets, bounds) is in objects that the function finds in its namespace, so
that nothing a user wrote is ever run.

A row that a rule sees is the row after, the row before, or, for rules about what a change does, both side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import UNSET

from models import Action, Change, Column, Op, RuleFailure, TableSchema
from parrot_faust.quality.column_checks import Check
from parrot_faust.quality.conditions import IMAGES, Places, Row, Test, columns_of, compile_condition
from parrot_faust.quality.expectations import EXPECTATIONS, Expectation, Scope, short_name
from parrot_faust.quality.regexes import TimeLimit
from parrot_faust.quality.repairs import replacement
from parrot_faust.quality.rules import Rule, RuleSet, When
from parrot_faust.quality.values import is_null

Scan = Callable[[Sequence[Change]], list[tuple[int, int]]]
_STRICTNESS = {action: number for number, action in enumerate(Action)}
_REPAIRS = (Action.DEFAULT, Action.NULL)
NO_BEFORE = (
    "the event does not carry the row before, so what changed can't be judged: "
    "with `alter table ... replica identity full` the source sends it"
)


class Suspended(NamedTuple):
    """A rule that can't be applied to the table's present shape, or not as it is written, and why."""

    rule: Rule
    reason: str


class _Part(NamedTuple):
    """A rule made ready: `check` takes values, `test` a row, `considers` says whether the row counts for it.

    `reads` are the positions in the row after that it needs. `direct` rules are one check of one value, `present` ones
    ask that it is not null.
    """

    check: Check
    test: Test
    considers: Test
    positions: tuple[int, ...]
    reads: frozenset[int]
    direct: bool
    present: bool
    when: When


class Compiled:
    """The checks of one rule set for one shape of its table. Rules that do not fit it are `suspended`.

    `concerns` are rules in force that can't do what they say: their rows are quarantined.
    """

    def __init__(self, rules: RuleSet, schema: TableSchema) -> None:
        self._set_up(rules, [(column.name, column) for column in schema.columns], schema.key)

    @classmethod
    def untyped(cls, rules: RuleSet, columns: Mapping[str, Column | None]) -> Compiled:
        """Checks for rows whose columns may hold any value, but for those that a column is given for."""
        compiled = cls.__new__(cls)
        compiled._set_up(rules, list(columns.items()), ())
        return compiled

    def _set_up(self, rules: RuleSet, columns: list[tuple[str, Column | None]], key: tuple[str, ...]) -> None:
        self.version, self._width = rules.version, len(columns)
        self._names = [name for name, _ in columns]
        self._nulls = (None,) * self._width
        kept: list[Rule] = []
        suspended: list[Suspended] = []
        concerns: list[Suspended] = []
        self._parts: list[_Part] = []
        self._actions: list[Action] = []
        self._values: list[tuple[int, Any]] = []
        known = dict(columns)
        for rule in rules.rules:
            try:
                self._parts.append(_part(rule, rules.when, columns))
            except _UNFIT as error:
                suspended.append(Suspended(rule, _reason(error)))
                continue
            kept.append(rule)
            action, value = rule.action, (0, None)
            if action in _REPAIRS:
                try:
                    value = (self._parts[-1].positions[0], replacement(rule, known[rule.column], key))
                except _UNFIT as error:
                    action = Action.QUARANTINE
                    concerns.append(Suspended(rule, _reason(error)))
            self._actions.append(action)
            self._values.append(value)
        self.rules, self.suspended, self.concerns = tuple(kept), tuple(suspended), tuple(concerns)
        self.scan: Scan = self._generate()

    # -- the quick way -----------------------------------------------------------------------------------------------

    def _generate(self) -> Scan:
        groups: dict[When, list[int]] = {}
        for number, part in enumerate(self._parts):
            groups.setdefault(part.when, []).append(number)
        namespace: dict[str, Any] = {"careful": self._careful, "nulls": self._nulls, "update": Op.UPDATE}
        body: list[str] = []
        for index, (when, numbers) in enumerate(groups.items()):
            namespace[f"ops_{index}"] = frozenset(Op(op) for op in when.ops)
            lines = [line for number in numbers for line in _lines(number, self._parts[number])]
            body += _group(index, when, lines, sum(1 << number for number in numbers))
        for number, part in enumerate(self._parts):
            namespace |= {f"check_{number}": part.check, f"test_{number}": part.test}
        text = "\n".join(f"            {line}" for line in body or ["pass"])
        source = (
            "def scan(changes):\n"
            "    failed = []\n"
            "    for position, change in enumerate(changes):\n"
            "        mask, op = 0, change.op\n"
            "        try:\n"
            f"{text}\n"
            "        except Exception:\n"
            "            mask = careful(change)\n"
            "        if mask:\n"
            "            if change.unset:\n"
            "                mask = careful(change)\n"
            "            if mask:\n"
            "                failed.append((position, mask))\n"
            "    return failed\n"
        )
        exec(compile(source, "<rules>", "exec"), namespace)  # noqa: S102 - the source above holds nothing of a user's
        scan: Scan = namespace["scan"]
        return scan

    def tests(self) -> tuple[Test, ...]:
        """Each rule's own test of a row, in the order of `rules`."""
        return tuple(part.test for part in self._parts)

    # -- rule by rule ------------------------------------------------------------------------------------------------

    def row(self, number: int, change: Change) -> Row | None:
        """The row that a rule sees of a change, None when it does not see it at all."""
        when = self._parts[number].when
        if change.op not in when.ops:
            return None
        if when.image != "both":
            return change.before if when.image == "before" else change.after
        return (change.after or self._nulls) + (change.before or self._nulls)

    def _careful(self, change: Change) -> int:
        """The mask of one change: a rule that raises has failed, one on a value not carried has passed."""
        mask = 0
        for number in range(len(self.rules)):
            if not self.verdict(number, change)[0]:
                mask |= 1 << number
        return mask

    def verdict(self, number: int, change: Change) -> tuple[bool, str]:
        """Whether a change passes a rule, and what the rule said if it could not judge."""
        row, part = self.row(number, change), self._parts[number]
        if row is None or (part.reads and part.reads & set(change.unset)):
            return True, ""
        if part.when.image == "both" and change.before is None and change.op is Op.UPDATE:
            return False, NO_BEFORE
        try:
            return part.test(row), ""
        except Exception as error:  # noqa: BLE001 - a rule that raises has failed, whatever it raised
            return False, _reason(error)

    def considers(self, number: int, change: Change) -> bool:
        """Whether a change counts for a rule's `mostly`: its condition is met, and its values are not null."""
        row, part = self.row(number, change), self._parts[number]
        if row is None or part.reads & set(change.unset):
            return False
        try:
            return part.considers(row)
        except Exception:  # noqa: BLE001 - `verdict` says what it raised
            return True

    def explain(self, change: Change, mask: int) -> tuple[RuleFailure, ...]:
        """The failures behind a mask, each with the value seen."""
        failures = []
        for number, rule in enumerate(self.rules):
            if mask >> number & 1:
                row = self.row(number, change) or ()
                values = [row[position] for position in self._parts[number].positions]
                raised = self.verdict(number, change)[1]
                reason = raised or f"{short_name(rule.type)} does not hold for {_shown(values)}"
                value = values[0] if len(values) == 1 else tuple(values)
                column, action = ",".join(self._seen(number)), self._actions[number]
                failures.append(RuleFailure(rule.id, self.version, action, rule.severity, column, value, reason))
        return tuple(failures)

    def _seen(self, number: int) -> tuple[str, ...]:
        """The columns whose values a failure shows: masks go by them, so a condition's are named too."""
        rule = self.rules[number]
        if rule.type != "condition":
            return rule.columns
        return tuple(self._names[position % self._width] for position in self._parts[number].positions)

    def action(self, mask: int) -> Action:
        """The strictest action of the failed rules."""
        failed = [action for number, action in enumerate(self._actions) if mask >> number & 1]
        return max(failed, key=_STRICTNESS.__getitem__)

    def settle(self, change: Change, mask: int) -> tuple[Action, tuple[RuleFailure, ...]]:
        """Return what happens to a change that failed, and its failures with the values seen.

        Where the failed rules put in other values, `change.after` has them from here on. A value put in is checked like
        any other: when the row fails again, it is quarantined as it came, or what is stricter.
        """
        action, failures = self.action(mask), self.explain(change, mask)
        if action not in _REPAIRS or change.after is None:
            return (Action.QUARANTINE if action in _REPAIRS else action), failures
        came, mended = change.after, list(change.after)
        for number, (position, value) in enumerate(self._values):
            if mask >> number & 1 and self._actions[number] in _REPAIRS:
                mended[position] = value
        change.after = tuple(mended)
        again = self._careful(change)
        failures += self.explain(change, again & ~mask)
        stricter = self.action(again) if again else Action.WARN
        if stricter is Action.WARN:
            return action, failures
        change.after = came
        return (Action.QUARANTINE if stricter in _REPAIRS else stricter), failures


def compile_rules(rules: RuleSet, schema: TableSchema) -> Compiled:
    """Compile a rule set for a table's shape."""
    return Compiled(rules, schema)


#: What making a check may raise: it does not fit the columns, or came from elsewhere than a checked file.
_UNFIT = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError)


def _part(rule: Rule, default: When, columns: list[tuple[str, Column | None]]) -> _Part:
    """Make a rule ready. Raise one of `_UNFIT`, which says why it can't be."""
    expectation = EXPECTATIONS.get(rule.type)
    if expectation is None or expectation.scope not in (Scope.ROW, Scope.CHANGE):
        raise ValueError(f"{rule.type} is not known as a rule about rows")
    when = default if rule.when is UNSET else rule.when
    places = _places(columns, when.image)
    text = rule.kwargs.get("condition", "") if rule.type == "condition" else ""
    used = {name for condition in (rule.row_condition, text) if condition for name in columns_of(condition)}
    if missing := sorted({*rule.columns, *used} - {name for name, _ in columns}):
        raise ValueError(f"the table has no column {', '.join(missing)}")
    condition = compile_condition(rule.row_condition, places) if rule.row_condition else None
    width, both = len(columns), when.image == "both"
    if rule.type == "condition":
        met = compile_condition(text, places)
        positions = tuple(sorted(places[name][0] for name in columns_of(text)))
        test, considers = _conditional(met, condition), condition or _always
        check: Check = met
    else:
        found = [places[name] for name in rule.columns]
        check = expectation.make(rule.kwargs, tuple(kind for _, kind in found))
        positions = tuple(position for position, _ in found)
        if expectation.scope is Scope.CHANGE:
            positions = (positions[0] + width, positions[0])
        test, considers = _guarded(rule, expectation, check, condition, positions)
    after = {*positions, *(places[name][0] for name in used)}
    reads = frozenset(position for position in after if position < width) if when.image != "before" else frozenset()
    direct = not (condition or expectation.nulls or len(positions) != 1 or both or rule.type == "condition")
    plain = condition is None and not both
    present = plain and rule.type == "expect_column_values_to_not_be_null"
    return _Part(check, test, considers, positions, reads, direct, present, when)


def _places(columns: list[tuple[str, Column | None]], image: str) -> Places:
    """Where the columns are in the rows that a rule sees; in both rows side by side the one before comes second."""
    width = len(columns)
    places = {name: (index, column.kind if column else None) for index, (name, column) in enumerate(columns)}
    if image == "both":
        for name, (index, kind) in list(places.items()):
            places |= {f"{IMAGES[1]}.{name}": (index, kind), f"{IMAGES[0]}.{name}": (index + width, kind)}
    return places


def _always(_: Row) -> bool:
    return True


def _conditional(met: Test, condition: Test | None) -> Test:
    return met if condition is None else lambda row: not condition(row) or met(row)


def _guarded(
    rule: Rule, expectation: Expectation, check: Check, condition: Test | None, positions: tuple[int, ...]
) -> tuple[Test, Test]:
    """Condition first, then nulls, then the check: the test of a row, and whether the row counts at all."""
    ignored = _ignored(rule, expectation)
    if condition is None and len(positions) == 1:  # what is usual, without the general way's cost
        (at,) = positions
        if expectation.nulls:
            return (lambda row: check(None if is_null(row[at]) else row[at])), _always
        return (lambda row: is_null(row[at]) or check(row[at])), (lambda row: not is_null(row[at]))

    def considers(row: Row) -> bool:
        if condition is not None and not condition(row):
            return False
        return ignored is None or not ignored(is_null(row[position]) for position in positions)

    def test(row: Row) -> bool:
        if not considers(row):
            return True
        if expectation.nulls:
            value = row[positions[0]]
            return check(None if is_null(value) else value)
        return check(*(row[position] for position in positions))

    return test, considers


def _ignored(rule: Rule, expectation: Expectation) -> Callable[[Any], bool] | None:
    """Of which nulls a row does not count: any, all, or never."""
    if expectation.nulls or expectation.scope is Scope.CHANGE:
        return None
    if not expectation.ignore:
        return all
    word = rule.kwargs.get("ignore_row_if", expectation.ignore[0])
    return (all, any, None)[expectation.ignore.index(word)]


def _group(index: int, when: When, lines: list[str], bits: int) -> list[str]:
    """The rules that look at the same changes and the same image."""
    if when.image == "both":
        inner = [
            "if change.before is None and op is update:",
            f"    mask |= {bits}",
            "else:",
            "    row = (change.after or nulls) + (change.before or nulls)",
            *(f"    {line}" for line in lines),
        ]
    else:
        inner = [f"row = change.{when.image}", "if row is not None:", *(f"    {line}" for line in lines)]
    return [f"if op in ops_{index}:", *(f"    {line}" for line in inner)]


def _lines(number: int, part: _Part) -> list[str]:
    """The quick way for what is usual; what is unusual is a call of the rule's own test."""
    failed = f"    mask |= {1 << number}"
    if part.present:
        return [f"v = row[{part.positions[0]}]", "if v is None or v != v:", failed]
    if not part.direct:
        return [f"if not test_{number}(row):", failed]
    # A value that is not a number is unequal to itself: no need to ask for its type.
    value = f"row[{part.positions[0]}]"
    return [f"v = {value}", f"if v is not None and v == v and not check_{number}(v):", failed]


def _reason(error: Exception) -> str:
    plain = type(error) in (ValueError, TimeLimit) and str(error)
    return _cut(str(error) if plain else f"{type(error).__name__}: {error}")


def _shown(values: list[Any]) -> str:
    return _cut(", ".join(repr(value) if isinstance(value, str | bytes) else str(value) for value in values))


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."

"""One check of a file, read: its name, its arguments, and what is said beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Any

from msgspec import UNSET

from models import Action, Severity
from parrot_faust.errors import RuleError
from parrot_faust.quality.arguments import is_number
from parrot_faust.quality.complaints import Complaints, cut, near, spot
from parrot_faust.quality.conditions import ConditionError, columns_of, images_of
from parrot_faust.quality.expectations import CHANGES, EXPECTATIONS, Expectation, Scope, full_name, short_name
from parrot_faust.quality.refused import NOT_HERE
from parrot_faust.quality.rules import UPDATES, Rule, When
from parrot_faust.quality.trees import plain

OPS = ("c", "d", "r", "u")
#: What a rule may say beside its expectation, by what it looks at.
OWN = {
    Scope.ROW: {"mostly", "severity", "action", "row_condition", "id", "default", "ops", "image"},
    Scope.CHANGE: {"mostly", "severity", "action", "row_condition", "id"},
    Scope.WINDOW: {"mostly", "severity", "row_condition", "id"},
    Scope.SHAPE: {"severity", "id"},
}
EVERY_OWN = OWN[Scope.ROW]
CHOICES: dict[str, type[StrEnum]] = {"action": Action, "severity": Severity}
#: Where a rule is written that stands at the wrong place.
SECTION = {Scope.WINDOW: "windows:", Scope.SHAPE: "schema:"}
DEFAULTS = {"severity", "action"}


class RuleReader:
    """Makes rules of checks. `when` is what the set's rules look at where they do not say it themselves."""

    def __init__(self, complaints: Complaints, when: When, defaults: dict[str, Any]) -> None:
        self._complaints, self._when, self._defaults = complaints, when, defaults
        self._ids: set[str] = set()

    def check(self, checks: Any, index: int, column: str, scope: Scope) -> Rule:
        """Read an item of a list of checks. Raise RuleError."""
        error = self._complaints.at
        check = checks[index]
        if isinstance(check, str):
            return self.made(check, scope, column, {}, {}, checks, index)
        if not isinstance(check, dict):
            raise error(f"{cut(plain(check))} is no check", checks, index)
        own = {name: plain(check[name]) for name in EVERY_OWN if name in check}
        names = [name for name in check if name not in EVERY_OWN]
        if len(names) > 1 and sum(full_name(str(name)) in EXPECTATIONS for name in names) == 1:
            wrong = next(name for name in names if full_name(str(name)) not in EXPECTATIONS)
            raise self._complaints.unknown(str(wrong), EVERY_OWN, check, wrong)
        if len(names) != 1:
            raise error(f"a check names one expectation, this one {len(names)}: {names}", checks, index)
        value = plain(check[names[0]])
        expectation = EXPECTATIONS.get(full_name(str(names[0])))
        if expectation is not None and expectation.short == "json_schema" and isinstance(value, dict):
            named = "json_schema" in value
            kwargs = value if named else {"json_schema": value}
            own |= {key: kwargs.pop(key) for key in sorted(EVERY_OWN & set(kwargs))} if named else {}
        elif isinstance(value, dict):
            kwargs = value
            own |= {key: kwargs.pop(key) for key in sorted(EVERY_OWN & set(kwargs))}
        elif expectation is not None and expectation.short:
            kwargs = {expectation.short: value}
        elif value is None or value is True or expectation is None:
            kwargs = {}
        else:
            raise error(f"{names[0]} takes named arguments", check, names[0])
        return self.made(str(names[0]), scope, column, kwargs, own, check, names[0])

    def made(
        self,
        name: str,
        scope: Scope | None,
        column: str,
        kwargs: dict[str, Any],
        own: dict[str, Any],
        tree: Any,
        at: Any,
    ) -> Rule:
        """Make a rule of what was read. `scope` is what the place is for, None where a rule of any may stand.

        Raise RuleError.
        """
        full = full_name(name)
        expectation = self._known(name, full, tree, at)
        kwargs = dict(kwargs)
        if column and expectation.single:
            kwargs["column"] = column
        self._placed(full, expectation, scope, column, tree, at)
        self._argued(full, expectation, kwargs, tree, at)
        found = self._own(own, expectation.scope, tree, at)
        column = kwargs.pop("column", "") if expectation.single else ""
        if expectation.scope is Scope.CHANGE:
            found["when"] = UPDATES
        elif expectation.scope is Scope.ROW:
            found["when"] = self._looks_at(full, kwargs, found, tree, at)
        self._repairs(full, expectation, found, tree, at)
        try:
            if expectation.scope in (Scope.ROW, Scope.CHANGE) and full != "condition":
                expectation.make(kwargs, (None,) * len(_columns(column, kwargs)))
            elif full == "condition":
                columns_of(kwargs["condition"])
        except ValueError as error:
            raise self._complaints.at(f"{short_name(full)}: {error}", tree, at) from None
        return self._finished(full, column, kwargs, found)

    def _known(self, name: str, full: str, tree: Any, at: Any) -> Expectation:
        if full in NOT_HERE:
            raise self._complaints.at(f"{name} is not supported: {NOT_HERE[full]}", tree, at)
        expectation = EXPECTATIONS.get(full)
        if expectation is None:
            names = EXPECTATIONS.keys() - CHANGES.keys()
            known = names if name.startswith("expect_") else {*names, *map(short_name, names)}
            raise self._complaints.unknown(name, known, tree, at)
        return expectation

    def _placed(
        self, full: str, expectation: Expectation, scope: Scope | None, column: str, tree: Any, at: Any
    ) -> None:
        """Refuse a rule that stands where its kind does not."""
        at_error, short = self._complaints.at, short_name(full)
        if scope is None:
            return
        if expectation.scope is not scope:
            section = SECTION.get(expectation.scope) or (f"{full}:" if full in CHANGES else "columns: or rows:")
            reason = "is judged over a window of rows, " if expectation.scope is Scope.WINDOW else ""
            raise at_error(f"{short} {reason}{'so ' if reason else ''}put it below `{section}`", tree, at)
        if scope is Scope.ROW and not expectation.single and column:
            raise at_error(f"{short} is about several columns: put it below `rows:`", tree, at)
        if scope is Scope.ROW and expectation.single and not column:
            raise at_error(f"{short} is a check of a column: put it below `columns:`", tree, at)

    def _argued(self, full: str, expectation: Expectation, kwargs: dict[str, Any], tree: Any, at: Any) -> None:
        error, named = self._complaints.at, expectation.named()
        for argument, value in kwargs.items():
            if argument not in named:
                raise self._complaints.unknown(str(argument), named.keys(), *spot(tree, at, argument))
            if not named[argument].holds(value):
                says = named[argument].says
                raise error(f"{argument} must be {says}, not {cut(value)}", *spot(tree, at, argument))
        if missing := [argument for argument in expectation.needed() if argument not in kwargs]:
            raise error(f"{short_name(full)} needs {missing[0]}", tree, at)
        if expectation.some and not set(expectation.some) & set(kwargs):
            raise error(f"{short_name(full)} needs {' or '.join(expectation.some)}", tree, at)

    def _own(self, own: dict[str, Any], scope: Scope, tree: Any, at: Any) -> dict[str, Any]:
        """Return what a rule says beside its expectation, as the types that stand for it."""
        found: dict[str, Any] = {}
        for name, value in own.items():
            error = self._at(tree, at, name)
            if name not in OWN[scope]:
                raise error(f"{name} has no meaning for a rule about {_ABOUT[scope]}")
            if name == "mostly":
                if not is_number(value) or not 0 <= value <= 1:
                    raise error(f"mostly is a share between 0 and 1, not {cut(value)}")
                found[name] = float(value)
            elif name in CHOICES:
                value = "null" if value is None and name == "action" else value  # YAML reads the word as nothing
                if value not in list(CHOICES[name]):
                    raise error(f"{name} can't be {cut(value)}; {near(str(value), map(str, CHOICES[name]))}")
                found[name] = CHOICES[name](value)
            elif name == "default":
                if not isinstance(value, str | bool) and not is_number(value):
                    raise error(f"default must be a text, a number, true or false, not {cut(value)}")
                found[name] = value
            elif name == "ops":
                found[name] = ops_of(value, error)
            elif name == "image":
                if value not in ("before", "after"):
                    raise error(f"image is before or after, not {cut(value)}")
                found[name] = value
            elif not isinstance(value, str) or not value:
                raise error(f"{name} must be a text, not {cut(value)}")
            else:
                found[name] = value
        try:
            columns_of(found["row_condition"]) if "row_condition" in found else None
        except ConditionError as error:
            raise self._at(tree, at, "row_condition")(f"row_condition: {error}") from None
        return found

    def _at(self, tree: Any, at: Any, name: str) -> Callable[[str], RuleError]:
        return lambda message: self._complaints.at(message, *spot(tree, at, name))

    def _looks_at(self, full: str, kwargs: dict[str, Any], found: dict[str, Any], tree: Any, at: Any) -> Any:
        """Which changes and which row a rule looks at, UNSET when it is what the set says."""
        ops, image = found.pop("ops", self._when.ops), found.pop("image", self._when.image)
        conditions = [found.get("row_condition", ""), kwargs.get("condition", "") if full == "condition" else ""]
        try:
            both = {name for text in conditions if text for name in images_of(text)}
        except ConditionError as error:
            raise self._complaints.at(f"{short_name(full)}: {error}", tree, at) from None
        if both and image == "before":
            raise self._complaints.at(
                "its condition names before or after expressly, so `image: before` can't be meant as well", tree, at
            )
        when = When(tuple(ops), "both" if both else image)
        return UNSET if when == self._when else when

    def _repairs(self, full: str, expectation: Expectation, found: dict[str, Any], tree: Any, at: Any) -> None:
        """Refuse actions that put in a value where there is no one place for it."""
        if "default" in found and found.setdefault("action", Action.DEFAULT) is not Action.DEFAULT:
            raise self._at(tree, at, "default")(f"a default is not put in by `action: {found['action']}`")
        if expectation.scope in (Scope.WINDOW, Scope.SHAPE):
            return
        action = found.get("action", self._defaults.get("action"))
        error = self._at(tree, at, "action")
        if action not in (Action.DEFAULT, Action.NULL):
            return
        if not expectation.single or expectation.scope is Scope.CHANGE:
            raise error(f"`action: {action}` needs a check of one column, so that it is clear which value it is about")
        when = found.get("when", UNSET)
        if (self._when if when is UNSET else when).image == "before":
            raise error(f"`action: {action}` can't change the row before")
        if action is Action.DEFAULT and "default" not in found:
            raise error("`action: default` needs `default:`, the value to put in")
        if action is Action.NULL and full == "expect_column_values_to_not_be_null":
            raise error("`action: null` can't mend what must not be null")

    def _finished(self, full: str, column: str, kwargs: dict[str, Any], own: dict[str, Any]) -> Rule:
        if full in CHANGES and "allow" in kwargs:
            kwargs["allow"] = [[before, list(afters)] for before, afters in kwargs["allow"].items()]
        subject = ".".join(_columns(column, kwargs))
        base = identity = own.pop("id", "") or (f"{subject}.{short_name(full)}" if subject else short_name(full))
        number = 1
        while identity in self._ids:
            number += 1
            identity = f"{base}.{number}"
        self._ids.add(identity)
        if EXPECTATIONS[full].scope in (Scope.WINDOW, Scope.SHAPE):
            own.setdefault("action", Action.WARN)  # what looks at many rows holds none of them back
        return Rule(identity, full, column, kwargs, **{**self._defaults, **own})


_ABOUT = {
    Scope.ROW: "rows",
    Scope.CHANGE: "what a change does",
    Scope.WINDOW: "a window of rows",
    Scope.SHAPE: "the table's shape",
}


def _columns(column: str, kwargs: dict[str, Any]) -> tuple[str, ...]:
    return Rule("", "", column, kwargs).columns


def ops_of(value: Any, error: Callable[[str], RuleError]) -> tuple[str, ...]:
    """The operations of a list of Debezium's letters."""
    given: Collection[Any] = value if isinstance(value, list) else ()
    if not given or not all(isinstance(op, str) and op in OPS for op in given):
        raise error(f"`ops` is a list with some of {', '.join(OPS)}, not {cut(value)}")
    return tuple(given)

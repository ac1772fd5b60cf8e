"""A rule set as data, with a version made of its content."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from models import Action, Severity


class When(msgspec.Struct, frozen=True):
    """Which changes are checked: operations by Debezium's letters, and the row before or after.

    The image ``both`` has both rows side by side, for rules about what a change does.
    """

    ops: tuple[str, ...] = ("c", "u", "r")
    image: str = "after"


#: Different values that are counted exactly in a window unless it says another number.
EXACT = 10_000

#: Rules about what a change does look at updates: only those have both rows.
UPDATES = When(("u",), "both")


class Rule(msgspec.Struct, frozen=True):
    """One expectation. `type` is its full name as Great Expectations has it; `kwargs` are its arguments.

    `id` is readable and unique within the set. `mostly` is judged per window; every failing row is acted on at once.
    `when` is the rule's own, and the set's where there is none. `default` is the value that the action of that name
    puts in.
    """

    id: str
    type: str
    column: str
    kwargs: dict[str, Any]
    action: Action = Action.QUARANTINE
    severity: Severity = Severity.CRITICAL
    mostly: float = 1.0
    row_condition: str = ""
    when: When | UnsetType = UNSET
    default: Any | UnsetType = UNSET

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it is about, in the order in which its check takes their values."""
        if self.column:
            return (self.column,)
        several = self.kwargs.get("column_list")
        if several is not None:
            return tuple(several)
        return tuple(str(self.kwargs[name]) for name in ("column_A", "column_B") if name in self.kwargs)


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rules over all rows of a time. Rows count by the source's time; those later than `grace_ms` are left out.

    Up to `exact` different values of a column are counted exactly.
    """

    every_ms: int
    grace_ms: int
    rules: tuple[Rule, ...]
    exact: int = EXACT


class Breaker(msgspec.Struct, frozen=True):
    """When a table is paused: more than `share` of its rows failed within a time, out of at least so many.

    With `resume_ms` it goes on by itself after that time, with 0 only by command.
    """

    share: float
    within_ms: int
    at_least: int
    resume_ms: int = 0


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of one table. `version` is equal exactly when the rules are.

    `rules` are judged change by change, `windows` over all rows of a time, `shape` on the table's columns.
    """

    table: str
    version: str
    when: When
    rules: tuple[Rule, ...]
    windows: tuple[Window, ...] = ()
    shape: tuple[Rule, ...] = ()
    breaker: Breaker | None = None

    @classmethod
    def of(
        cls,
        table: str,
        when: When,
        rules: tuple[Rule, ...],
        windows: tuple[Window, ...] = (),
        shape: tuple[Rule, ...] = (),
        breaker: Breaker | None = None,
    ) -> RuleSet:
        """Return the set with its version: twelve hexadecimal digits of its content's hash."""
        parts: tuple[Any, ...] = (table, when, rules)
        if windows or shape or breaker:  # a set of row rules alone has the version it had before there were others
            parts = (*parts, windows, shape, breaker)
        content = msgspec.json.encode(parts, order="deterministic")
        return cls(table, hashlib.sha256(content).hexdigest()[:12], when, rules, windows, shape, breaker)

    def every_rule(self) -> tuple[Rule, ...]:
        """All rules, also those of windows and of the table's shape."""
        return (*self.rules, *(rule for window in self.windows for rule in window.rules), *self.shape)

    @property
    def windows_version(self) -> str:
        """A version that is equal exactly when the rules of windows are, and what they look at; empty without any."""
        if not self.windows:
            return ""
        content = msgspec.json.encode((self.when, self.windows), order="deterministic")
        return hashlib.sha256(content).hexdigest()[:12]

    def to_json(self) -> str:
        """The set as text, for the rules topic."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> RuleSet:
        """The set of a text made by `to_json`. Raise ValueError when it is none, or was changed."""
        try:
            rules = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        parts = (rules.table, rules.when, rules.rules, rules.windows, rules.shape, rules.breaker)
        if cls.of(*parts).version != rules.version:
            raise ValueError(f"the rule set of {rules.table} has been changed after it was given its version")
        return rules

"""A rule set as data, with a version made of its content."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from models import Action, Severity


class When(msgspec.Struct, frozen=True):
    """Which changes are checked: operations by Debezium's letters, and the row before or after."""

    ops: tuple[str, ...] = ("c", "u", "r")
    image: str = "after"


class Rule(msgspec.Struct, frozen=True):
    """One expectation. `type` is its full name as Great Expectations has it; `kwargs` are its arguments.

    `id` is readable and unique within the set. `mostly` is judged per window; every failing row is acted on at once.
    """

    id: str
    type: str
    column: str
    kwargs: dict[str, Any]
    action: Action = Action.QUARANTINE
    severity: Severity = Severity.CRITICAL
    mostly: float = 1.0
    row_condition: str = ""


class RuleSet(msgspec.Struct, frozen=True):
    """The rules of one table. `version` is equal exactly when the rules are."""

    table: str
    version: str
    when: When
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, table: str, when: When, rules: tuple[Rule, ...]) -> RuleSet:
        """Return the set with its version: twelve hexadecimal digits of its content's hash."""
        content = msgspec.json.encode((table, when, rules), order="deterministic")
        return cls(table, hashlib.sha256(content).hexdigest()[:12], when, rules)

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
        if cls.of(rules.table, rules.when, rules.rules).version != rules.version:
            raise ValueError(f"the rule set of {rules.table} has been changed after it was given its version")
        return rules

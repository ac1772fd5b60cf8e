"""What a check says of a row."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Severity(StrEnum):
    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Action(StrEnum):
    """What happens to a row that fails a rule. Of several failed rules the strictest action wins: here the last.

    WARN counts it and lets it pass; DEFAULT and NULL put another value in the place of the bad one; DROP and QUARANTINE
    hold it back; FAIL stops the partition before it.
    """

    WARN = "warn"
    DEFAULT = "default"
    NULL = "null"
    DROP = "drop"
    QUARANTINE = "quarantine"
    FAIL = "fail"


class RuleFailure(msgspec.Struct, frozen=True):
    """One failed rule of one row: its id within its set, the set's version (content hash), and the value seen."""

    rule: str
    version: str
    action: Action
    severity: Severity
    column: str
    value: Any
    reason: str

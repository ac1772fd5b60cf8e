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
    """What happens to a row that fails a rule. Of several failed rules the strictest action wins: here the last."""

    WARN = "warn"
    DROP = "drop"
    QUARANTINE = "quarantine"


class RuleFailure(msgspec.Struct, frozen=True):
    """One failed rule of one row: its id within its set, the set's version (content hash), and the value seen."""

    rule: str
    version: str
    action: Action
    severity: Severity
    column: str
    value: Any
    reason: str

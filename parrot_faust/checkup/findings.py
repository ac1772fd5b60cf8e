"""One thing that was looked at."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """`WARNING` is for what a worker can begin with, and someone should know; `SKIPPED` for what could not be seen."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, how it is, and the cure where there is something to do."""

    subject: str
    outcome: Outcome
    text: str
    cure: str = ""


def ok(subject: str, text: str) -> Finding:
    """It is as it must be."""
    return Finding(subject, Outcome.OK, text)


def warning(subject: str, text: str, cure: str) -> Finding:
    """A worker can begin, but see to this."""
    return Finding(subject, Outcome.WARNING, text, cure)


def failed(subject: str, text: str, cure: str) -> Finding:
    """A worker can't do its work until this is put right."""
    return Finding(subject, Outcome.FAILED, text, cure)


def skipped(subject: str, text: str) -> Finding:
    """It could not be looked at."""
    return Finding(subject, Outcome.SKIPPED, text)

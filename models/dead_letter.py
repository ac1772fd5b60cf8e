"""A record that could not be decoded or written, kept with its reason and its address."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """Where it failed."""

    DECODE = "decode"
    CHECK = "check"
    WRITE = "write"


class DeadLetter(msgspec.Struct, frozen=True):
    """The record's original bytes and where and why it failed. `sink` is empty before the writers."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    stage: Stage
    error: str
    message: str
    sink: str = ""
    timestamp_ms: int = 0

"""A record that could not be decoded or written, kept with its reason and its address."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """Where it failed."""

    DECODE = "decode"
    CHECK = "check"
    WRITE = "write"


class CutPart(msgspec.Struct, frozen=True):
    """A part of a record that is too large to be kept: `part` is value, key or headers.

    Of value and key the first bytes are kept, of headers none. `size` and `sha256` are of the whole part.
    """

    part: str
    size: int
    sha256: str


class DeadLetter(msgspec.Struct, frozen=True):
    """A record that is held back: its original bytes, and where and why it failed.

    `sink` is empty before the writers. `carried` is False where the sender no longer had the bytes: they are then
    read from the source topic again, by the address. `rule` and `rules_version` belong to stage CHECK. `masked` names
    the columns of a masked table that `value` holds masked: it is then a `MaskedChange`. `withheld` says that the
    record could not be masked and `value` only describes it. `headers` are the record's own, `version` is the one its
    row had or would have had, 0 when that is not known. `cut` names what was too large to be kept whole.
    """

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
    carried: bool = True
    rule: str = ""
    rules_version: str = ""
    masked: tuple[str, ...] = ()
    withheld: bool = False
    headers: tuple[tuple[str, bytes | None], ...] = ()
    version: int = 0
    cut: tuple[CutPart, ...] = ()

    @property
    def quarantined(self) -> bool:
        """Whether a rule held it back, so that it belongs to quarantine rather than to the dead letters."""
        return self.stage is Stage.CHECK

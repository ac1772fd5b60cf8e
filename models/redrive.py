"""Sending held records again: what is asked, and what became of each."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Place(msgspec.Struct, frozen=True, array_like=True, order=True):
    """The address of a record. As text: topic/partition/offset, for no topic's name has a slash."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @classmethod
    def of(cls, text: str) -> Place:
        """Read an address. Raise ValueError for what is none."""
        topic, partition, offset = text.rsplit("/", 2)
        if not topic or not (partition + offset).isdecimal():
            raise ValueError(f"{text!r} is no address")
        return cls(topic, int(partition), int(offset))


class Fate(StrEnum):
    """What became of a letter that was to be sent again, or thrown away."""

    FORWARDED = "forwarded"  # on its way to the sinks, which answer each for itself
    APPLIED = "applied"  # a sink has it
    SUPERSEDED = "superseded"  # a newer record of its key has passed
    QUARANTINED = "quarantined"  # it can be read now, and a rule holds it back: it is a letter of the quarantine
    DROPPED = "dropped"  # it can be read now, and a rule drops it
    EMPTY = "empty"  # it can be read now, and carries no row: a tombstone or a message
    DISCARDED = "discarded"  # a person threw it away
    FAILED = "failed"  # it failed again
    OVERTAKEN = "overtaken"  # a newer record of its key came while it was asked for
    UNCERTAIN = "uncertain"  # nobody can tell whether a newer record of its key has passed, or what it held
    REFUSED = "refused"  # it can't be sent again at all

    @property
    def closing(self) -> bool:
        """Whether the letter is done with. Of a forwarded one its sinks say so."""
        return self in _CLOSING


_CLOSING = frozenset({Fate.APPLIED, Fate.SUPERSEDED, Fate.QUARANTINED, Fate.DROPPED, Fate.EMPTY, Fate.DISCARDED})


class Edit(msgspec.Struct, frozen=True):
    """Values that a person has put in the place of others, by column as they were written, None for null."""

    values: dict[str, str | None]
    by: str
    at_ms: int


class Resolution(msgspec.Struct, frozen=True):
    """What became of the letter at `letter` by the request `request`. `sink` is empty for what the worker that has its
    partition says, else the sink that answers; `sinks` are those that a forwarded letter went to. A letter that stays
    open has its newest reason in `error` and `message`. `edit` is there where the row was not sent as it came.
    """

    letter: Place
    fate: Fate
    request: str
    sink: str = ""
    sinks: tuple[str, ...] = ()
    error: str = ""
    message: str = ""
    edit: Edit | None = None

    @property
    def key(self) -> bytes:
        """The key of its message: a later one of the same letter and sink replaces it."""
        return (f"{self.letter}/{self.sink}" if self.sink else str(self.letter)).encode()


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """One letter that is to be sent again: where it is kept, where it comes from, the source offset up to which
    (exclusive) was looked for newer records of its key, and the values it is to have instead of its own.
    """

    letter: Place
    source: Place
    checked_to: int
    edit: Edit | None = None


class RedriveRequest(msgspec.Struct, frozen=True):
    """Letters that are to be sent again, each by the worker that has its source partition."""

    id: str
    asked: tuple[Asked, ...]

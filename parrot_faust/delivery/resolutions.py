"""What is known of letters that were to be sent again: a fold over the messages of the topic of resolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from models import Edit, Fate, Place, Resolution

_decoder = msgspec.json.Decoder(Resolution)


def encode(resolution: Resolution) -> bytes:
    """The message of a resolution."""
    return msgspec.json.encode(resolution)


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand with a letter. `fate` is None for one that nobody has asked for.

    `error` and `message` are its newest reason where it stays open, `waiting` the sinks that have not answered, `edit`
    the values that were put in the place of its own.
    """

    fate: Fate | None = None
    request: str = ""
    error: str = ""
    message: str = ""
    waiting: tuple[str, ...] = ()
    edit: Edit | None = None

    @property
    def closed(self) -> bool:
        """Whether the letter is done with."""
        return self.fate is not None and self.fate.closing

    @property
    def open(self) -> bool:
        """Whether somebody has to do something about it; one that is on its way is neither open nor closed."""
        return not self.closed and self.fate is not Fate.FORWARDED


class Resolutions:
    """The newest resolution of each letter and sink."""

    def __init__(self) -> None:
        self._found: dict[Place, dict[str, Resolution]] = {}

    def see(self, value: bytes | None) -> Resolution | None:
        """Take a message's value; None when it is no resolution."""
        try:
            found = _decoder.decode(value or b"")
        except msgspec.DecodeError:
            return None
        self.add(found)
        return found

    def add(self, resolution: Resolution) -> None:
        """Take a resolution; it replaces the one before of the same letter and sink."""
        self._found.setdefault(resolution.letter, {})[resolution.sink] = resolution

    def __iter__(self) -> Iterator[Place]:
        return iter(self._found)

    def of(self, letter: Place) -> Standing:
        """How things stand with a letter."""
        found = self._found.get(letter)
        if found is None or (main := found.get("")) is None:
            return Standing()
        if main.fate is not Fate.FORWARDED:
            return _standing(main)
        # What a sink has said to an earlier request says nothing of this one.
        answers = [answer for sink in main.sinks if (answer := found.get(sink)) and answer.request == main.request]
        for answer in answers:
            if answer.fate is not Fate.APPLIED:
                return replace(_standing(answer), edit=main.edit)
        waiting = tuple(sorted(set(main.sinks) - {answer.sink for answer in answers}))
        fate = Fate.FORWARDED if waiting else Fate.APPLIED
        return Standing(fate, main.request, waiting=waiting, edit=main.edit)


def _standing(found: Resolution) -> Standing:
    return Standing(found.fate, found.request, found.error, found.message, edit=found.edit)

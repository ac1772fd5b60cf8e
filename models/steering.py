"""What people have said of a sink: that its writers are to wait, to go on, or to begin anew."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Steer(StrEnum):
    """What a sink's writers are told."""

    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"


class SinkOrder(msgspec.Struct, frozen=True):
    """An order to the writers of a sink, in all workers; a restart may be for some of them, or for those that failed.

    `id` tells an order from another of the same content.
    """

    id: str
    sink: str
    word: Steer
    at_ms: int
    reason: str = ""
    workers: tuple[str, ...] = ()
    only_failed: bool = False

    @property
    def key(self) -> bytes:
        """The key of its message: a restart does not take the place of the last pause."""
        return (f"{self.sink}/restart" if self.word is Steer.RESTART else self.sink).encode()

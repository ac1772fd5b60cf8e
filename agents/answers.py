"""What a writer answers to whoever asked for dead letters to be sent again: what became of each of them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from agents.outbox import Outbox
from models import ChunkHeader, Fate, Place, Resolution
from parrot_faust.delivery.chunks import row_offsets
from parrot_faust.delivery.heads import bounded_text
from parrot_faust.delivery.stats import Stats
from parrot_faust.logs import at
from parrot_faust.sinks.process import ChunkResult


class Answers:
    """Those of one sink. The results of its methods complete when the broker has them."""

    def __init__(self, sink: str, outbox: Outbox, stats: Stats, log: Any) -> None:
        self._sink, self._outbox, self._stats, self._log = sink, outbox, stats, log

    async def settle(self, header: ChunkHeader, chunk: bytes, result: ChunkResult) -> list[Awaitable[Any]]:
        """Say what became of dead letters that were sent again. One that failed stays the letter it is."""
        pending = []
        failures = {failure.offset: failure for failure in result.failures}
        for offset, letter in zip(row_offsets(chunk), header.letters, strict=True):
            failure = failures.get(offset)
            if failure is not None:
                self._log.warning(
                    "dead letter %s was refused by %s again: %s: %s",
                    letter,
                    self._sink,
                    failure.error,
                    failure.message,
                    extra=at(letter.topic, letter.partition, letter.offset, sink=self._sink, error=failure.error),
                )
            resolution = Resolution(
                letter,
                Fate.FAILED if failure else Fate.APPLIED,
                header.request,
                sink=self._sink,
                error=failure.error if failure else "",
                message=bounded_text(failure.message) if failure else "",
            )
            pending.append(await self._outbox.resolve(resolution))
        self._stats.sink_redriven(self._sink, header.table, header.rows - len(failures), len(failures))
        return pending

    async def refused(self, header: ChunkHeader) -> list[Awaitable[Any]]:
        """Say that letters are not applied, because what sent them no longer has their source partition."""
        return [await self._refuse(header, letter) for letter in header.letters]

    async def _refuse(self, header: ChunkHeader, letter: Place) -> Awaitable[Any]:
        message = "another worker took over the source partition meanwhile; ask again"
        self._log.warning(
            "%s: dead letter %s is not applied: %s",
            self._sink,
            letter,
            message,
            extra=at(letter.topic, letter.partition, letter.offset, sink=self._sink),
        )
        resolution = Resolution(letter, Fate.OVERTAKEN, header.request, sink=self._sink, message=message)
        return await self._outbox.resolve(resolution)

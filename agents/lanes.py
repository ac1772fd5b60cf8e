"""Source partitions as this worker reads them: what is known of each from one batch to the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from agents.held_images import HeldImages
from agents.reserved_versions import ReservedVersions
from agents.schema_book import SeenIn
from parrot_faust.delivery.images import Images
from parrot_faust.delivery.versions import VersionClock
from parrot_faust.transport import Batch

#: The committed offset and note of a source partition.
CommittedNote = Callable[[str, int], Awaitable[tuple[int, str] | None]]


@dataclass(slots=True)
class Lane:
    """A source partition as this worker reads it."""

    generation: int
    next_offset: int
    clock: VersionClock
    images: Images
    settling: asyncio.Task[bool] | None = None
    #: Batches that wait for a decision on a shape, or that a rule stopped: the first is at hand, the others behind it.
    line: deque[Batch] = field(default_factory=deque)
    waiting: asyncio.Task[None] | None = None


class Reading(SeenIn, Protocol):
    """Where a lane is read on from."""

    @property
    def generation(self) -> int: ...


@dataclass(frozen=True, slots=True)
class FromCommit:
    """A partition of which nothing has come yet since it was assigned: it is read on from its committed offset."""

    topic: str
    partition: int
    generation: int
    first: int


class Lanes:
    """The partitions that this worker has, or had."""

    def __init__(self, committed_note: CommittedNote, images: HeldImages, reserved: ReservedVersions) -> None:
        self._committed_note, self._images, self._reserved = committed_note, images, reserved
        self._lanes: dict[tuple[str, int], Lane] = {}

    async def at(self, topic: str, partition: int, generation: int) -> Lane:
        """A source partition as far as this generation has come with it."""
        known = self._lanes.get((topic, partition))
        if known is not None and known.generation == generation:
            return known
        committed = await self._committed_note(topic, partition)
        return await self.of(FromCommit(topic, partition, generation, committed[0] if committed else 0))

    async def of(self, batch: Reading) -> Lane:
        """The partition of a batch, begun anew where it was newly assigned or is read again."""
        key = (batch.topic, batch.partition)
        lane = self._lanes.get(key)
        if lane is None or lane.generation != batch.generation or batch.first < lane.next_offset:
            # Newly assigned, or read again from the committed offset: versions begin where that commit left them.
            committed = await self._committed_note(*key)
            if lane is not None and lane.waiting is not None:
                lane.waiting.cancel()  # what it holds is read again, here or by another worker
            if lane is not None and lane.generation == batch.generation:
                images, reserved = lane.images, lane.clock.reserved
                images.rewind(batch.first)
            else:
                images = await self._images.load(*key, batch.generation, batch.first)
                reserved = await self._reserved.load(*key, batch.generation)
            clock = VersionClock.begun(committed[1] if committed else "", reserved)
            lane = self._lanes[key] = Lane(batch.generation, batch.first, clock, images)
        return lane

    async def reserve(self, lane: Lane, batch: Batch) -> None:
        """Return when the broker knows a version that none given so far is above. Nothing has to be done nearly always.

        The commit's note is not enough: a topic that is deleted takes it along, and a store keeps its tombstones.
        """
        if (reserved := lane.clock.reserve()) is not None:
            await self._reserved.store(batch.topic, batch.partition, reserved)
            lane.clock.reserved = reserved

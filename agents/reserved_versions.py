"""Keeping up to which version a source partition may have used, safe from deleted topics and offsets set back.

A message's key is the source partition, its value the version. It is written about once in ten minutes a partition,
and read when a partition is taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from agents.held_images import ReadAll
from agents.outbox import Outbox
from parrot_faust.delivery.chunks import writes_partition
from parrot_faust.names import Names

_keys = msgspec.msgpack.Decoder(tuple[str, int])
_versions = msgspec.msgpack.Decoder(int)


class ReservedVersions:
    """Loads and stores reservations. Belongs to the agent `changes`."""

    def __init__(self, outbox: Outbox, names: Names, partitions: Callable[[], int], read_all: ReadAll) -> None:
        self._outbox, self._names = outbox, names
        self._partitions, self._read_all = partitions, read_all
        self._generation = -1
        self._loaded: dict[int, dict[tuple[str, int], int]] = {}

    async def load(self, topic: str, partition: int, generation: int) -> int:
        """The highest version that was ever reserved for a source partition; 0 when none was."""
        if generation != self._generation:
            self._generation, self._loaded = generation, {}
        place = writes_partition(topic, partition, self._partitions())
        if place not in self._loaded:
            self._loaded[place] = _highest(await self._read_all(self._names.versions, place))
        return self._loaded[place].get((topic, partition), 0)

    async def store(self, topic: str, partition: int, version: int) -> None:
        """Return when the broker has the reservation."""
        place = writes_partition(topic, partition, self._partitions())
        key, value = msgspec.msgpack.encode((topic, partition)), msgspec.msgpack.encode(version)
        await self._outbox.confirm([await self._outbox.send(self._names.versions, value, key=key, partition=place)])


def _highest(records: Iterable[tuple[bytes | None, bytes | None]]) -> dict[tuple[str, int], int]:
    """The greatest of each partition: one who was frozen may have sent an older one late."""
    found: dict[tuple[str, int], int] = {}
    for name, value in records:
        if name is not None and value is not None:
            key = _keys.decode(name)
            found[key] = max(found.get(key, 0), _versions.decode(value))
    return found

"""Keeping held images in a compacted topic, so that a restart or another worker has them.

A message's key is the source partition and the row's key, its value all that is kept of the row, null when nothing is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from agents.outbox import Outbox
from models import Change, TableSchema
from parrot_faust.delivery.chunks import writes_partition
from parrot_faust.delivery.heads import LARGEST_LETTER
from parrot_faust.delivery.images import Images, Key, Span
from parrot_faust.names import Names

#: Reads keys and values of a whole partition of the images' topic, in order.
ReadAll = Callable[[str, int], Awaitable[Iterable[tuple[bytes | None, bytes | None]]]]

_spans = msgspec.msgpack.Decoder(list[Span])
_keys = msgspec.msgpack.Decoder(tuple[str, int, list[Any]])


class HeldImages:
    """Loads and stores the images of source partitions. Belongs to the agent `changes`."""

    def __init__(self, outbox: Outbox, names: Names, partitions: Callable[[], int], read_all: ReadAll) -> None:
        self._outbox, self._names = outbox, names
        self._partitions, self._read_all = partitions, read_all
        self._generation = -1
        self._loaded: dict[int, dict[tuple[str, int], dict[Key, list[Span]]]] = {}

    async def load(self, topic: str, partition: int, generation: int, first: int) -> Images:
        """The images of a source partition as they were before its record at offset `first`."""
        if generation != self._generation:
            self._generation, self._loaded = generation, {}
        place = writes_partition(topic, partition, self._partitions())
        if place not in self._loaded:
            self._loaded[place] = _by_source(await self._read_all(self._names.images, place))
        images = Images(self._loaded[place].pop((topic, partition), {}))
        images.rewind(first)
        return images

    async def store(self, topic: str, partition: int, key: Key, images: Images) -> Awaitable[Any]:
        """Send what is kept of a row now."""
        spans = images.spans(key)
        value = msgspec.msgpack.encode(spans) if spans else None
        if value is not None and len(value) > LARGEST_LETTER:  # many changes of one row, and none is committed yet
            images.shorten(key)
            value = msgspec.msgpack.encode(images.spans(key))
        place = writes_partition(topic, partition, self._partitions())
        name = msgspec.msgpack.encode((topic, partition, key))
        return await self._outbox.send(self._names.images, value, key=name, partition=place)


def image_names(column: str) -> tuple[str, str]:
    """Under which names a column's value is kept: as it is, and masked. A mask may be set while images are kept."""
    return column, f"{column}\0masked"


def long_values(
    schema: TableSchema, change: Change, masked: Sequence[str] = (), *, limit: int
) -> dict[str, str | bytes | int]:
    """The values of a change that a later one may leave out: texts and bytes, of whatever length.

    `masked` names the columns whose values in `change` are masked. Of values that come to more than `limit` bytes,
    which is more than a row may have, those beyond are left out.
    """
    found: dict[str, str | bytes | int] = {}
    total = 0
    for column, value in zip(schema.columns, change.after or (), strict=False):
        if isinstance(value, str | bytes):
            total += len(value)
            kept = value if total <= limit else len(value)
            found[image_names(column.name)[column.name in masked]] = kept
    return found


def _by_source(records: Iterable[tuple[bytes | None, bytes | None]]) -> dict[tuple[str, int], dict[Key, list[Span]]]:
    found: dict[tuple[str, int], dict[Key, list[Span]]] = {}
    for name, value in records:
        if name is None:
            continue
        topic, partition, parts = _keys.decode(name)
        rows = found.setdefault((topic, partition), {})
        key = tuple(parts)
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = _spans.decode(value)
    return found

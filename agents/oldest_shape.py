"""The first shape that a source table had, for an app that has seen none of it yet.

The partitions of a topic are read in no order of their commits. An app that begins with a topic in which a table has
changed its shape would by chance see the newest first, and give its columns the places that the oldest have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError

from models import TableSchema
from parrot_faust.codec import Decoder, Record
from parrot_faust.masking import Masking

#: The first record there is of each partition of a topic that has any.
Heads = Callable[[str], Awaitable[Sequence[tuple[int, Record]]]]


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """A shape, where a row of it is, and when that was committed."""

    topic: str
    partition: int
    first: int
    schema: TableSchema
    time_us: int


class OldestShape:
    """Looks at the heads of a topic's partitions, each of which is in the order of its commits."""

    def __init__(
        self,
        heads: Heads,
        decoder: Decoder,
        masking: Masking,
        learn: Callable[[Sequence[Record]], Awaitable[None]],
        log: Any,
    ) -> None:
        self._heads, self._decoder, self._masking, self._learn, self._log = heads, decoder, masking, learn, log
        self._looked: set[str] = set()

    async def of(self, topic: str) -> FirstSeen | None:
        """The shape of the row that was committed first; None where no head can be read as a row, and when it was
        looked for already: each partition of the topic would ask.
        """
        if topic in self._looked:
            return None
        found: list[FirstSeen] = []
        try:
            heads = await self._heads(topic)
        except KafkaError as error:
            self._log.warning(
                "%s: its oldest shape can't be looked for, so they are taken as they come: %s", topic, error
            )
            return None
        self._looked.add(topic)
        for partition, record in heads:
            await self._learn([record])
            for segment in self._decoder.decode(topic, [record]).segments:
                mask = self._masking.of(segment.schema)
                schema = mask.schema if mask else segment.schema
                found.append(FirstSeen(topic, partition, record.offset, schema, segment.changes[0].time_us))
        return min(found, key=lambda each: each.time_us, default=None)

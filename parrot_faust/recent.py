"""What has come lately of a table, read beside the stream for commands that try rules: no group, nothing written."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka.errors import KafkaError

from parrot_faust.choices import source_topics
from parrot_faust.codec import Decoded, Decoder
from parrot_faust.errors import BrokerUnavailable, ParrotError
from parrot_faust.kafka import connection_options
from parrot_faust.names import Names
from parrot_faust.registry import RegistryClient, registry_of
from parrot_faust.settings import Settings
from parrot_faust.transport.batch import Record
from parrot_faust.transport.reader import RecordReader

#: Told how many offsets of how many have been read.
Progress = Callable[[int, int], None]


class Span(NamedTuple):
    """Which records: those since a moment, the last so many, or with neither all there are."""

    since_ms: int | None = None
    last: int | None = None


class Run(NamedTuple):
    """Records of a partition in their order, and what they hold."""

    partition: int
    records: Sequence[Record]
    decoded: Decoded


class Recent:
    """Reads tables of the settings' app. What can't be decoded is counted in `undecodable`, by class of error."""

    def __init__(self, settings: Settings, reader: RecordReader, registry: RegistryClient | None) -> None:
        self._settings, self._reader, self._registry = settings, reader, registry
        self._decoder = Decoder(
            format=settings.source.format,
            keys={name: table.key for name, table in settings.tables.items() if table.key},
            columns={name: table.columns for name, table in settings.tables.items() if table.columns},
        )
        self.undecodable: Counter[str] = Counter()
        self.partitions = 0
        self.first_ms = self.last_ms = 0

    async def topics(self) -> list[str]:
        """The source topics that workers of these settings read."""
        return source_topics(self._settings, Names(self._settings.app), await self._reader.topics())

    async def runs(self, topic: str, span: Span, progress: Progress) -> AsyncGenerator[Run, None]:
        """Yield what is there now, a partition after another. Raise ParrotError where there is no such topic."""
        places = await self._places(topic, span)
        self.partitions = len(places)
        whole, before = sum(end - first for first, end in places.values()), 0
        for partition, (first, end) in places.items():
            async for records in self._reader.scan(topic, partition, first, end):
                for schema_id in sorted(self._decoder.missing(records)):
                    registry = self._registry
                    self._decoder.learn(schema_id, await registry.schema(schema_id) if registry else None)
                decoded = self._decoder.decode(topic, records)
                self.undecodable.update(type(failure.error).__name__ for failure in decoded.failures)
                self._note(records)
                yield Run(partition, records, decoded)
                progress(before + records[-1].offset + 1 - first, whole)
            before += end - first

    async def _places(self, topic: str, span: Span) -> dict[int, tuple[int, int]]:
        """By partition the first offset that is wanted, and the one after the last."""
        bounds = {number: await self._reader.bounds(topic, number) for number in await self._reader.partitions(topic)}
        if not bounds:
            raise ParrotError(f"there is no topic {topic}")
        if span.last is not None:
            wanted = shares({number: end - begin for number, (begin, end) in bounds.items()}, span.last)
            return {number: (end - wanted[number], end) for number, (_, end) in bounds.items()}
        if span.since_ms is None:
            return bounds
        found = {}
        for number, (begin, end) in bounds.items():
            since = await self._reader.since(topic, number, span.since_ms)
            found[number] = (min(max(begin, since), end), end)
        return found

    def _note(self, records: Sequence[Record]) -> None:
        times = [record.timestamp for record in records]
        self.first_ms = min(times) if not self.first_ms else min(self.first_ms, *times)
        self.last_ms = max(self.last_ms, *times)


def shares(sizes: Mapping[int, int], count: int) -> dict[int, int]:
    """How many of each to take so that they are `count` together, of all alike; what one does not have others give."""
    taken: dict[int, int] = {}
    for position, (number, size) in enumerate(sorted(sizes.items(), key=lambda one: one[1])):
        fair = -(-count // (len(sizes) - position))
        taken[number] = min(size, fair)
        count -= taken[number]
    return taken


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Recent]:
    """What commands read with. Raise BrokerUnavailable where no broker answers."""
    reader, registry = RecordReader(settings.brokers, connection_options(settings)), registry_of(settings.source)
    try:
        yield Recent(settings, reader, registry)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings.brokers, error) from error
    finally:
        await reader.close()
        if registry is not None:
            await registry.close()

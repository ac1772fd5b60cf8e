"""Reading letters and their resolutions from Kafka, and writing resolutions and requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from models import Place, RedriveRequest, Resolution
from parrot_faust.delivery.filing import letter_of
from parrot_faust.delivery.resolutions import Resolutions, encode
from parrot_faust.errors import BrokerUnavailable, LetterError
from parrot_faust.kafka import client_options, connection_options
from parrot_faust.letters.kept import SHOWN_BYTES, Filing, Kept, collapse
from parrot_faust.names import Names
from parrot_faust.settings import Settings
from parrot_faust.transport.reader import RecordReader

#: Told of every step of a long reading: what is read, how far, and to where.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""


class Box:
    """The dead letters of one app. `readable` opens it; nothing here needs a worker."""

    def __init__(self, settings: Settings, reader: RecordReader) -> None:
        self.settings, self.reader = settings, reader
        self.names = Names(settings.app)
        self.resolutions = Resolutions()
        self._resolved_to = 0

    async def letters(self, *, quarantine: bool = False, progress: Progress = silent) -> list[Kept]:
        """Every letter, of the dead letters or of the quarantine, with its value cut to a head."""
        prefix = self.names.quarantine("") if quarantine else self.names.dead("")
        topics = [topic for topic in await self.reader.topics() if topic.startswith(prefix)]
        filings: list[Filing] = []
        for topic in topics:
            for partition in await self.reader.partitions(topic):
                filings += await self._filings(topic, partition, progress)
        await self.refresh()
        return collapse(filings, self.resolutions)

    async def refresh(self) -> None:
        """Learn what has become of letters since."""
        topic = self.names.resolved
        _, end = await self.reader.bounds(topic, 0)
        if end <= self._resolved_to:
            return
        async for records in self.reader.scan(topic, 0, self._resolved_to, end):
            for record in records:
                self.resolutions.see(record.value)
        self._resolved_to = end

    async def whole(self, place: Place) -> Filing | None:
        """One letter with all of its bytes; None when it is not there any more."""
        record = (await self.reader.read(place.topic, place.partition, [place.offset])).get(place.offset)
        letter = letter_of(record.key, record.value, record.headers) if record else None
        if record is None or letter is None:
            return None
        return Filing(place, letter, record.timestamp, len(record.value or b""))

    async def write(self, resolutions: Sequence[Resolution]) -> None:
        """Record what has become of letters; returns once the broker has it all."""
        await self._send(self.names.resolved, [(each.key, encode(each)) for each in resolutions])
        for each in resolutions:
            self.resolutions.add(each)

    async def ask(self, requests: Sequence[RedriveRequest]) -> None:
        """Hand requests to the workers; returns once the broker has them."""
        await self._send(self.names.redrive, [(each.id.encode(), msgspec.json.encode(each)) for each in requests])

    async def _filings(self, topic: str, partition: int, progress: Progress) -> list[Filing]:
        begin, end = await self.reader.bounds(topic, partition)
        found = []
        async for records in self.reader.scan(topic, partition, begin, end):
            for record in records:
                letter = letter_of(record.key, record.value, record.headers)
                if letter is None:
                    continue  # nobody of ours has written it
                size = len(record.value or b"")
                if size > SHOWN_BYTES:
                    letter = msgspec.structs.replace(letter, value=(record.value or b"")[:SHOWN_BYTES])
                found.append(Filing(Place(topic, partition, record.offset), letter, record.timestamp, size))
            progress(topic, records[-1].offset + 1 - begin, end - begin)
        return found

    async def _send(self, topic: str, messages: Iterable[tuple[bytes, bytes]]) -> None:
        if not await self.reader.partitions(topic):
            raise LetterError(
                f"there is no topic {topic}: no worker of app {self.settings.app} has run yet, or not of this version"
            )
        async with AIOKafkaProducer(**client_options(self.settings), acks="all", compression_type="lz4") as producer:
            sent = [await producer.send(topic, value, key=key, partition=0) for key, value in messages]
            for each in sent:
                await each


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Box]:
    """The box of the settings' app. Raise BrokerUnavailable when no broker answers, whatever is done with it."""
    reader = RecordReader(settings.brokers, connection_options(settings))
    try:
        yield Box(settings, reader)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings.brokers, error) from error
    finally:
        await reader.close()

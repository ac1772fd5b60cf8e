"""What `parrot schema` reads and sends: the histories, the newest shapes in the topics, and people's verdicts."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from models import TableSchema
from parrot_faust.choices import source_topics
from parrot_faust.codec import Decoder
from parrot_faust.errors import BrokerUnavailable, ParrotError, TableRefused
from parrot_faust.kafka import client_options
from parrot_faust.names import Names
from parrot_faust.registry import RegistryClient, registry_of
from parrot_faust.schema.history import SchemaHistory, SchemaSeen, history_of
from parrot_faust.settings import Settings, masking_of
from parrot_faust.transport.admin import BrokerAdmin

log = logging.getLogger("parrot")

CONNECT_S = 10.0
TAIL = 50  # records at a partition's end in which the newest shape is looked for
READ_WAIT_MS = 500
#: The newest shape in a topic, None where its end shows none, and the error where it is refused.
Newest = TableSchema | ParrotError | None
POLL_S = 0.3


class Desk:
    """One connection to the broker, for one command."""

    def __init__(self, settings: Settings, patience_s: float = CONNECT_S) -> None:
        self.settings, self.names, self._patience_s = settings, Names(settings.app), patience_s
        self._options = client_options(settings)
        self._admin = BrokerAdmin(self._options, settings.topics.replicas, log)

    async def __aenter__(self) -> Self:
        if not await self._admin.connect_within(self._patience_s):
            raise BrokerUnavailable(self.settings.brokers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()

    # -- the histories -----------------------------------------------------------------------------------------------

    async def histories(self) -> dict[str, SchemaHistory]:
        """Every table's history, from the changelog of the workers' schema table; none before a worker ran."""
        topic = f"{self.settings.app}-schemas-changelog"
        topics = await self._admin.topics()
        found: dict[str, SchemaHistory] = {}
        for partition in range(topics.get(topic, 0)):
            for key, value in await self._admin.read_all(topic, partition):
                if key and value:
                    found[_text(key)] = history_of(_text(value))
        return found

    async def verdict(self, table: str, word: str, wait_s: float, now_ms: int) -> bool:
        """Send a person's verdict on the shapes of a table that are held; whether a worker took it within `wait_s`."""
        event = SchemaSeen(None, table, -1, -1, "", (), now_ms, verdict=word)
        async with AIOKafkaProducer(**self._options, acks="all") as producer:
            await producer.send_and_wait(
                self.names.schemas, msgspec.json.encode(event), key=table.encode(), partition=0
            )
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            history = (await self.histories()).get(table)
            if history is not None and not history.held:
                return True
            await asyncio.sleep(POLL_S)
        return False

    # -- the newest shapes -------------------------------------------------------------------------------------------

    async def shapes(self, chosen: Callable[[str], bool], *, masked: bool = True) -> dict[str, Newest]:
        """The newest shape in every chosen source topic, as it leaves the worker, or as rules see it before masks."""
        topics = await self._admin.topics()
        wanted = [topic for topic in source_topics(self.settings, self.names, topics) if chosen(topic)]
        settings = self.settings
        masking = masking_of(settings)
        decoder = Decoder(
            format=settings.source.format,
            keys={name: table.key for name, table in settings.tables.items() if table.key},
            columns={name: table.columns for name, table in settings.tables.items() if table.columns},
        )
        registry = registry_of(settings.source)
        found: dict[str, Newest] = {}
        try:
            for topic in wanted:
                shape = await self._newest(topic, topics[topic], decoder, registry)
                try:
                    mask = masking.of(shape) if shape and masked else None
                    found[topic] = mask.schema if mask else shape
                except TableRefused as error:
                    found[topic] = error
        finally:
            if registry is not None:
                await registry.close()
        return found

    async def _newest(
        self, topic: str, partitions: int, decoder: Decoder, registry: RegistryClient | None
    ) -> TableSchema | None:
        newest: tuple[int, TableSchema] | None = None
        for partition in range(partitions):
            records = await self._tail(topic, partition)
            for schema_id in sorted(decoder.missing(records)):
                decoder.learn(schema_id, await registry.schema(schema_id) if registry else None)
            segments = [each for each in decoder.decode(topic, records).segments if not _key_alone(each.schema)]
            if segments:
                at = records[segments[-1].changes[-1].index].timestamp
                if newest is None or at >= newest[0]:
                    newest = (at, segments[-1].schema)
        return newest and newest[1]

    async def _tail(self, topic: str, partition: int) -> list[Any]:
        place = TopicPartition(topic, partition)
        async with AIOKafkaConsumer(**self._options, enable_auto_commit=False) as consumer:
            consumer.assign([place])
            begin = (await consumer.beginning_offsets([place]))[place]
            end = (await consumer.end_offsets([place]))[place]
            consumer.seek(place, max(begin, end - TAIL))
            found: list[Any] = []
            while await consumer.position(place) < end:
                for records in (await consumer.getmany(timeout_ms=READ_WAIT_MS)).values():
                    found += records
            return found


def named(tables: Iterable[str], text: str) -> str:
    """The table that a person means: its topic, or the end of its name. Raise ParrotError unless it is one."""
    known = sorted(tables)
    found = [table for table in known if table == text] or [table for table in known if table.endswith(f".{text}")]
    if len(found) == 1:
        return found[0]
    what = f"{text} may be {', '.join(found)}" if found else f"no table {text} is known"
    raise ParrotError(f"{what}; known are {', '.join(known) or 'none: no worker of this app has seen any table'}")


def run(settings: Settings, work: Callable[[Desk], Awaitable[Any]]) -> Any:
    """Do something at a desk."""

    async def at_desk() -> Any:
        async with Desk(settings) as desk:
            return await work(desk)

    return asyncio.run(at_desk())


def _key_alone(schema: TableSchema) -> bool:
    return len(schema.columns) == len(schema.key)


def _text(data: bytes) -> str:
    """Faust writes a table's keys and values as JSON."""
    return str(json.loads(data))

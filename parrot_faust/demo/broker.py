"""What the demo reads from Kafka itself, to check the worker's word."""

from __future__ import annotations

import asyncio
import struct
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from json import loads
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition
from fastavro import parse_schema, schemaless_reader

GONE_POLL_S = 0.2
GONE_TIMEOUT_S = 30.0


@dataclass
class Topic:
    """What a topic holds: number of records, the last record of each key, and headers and value of every record."""

    records: int = 0
    last: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    contents: list[tuple[dict[str, str], bytes | None, bytes | None]] = field(default_factory=list)


class Broker:
    """One look at a time; every call makes its own connection."""

    def __init__(self, address: str) -> None:
        self._address = address

    def count(self, topics: list[str]) -> int:
        """Records in the topics: the sum of end less beginning offsets."""
        return asyncio.run(self._count(topics))

    def names(self) -> list[str]:
        """The names of all topics."""
        return asyncio.run(self._names())

    def read(self, topic: str, *, contents: bool = False) -> Topic:
        """Read a topic from beginning to end. Deletes' tombstones count as records and are nobody's last change."""
        return asyncio.run(self._read(topic, contents))

    def produce(self, topic: str, value: bytes, key: bytes | None = None) -> tuple[int, int]:
        """Put a record into a topic; return partition and offset."""
        return asyncio.run(self._produce(topic, value, key))

    def remove(self, prefixes: tuple[str, ...]) -> None:
        """Delete the topics that begin so, and return when they are gone."""
        asyncio.run(self._remove(prefixes))

    async def _partitions(self, topics: list[str]) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
        await admin.start()
        try:
            described = await admin.describe_topics()
        finally:
            await admin.close()
        known = {topic["topic"]: len(topic["partitions"]) for topic in described}
        return [TopicPartition(topic, partition) for topic in topics for partition in range(known.get(topic, 0))]

    async def _names(self) -> list[str]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
        await admin.start()
        try:
            return sorted(await admin.list_topics())
        finally:
            await admin.close()

    async def _count(self, topics: list[str]) -> int:
        found = await self._partitions(topics)
        if not found:
            return 0
        async with self._consumer(found) as consumer:
            begin, end = await consumer.beginning_offsets(found), await consumer.end_offsets(found)
            return sum(end[tp] - begin[tp] for tp in found)

    async def _read(self, topic: str, contents: bool) -> Topic:
        found = await self._partitions([topic])
        result = Topic()
        if not found:
            return result
        async with self._consumer(found) as consumer:
            end = await consumer.end_offsets(found)
            while any([await consumer.position(tp) < end[tp] for tp in found]):
                for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        result.records += 1
                        if record.value is not None and record.key is not None:
                            result.last[record.key] = (tp.partition, record.offset)
                        if contents:
                            headers = {name: value.decode() for name, value in record.headers}
                            result.contents.append((headers, record.key, record.value))
        return result

    @asynccontextmanager
    async def _consumer(self, partitions: list[TopicPartition]) -> AsyncIterator[AIOKafkaConsumer]:
        # Reading begins at the earliest by setting: a seek right after `assign` races with the consumer's own reset.
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._address, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            consumer.assign(partitions)
            yield consumer
        finally:
            await consumer.stop()

    async def _produce(self, topic: str, value: bytes, key: bytes | None) -> tuple[int, int]:
        producer = AIOKafkaProducer(bootstrap_servers=self._address)
        await producer.start()
        try:
            sent = await producer.send_and_wait(topic, value, key)
            return sent.partition, sent.offset
        finally:
            await producer.stop()

    async def _remove(self, prefixes: tuple[str, ...]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
        await admin.start()
        try:
            async with asyncio.timeout(GONE_TIMEOUT_S):
                while doomed := [name for name in await admin.list_topics() if name.startswith(prefixes)]:
                    await admin.delete_topics(doomed)
                    await asyncio.sleep(GONE_POLL_S)
        finally:
            await admin.close()


class Keys:
    """Decodes record keys of the Confluent format, by fastavro, or of JSON."""

    def __init__(self, registry: str) -> None:
        self._registry = registry
        self._schemas: dict[int, Any] = {}

    def decode(self, key: bytes) -> tuple[Any, ...]:
        """The key's values in their order."""
        if key[:1] != b"\0":
            found = loads(key)
            return tuple(found.get("payload", found).values())
        (identity,) = struct.unpack(">i", key[1:5])
        if identity not in self._schemas:
            with urllib.request.urlopen(  # noqa: S310 - an http address of our own
                f"{self._registry}/schemas/ids/{identity}", timeout=10
            ) as answer:
                self._schemas[identity] = parse_schema(loads(loads(answer.read())["schema"]))
        record: Any = schemaless_reader(BytesIO(key[5:]), self._schemas[identity], None)
        return tuple(record.values())

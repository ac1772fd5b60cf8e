"""What Kafka holds, read by the oracle itself: records with their addresses, ends, and what the group has committed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition
from sources import set_topic

Address = tuple[str, int, int]  # topic, partition, offset
Position = dict[tuple[str, int], int]
GONE_S = 30.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One record with where it is."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)

    @property
    def address(self) -> Address:
        """Topic, partition and offset."""
        return (self.topic, self.partition, self.offset)


class Tapes:
    """One look at a time; every call makes its own connection and ends it."""

    def __init__(self, brokers: str) -> None:
        self._brokers = brokers

    def topics(self, prefix: str) -> list[str]:
        """Names of the topics that begin so."""
        return asyncio.run(self._with_admin(self._topics, prefix))

    def ends(self, topics: Iterable[str]) -> Position:
        """Where each partition of the topics ends: the offset of the next record."""
        return asyncio.run(self._ends(sorted(topics)))

    def committed(self, group: str) -> Position:
        """The group's committed offset of each partition it has one of."""
        return asyncio.run(self._with_admin(self._committed, group))

    def members(self, group: str) -> list[str]:
        """The group's members by their ids."""
        return asyncio.run(self._with_admin(self._members, group))

    def configure(self, topic: str, config: dict[str, str]) -> None:
        """Replace the configuration of a topic, and return once it is in force."""
        set_topic(self._brokers, topic, **config)

    def set_back(self, group: str, position: Position) -> None:
        """Let the group begin here again. It must have no members."""
        asyncio.run(self._set_back(group, position))

    def make(self, topic: str, partitions: int) -> None:
        """Make a topic."""
        asyncio.run(self._with_admin(self._make, (topic, partitions)))

    def make_anew(self, topic: str, partitions: int) -> None:
        """Delete a topic with all its records and make it again, empty."""
        asyncio.run(self._with_admin(self._make_anew, (topic, partitions)))

    def read(self, topics: Iterable[str]) -> list[Entry]:
        """Every record of the topics up to their ends as they are now, partition by partition in offset order."""
        return asyncio.run(self._read(sorted(topics)))

    def produce(self, topic: str, value: bytes | None, key: bytes | None = None, partition: int | None = None) -> Entry:
        """Put a record into a topic."""
        return asyncio.run(self._produce(topic, value, key, partition))

    async def _with_admin(self, ask: Any, argument: Any) -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._brokers)
        await admin.start()
        try:
            return await ask(admin, argument)
        finally:
            await admin.close()

    async def _topics(self, admin: Any, prefix: str) -> list[str]:
        return sorted(name for name in await admin.list_topics() if name.startswith(prefix))

    async def _committed(self, admin: Any, group: str) -> Position:
        found = await admin.list_consumer_group_offsets(group)
        return {(tp.topic, tp.partition): entry.offset for tp, entry in found.items() if entry.offset >= 0}

    async def _members(self, admin: Any, group: str) -> list[str]:
        (answer,) = await admin.describe_consumer_groups([group])
        return sorted(member[0] for described in answer.groups for member in described[5])

    async def _set_back(self, group: str, position: Position) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._brokers, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(*place) for place in position])
            await consumer.commit({TopicPartition(*place): offset for place, offset in position.items()})
        finally:
            await consumer.stop()

    async def _make_anew(self, admin: Any, wanted: tuple[str, int]) -> None:
        topic, _ = wanted
        await admin.delete_topics([topic])
        async with asyncio.timeout(GONE_S):
            while topic in await admin.list_topics():  # noqa: ASYNC110 - the broker tells nobody
                await asyncio.sleep(0.1)
        await self._make(admin, wanted)

    async def _make(self, admin: Any, wanted: tuple[str, int]) -> None:
        topic, partitions = wanted
        async with asyncio.timeout(GONE_S):
            while topic not in await admin.list_topics():  # a deleted topic's name may be taken for a moment longer
                await admin.create_topics([NewTopic(topic, partitions, 1)])
                await asyncio.sleep(0.1)

    async def _partitions(self, topics: list[str]) -> list[TopicPartition]:
        async def ask(admin: Any, _argument: str) -> list[TopicPartition]:
            known = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
            return [TopicPartition(topic, number) for topic in topics for number in range(known.get(topic, 0))]

        found: list[TopicPartition] = await self._with_admin(ask, "")
        return found

    async def _ends(self, topics: list[str]) -> Position:
        partitions = await self._partitions(topics)
        if not partitions:
            return {}
        consumer = AIOKafkaConsumer(bootstrap_servers=self._brokers, enable_auto_commit=False)
        await consumer.start()
        try:
            ends = await consumer.end_offsets(partitions)
            return {(tp.topic, tp.partition): end for tp, end in ends.items()}
        finally:
            await consumer.stop()

    async def _read(self, topics: list[str]) -> list[Entry]:
        partitions = await self._partitions(topics)
        if not partitions:
            return []
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._brokers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        found: list[Entry] = []
        try:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for tp, records in (await consumer.getmany(timeout_ms=500)).items():
                    found += [
                        Entry(tp.topic, tp.partition, one.offset, one.key, one.value, dict(one.headers))
                        for one in records
                        if one.offset < ends[tp]
                    ]
        finally:
            await consumer.stop()
        return sorted(found, key=lambda entry: entry.address)

    async def _produce(self, topic: str, value: bytes | None, key: bytes | None, partition: int | None) -> Entry:
        producer = AIOKafkaProducer(bootstrap_servers=self._brokers, max_request_size=15 << 20)
        await producer.start()
        try:
            sent = await producer.send_and_wait(topic, value, key=key, partition=partition)
            return Entry(topic, sent.partition, sent.offset, key, value)
        finally:
            await producer.stop()

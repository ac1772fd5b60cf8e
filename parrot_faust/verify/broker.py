"""What is asked of Kafka: topics, how far they reach, how far the workers are, and single records."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.structs import TopicPartition

from parrot_faust.errors import BrokerUnavailable

POLL_MS = 500
T = TypeVar("T")

#: Offsets by topic and partition.
Offsets = dict[tuple[str, int], int]


class Found(NamedTuple):
    """A record as far as it is looked at."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


class Broker:
    """One look at a time; every call makes its own connection. Raise BrokerUnavailable when there is no answer.

    `connect` are aiokafka's arguments for a connection: addresses, and what secures it.
    """

    def __init__(self, connect: Mapping[str, Any]) -> None:
        self._connect = dict(connect)

    def topics(self) -> list[str]:
        """The names of all topics."""

        async def look(admin: AIOKafkaAdminClient) -> list[str]:
            return list(await admin.list_topics())

        return self._with_admin(look)

    def ends(self, topics: Iterable[str]) -> Offsets:
        """The offset after the last record of every partition of these topics, as far as they exist."""

        async def look() -> Offsets:
            found = await self._partitions(list(topics))
            if not found:
                return {}
            async with self._consumer() as consumer:
                ends = await consumer.end_offsets(found)
                return {(tp.topic, tp.partition): offset for tp, offset in ends.items()}

        return self._run(look())

    def committed(self, group: str) -> Offsets:
        """A consumer group's committed offsets."""

        async def look(admin: AIOKafkaAdminClient) -> Offsets:
            found = await admin.list_consumer_group_offsets(group)
            return {(tp.topic, tp.partition): entry.offset for tp, entry in found.items()}

        return self._with_admin(look)

    def read(self, topic: str, take: Callable[[Found], None], start: Mapping[int, int] | None = None) -> None:
        """Give every record that is there now to `take`, from the beginning or the partitions of `start` from there."""

        async def look() -> None:
            found = await self._partitions([topic])
            if start is not None:
                found = [tp for tp in found if tp.partition in start]
            if not found:
                return
            async with self._consumer() as consumer:
                consumer.assign(found)
                begins, ends = await consumer.beginning_offsets(found), await consumer.end_offsets(found)
                for tp in found:
                    consumer.seek(tp, max(begins[tp], start[tp.partition] if start is not None else 0))
                while any([await consumer.position(tp) < ends[tp] for tp in found]):
                    for tp, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                        for record in records:
                            headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
                            take(Found(tp.partition, record.offset, record.key, record.value, headers))

        self._run(look())

    def await_text(self, topic: str, begin: Offsets, text: bytes, timeout_s: float) -> bool:
        """Whether a record with `text` in its key or value appears at or after `begin` within the time."""

        async def look() -> bool:
            deadline = time.monotonic() + timeout_s
            seen = dict(begin)
            while True:
                found = await self._partitions([topic])
                if found:
                    async with self._consumer() as consumer:
                        consumer.assign(found)
                        for tp in found:
                            consumer.seek(tp, seen.get((tp.topic, tp.partition), 0))
                        while time.monotonic() < deadline:
                            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                                for record in records:
                                    if text in (record.key or b"") or text in (record.value or b""):
                                        return True
                if time.monotonic() >= deadline:
                    return False
                await asyncio.sleep(POLL_MS / 1000)

        return self._run(look())

    def make(self, topic: str, *, config: Mapping[str, str], partitions: int = 1, replicas: int = 1) -> None:
        """Create a topic unless it exists."""

        async def look(admin: AIOKafkaAdminClient) -> None:
            if topic in await admin.list_topics():
                return
            try:
                await admin.create_topics([NewTopic(topic, partitions, replicas, topic_configs=dict(config))])
            except TopicAlreadyExistsError:
                return

        self._with_admin(look)

    def send(
        self,
        topic: str,
        messages: Iterable[tuple[bytes | None, bytes | None, int | None, Sequence[tuple[str, bytes]]]],
    ) -> None:
        """Send messages of key, value, partition (None: by the key) and headers; return when all in-sync replicas have
        them.
        """

        async def look() -> None:
            producer = AIOKafkaProducer(**self._connect, acks="all", enable_idempotence=True)
            await producer.start()
            try:
                for key, value, partition, headers in messages:
                    await producer.send_and_wait(topic, value, key=key, partition=partition, headers=list(headers))
            finally:
                await producer.stop()

        self._run(look())

    # -- connections -------------------------------------------------------------------------------------------------

    async def _partitions(self, topics: list[str]) -> list[TopicPartition]:
        admin = AIOKafkaAdminClient(**self._connect)
        await admin.start()
        try:
            known = set(await admin.list_topics())
            wanted = [topic for topic in topics if topic in known]
            described = await admin.describe_topics(wanted) if wanted else []
        finally:
            await admin.close()
        return [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            for partition in topic["partitions"]
        ]

    def _consumer(self) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
        @asynccontextmanager
        async def opened() -> Any:
            consumer = AIOKafkaConsumer(**self._connect, enable_auto_commit=False, auto_offset_reset="earliest")
            await consumer.start()
            try:
                yield consumer
            finally:
                await consumer.stop()

        return opened()

    def _with_admin(self, step: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
        async def look() -> T:
            admin = AIOKafkaAdminClient(**self._connect)
            await admin.start()
            try:
                return await step(admin)
            finally:
                await admin.close()

        return self._run(look())

    def _run(self, step: Awaitable[T]) -> T:
        async def bounded() -> T:
            return await step

        try:
            return asyncio.run(bounded())
        except (KafkaError, OSError) as error:
            servers = self._connect.get("bootstrap_servers", ())
            raise BrokerUnavailable([servers] if isinstance(servers, str) else servers, error) from None

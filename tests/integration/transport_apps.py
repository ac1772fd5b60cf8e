"""Small real Faust apps on the batch transport, for the tests of the transport."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from parrot_faust.transport import Batch, BatchLimits, BatchSchema
from parrot_faust.transport.admin import BrokerAdmin, TopicPlan

PATIENCE_S = 60.0  # how long a promise may take on a busy machine before it counts as broken
POLL_S = 0.02
log = logging.getLogger("tests.transport")


async def until(promise: Callable[[], bool], what: str) -> None:
    """Return when `promise` holds; fail, naming it, when it does not in good time."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not promise():  # noqa: ASYNC110 - what is waited for is counted elsewhere
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S:.0f} s: {what}") from None


async def stopped(app: Any) -> None:
    """Stop an app; fail when it does not end."""
    async with asyncio.timeout(PATIENCE_S):
        await app.stop()


@dataclass
class Kafka:
    """The broker as the tests see it: topics of one test, records in, committed offsets out."""

    address: str
    prefix: str
    admin: BrokerAdmin
    producer: AIOKafkaProducer

    async def topic(self, suffix: str, partitions: int = 1, **config: str) -> str:
        """Make a topic of this test's own and return its name."""
        name = f"{self.prefix}.{suffix}"
        await self.admin.ensure([TopicPlan(name, partitions, config)])
        return name

    async def put(self, topic: str, values: Iterable[bytes], partition: int = 0, key: bytes | None = None) -> int:
        """Write records and return the offset of the last, once the broker has them all."""
        sent = [await self.producer.send(topic, value, key=key, partition=partition) for value in values]
        return int((await asyncio.gather(*sent))[-1].offset)

    async def committed(self, group: str, topic: str, partition: int = 0) -> tuple[int, str] | None:
        """Offset and note that the broker keeps for a group; None when it keeps none."""
        offsets = await self.admin.client.list_consumer_group_offsets(group)
        found = {(tp.topic, tp.partition): entry for tp, entry in offsets.items()}.get((topic, partition))
        return (found.offset, found.metadata) if found is not None and found.offset >= 0 else None

    async def until_committed(self, group: str, topic: str, wanted: int, partition: int = 0) -> str:
        """Return the note once the broker keeps the offset `wanted`."""
        found: tuple[int, str] | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while found is None or found[0] != wanted:
                    await asyncio.sleep(POLL_S)
                    found = await self.committed(group, topic, partition)
        except TimeoutError:
            raise AssertionError(f"{topic}[{partition}]: committed is {found}, not {wanted}") from None
        return found[1]

    async def remove(self) -> None:
        """Delete every topic of this test, changelogs among them."""
        names = [name for name in await self.admin.topics() if name.startswith(self.prefix)]
        for name in names:
            try:
                await self.admin.client.delete_topics([name])
            except UnknownTopicOrPartitionError:
                continue


@dataclass
class Member:
    """A member of a consumer group: a real Faust worker in this process.

    `batches` is what its agent was given. The agent settles a batch only where `settles` says so.
    """

    app: Any
    batches: list[Batch] = field(default_factory=list)
    settles: Callable[[Batch], bool] = lambda _batch: False

    @property
    def consumer(self) -> Any:
        """The batch consumer."""
        return self.app.consumer

    def of(self, partition: int, topic: str | None = None) -> list[Batch]:
        """Batches of one partition, in the order they came."""
        return [b for b in self.batches if b.partition == partition and topic in (None, b.topic)]

    def partitions(self, topic: str) -> set[int]:
        """Partitions of a topic that this member has."""
        return {tp.partition for tp in self.consumer.assignment() if tp.topic == topic}


class Cluster:
    """Makes apps of one group, named after the test's prefix, and ends them with the test."""

    def __init__(self, kafka: Kafka, stack: AsyncExitStack) -> None:
        self.kafka, self._stack = kafka, stack

    def app(self, limits: BatchLimits, batched: Sequence[str], **settings: Any) -> Any:
        """A Faust app on the batch transport whose `batched` topics come in batches, each topic a group of its own."""
        app: Any = faust.App(
            self.kafka.prefix,
            broker=f"parrot://{self.kafka.address}",
            datadir=self._stack.enter_context(tempfile.TemporaryDirectory()),
            store="memory://",
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            topic_replication_factor=1,
            consumer_auto_offset_reset="earliest",
            broker_commit_interval=0.1,
            broker_session_timeout=6.0,
            broker_heartbeat_interval=0.5,
            **settings,
        )
        app.batch_limits = limits
        app.batch_group = lambda topic: topic if topic in batched else None
        return app

    def member(
        self,
        *topics: str,
        limits: BatchLimits | None = None,
        settles: Callable[[Batch], bool] | None = None,
        **more: Any,
    ) -> Member:
        """An app with one agent that collects the batches of `topics`; not started yet."""
        member = Member(self.app(limits or BatchLimits(), topics, **more))
        member.settles = settles or member.settles

        @member.app.agent(member.app.topic(*topics, schema=BatchSchema()), name="take")
        async def take(stream: Any) -> None:
            async for batch in stream:
                member.batches.append(batch)
                if member.settles(batch):
                    batch.done()

        return member

    async def start(self, app: Any) -> None:
        """Start an app; it is stopped with the test."""
        self._stack.push_async_callback(stopped, app)
        async with asyncio.timeout(PATIENCE_S):
            await app.start()


@asynccontextmanager
async def clusters(address: str) -> AsyncIterator[Cluster]:
    """A cluster with names of its own; its apps are stopped, the last one first, and its topics deleted at the end."""
    admin = BrokerAdmin({"bootstrap_servers": [address]}, 1, log)
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await admin.connect(lambda: False)
    await producer.start()
    kafka = Kafka(address, f"transport-{uuid.uuid4().hex}", admin, producer)
    try:
        async with AsyncExitStack() as stack:
            yield Cluster(kafka, stack)
    finally:
        await producer.stop()
        await kafka.remove()
        await admin.close()


def values(count: int, size: int = 10, first: int = 0) -> Iterator[bytes]:
    """Records that can be told apart, of `size` bytes each."""
    return (b"%d" % number + b"." * (size - len(b"%d" % number)) for number in range(first, first + count))


def offsets(batches: Iterable[Batch]) -> dict[int, list[int]]:
    """The offsets in batches, by partition, in the order they came."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for batch in batches:
        found[batch.partition] += [record.offset for record in batch.records]
    return dict(found)

"""Reading beside the stream: ranges of a partition, and single records by their address. Joins no group."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import TopicPartition

from parrot_faust.transport.batch import Record

FETCH_WAIT_MS = 50  # a fetch of the partition that was read before is waited for when another one is turned to
POLL_MS = 500
STALLED_S = 20.0  # nothing came for so long, though there is something: the broker is asked anew by the caller
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Stalled(KafkaError):
    """The broker has records and did not send them in time, or nobody waits for them any more."""

    retriable = True


class RecordReader:
    """One connection, made on first use and kept; calls follow one another.

    `connection` is handed to the client beside the brokers. Raises KafkaError or OSError while no broker answers.
    """

    def __init__(self, brokers: Sequence[str], connection: Mapping[str, Any] = _NOTHING) -> None:
        self._brokers, self._connection = list(brokers), connection
        self._consumer: AIOKafkaConsumer | None = None
        self._closed = False
        self._known: dict[str, frozenset[int]] = {}
        self._turn = asyncio.Lock()

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset there is and the one after the last; both 0 for a partition that does not exist."""
        async with self._turn:
            return await self._bounds(TopicPartition(topic, partition))

    async def topics(self) -> list[str]:
        """Every topic there is."""
        async with self._turn:
            client = await self._connected()
            return sorted((await client._client.fetch_all_metadata()).topics())

    async def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic; none when it does not exist."""
        async with self._turn:
            await self._connected()
            return sorted(await self._look_up(topic))

    async def heads(self, topic: str) -> list[tuple[int, Record]]:
        """The first record there is of each partition that has any."""
        found: list[tuple[int, Record]] = []
        for partition in await self.partitions(topic):
            async with aclosing(self.scan(topic, partition, 0, sys.maxsize)) as runs:
                async for records in runs:
                    found.append((partition, records[0]))
                    break
        return found

    async def since(self, topic: str, partition: int, at_ms: int) -> int:
        """The offset of the first record that is not older; the one after the last where all are."""
        tp = TopicPartition(topic, partition)
        async with self._turn:
            _, end = await self._bounds(tp)
            found = (await (await self._connected()).offsets_for_times({tp: at_ms}))[tp]
        return end if found is None else int(found.offset)

    async def scan(self, topic: str, partition: int, first: int, end: int) -> AsyncGenerator[Sequence[Record], None]:
        """Yield the records there are from `first` on and below `end`, in order, as they come."""
        tp = TopicPartition(topic, partition)
        async with self._turn:
            begin, after = await self._bounds(tp)
            position, end = max(first, begin), min(end, after)
            client = await self._connected()
            if position >= end:
                return
            self._go_to(client, tp, position)
            while position < end:
                records, position = await self._some(client, tp)
                wanted = [record for record in records if record.offset < end]
                if wanted:
                    yield wanted

    async def read(self, topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        """The records at these offsets; those that the broker does not have are left out."""
        tp = TopicPartition(topic, partition)
        found: dict[int, Record] = {}
        async with self._turn:
            begin, end = await self._bounds(tp)
            wanted = sorted({offset for offset in offsets if begin <= offset < end})
            client = await self._connected()
            position = -1
            while wanted:
                if position != wanted[0]:
                    self._go_to(client, tp, wanted[0])
                records, position = await self._some(client, tp)
                asked = set(wanted)
                found.update((record.offset, record) for record in records if record.offset in asked)
                wanted = [offset for offset in wanted if offset >= position]
        return found

    async def close(self) -> None:
        """Let go of the connection, for good: what is still being read ends with an error."""
        self._closed = True
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _bounds(self, tp: TopicPartition) -> tuple[int, int]:
        client = await self._connected()
        if tp.partition not in self._known.get(tp.topic, ()) and tp.partition not in await self._look_up(tp.topic):
            return 0, 0
        begin, end = await client.beginning_offsets([tp]), await client.end_offsets([tp])
        return begin[tp], end[tp]

    async def _look_up(self, topic: str) -> frozenset[int]:
        # Of all topics, because asking for one by name makes it where the broker makes topics by itself.
        client = await self._connected()
        found = (await client._client.fetch_all_metadata()).partitions_for_topic(topic)
        self._known[topic] = known = frozenset(found or ())
        return known

    @staticmethod
    def _go_to(client: AIOKafkaConsumer, tp: TopicPartition, offset: int) -> None:
        # With no pause in between: a fresh assignment looks up a position of its own while it has none.
        if client.assignment() != {tp}:
            client.assign([tp])
        client.seek(tp, offset)

    @staticmethod
    async def _some(client: AIOKafkaConsumer, tp: TopicPartition) -> tuple[Sequence[Record], int]:
        """The next records, and the offset that reading goes on at, which may be further than after the last."""
        before = position = await client.position(tp)
        records: Sequence[Record] = ()
        try:
            async with asyncio.timeout(STALLED_S):
                while not records and position == before:
                    records = (await client.getmany(tp, timeout_ms=POLL_MS)).get(tp, ())
                    position = await client.position(tp)
        except TimeoutError:
            raise Stalled(f"{tp.topic}[{tp.partition}]: no record at offset {before} came") from None
        except ConsumerStoppedError:
            raise Stalled("the reader was closed") from None
        return records, position

    async def _connected(self) -> AIOKafkaConsumer:
        if self._closed:
            raise Stalled("the reader was closed")
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._brokers,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=FETCH_WAIT_MS,
                **self._connection,
            )
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer

"""How much is handed out and from where: bounds, back-pressure, pause and seek, on the real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP
from transport_apps import Cluster, clusters, offsets, until, values

from parrot_faust.distribution import Addresses
from parrot_faust.transport import BatchLimits, BatchSchema
from parrot_faust.transport.thread import FETCH_WAIT_MS

pytestmark = pytest.mark.integration

QUIET_S = 1.0  # many fetches long: what was going to be fetched has been


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


async def test_no_batch_holds_more_records_than_its_bound(cluster: Cluster) -> None:
    topic = await cluster.kafka.topic("source")
    await cluster.kafka.put(topic, values(1_000))
    member = cluster.member(topic, limits=BatchLimits(records=64), settles=lambda _: True)
    await cluster.start(member.app)
    await until(lambda: sum(map(len, member.batches)) >= 1_000, "every record")
    assert max(map(len, member.batches)) == 64
    assert offsets(member.batches) == {0: list(range(1_000))}


async def test_no_batch_holds_more_bytes_than_its_bound_unless_one_record_does(cluster: Cluster) -> None:
    topic = await cluster.kafka.topic("source")
    large = [*values(20, size=1_000), b"L" * 30_000, *values(20, size=1_000)]
    await cluster.kafka.put(topic, large)
    member = cluster.member(topic, limits=BatchLimits(bytes=4_500), settles=lambda _: True)
    await cluster.start(member.app)
    await until(lambda: sum(map(len, member.batches)) >= 41, "every record")
    assert [len(record.value) for batch in member.batches for record in batch.records] == [len(v) for v in large]
    sizes = [sum(len(record.value or b"") for record in batch.records) for batch in member.batches]
    assert sorted(sizes)[-2] == 4_000  # four records of a thousand bytes; a fifth would pass the bound
    assert max(sizes) == 30_000
    assert [len(batch) for batch in member.batches if len(batch.records[0].value or b"") == 30_000] == [1]


async def test_a_partition_that_is_not_settled_stops_at_its_bound_and_another_goes_on(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=2)
    limits = BatchLimits(records=10, partition_batches=3)
    member = cluster.member(topic, limits=limits, settles=lambda batch: batch.partition == 1)
    await cluster.start(member.app)
    # Rounds, as one fetch may bring more than the bound: what was fetched before it was reached is handed out.
    for _ in range(10):
        await kafka.put(topic, values(10), partition=0)
        last = await kafka.put(topic, values(10), partition=1)
        await until(lambda: member.of(1)[-1:] != [] and member.of(1)[-1].last == last, "all of the other partition")  # noqa: B023
    await asyncio.sleep(QUIET_S)
    assert offsets(member.of(1)) == {1: list(range(100))}
    assert 3 <= len(member.of(0)) < 6
    held = [*member.of(0)]
    for batch in held:
        batch.done()
    await until(lambda: len(member.of(0)) > len(held), "more of the held partition once there is room")
    assert offsets(member.of(0))[0] == list(range(member.of(0)[-1].last + 1))


async def test_a_group_at_its_bytes_stops_and_another_group_goes_on(cluster: Cluster) -> None:
    kafka = cluster.kafka
    held, going = await kafka.topic("held"), await kafka.topic("going")
    limits = BatchLimits(records=10, partition_batches=1_000, group_bytes=20_000)
    member = cluster.member(held, going, limits=limits, settles=lambda batch: batch.topic == going)
    await cluster.start(member.app)
    for _ in range(10):
        await kafka.put(held, values(10, size=1_000))
        last = await kafka.put(going, values(10, size=1_000))
        await until(lambda: any(b.last == last for b in member.of(0, going)), "all of the other group")  # noqa: B023
    await asyncio.sleep(QUIET_S)
    assert offsets(member.of(0, going)) == {0: list(range(100))}
    assert 20 <= len(offsets(member.of(0, held))[0]) < 60
    while len(offsets(member.of(0, held))[0]) < 100:
        for batch in member.of(0, held):
            batch.done()
        await asyncio.sleep(0.02)
    assert offsets(member.of(0, held)) == {0: list(range(100))}


@pytest.mark.parametrize("batched", [True, False])
async def test_a_paused_partition_is_not_fetched_and_a_resumed_one_lacks_nothing(
    cluster: Cluster, batched: bool
) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=2)
    seen: dict[int, list[bytes]] = {0: [], 1: []}
    app = collector(cluster, topic, seen, batched=batched)
    await cluster.start(app)
    await kafka.put(topic, values(10), partition=0)
    await until(lambda: len(seen[0]) == 10, "what came before the pause")
    app.consumer.pause_partitions({TP(topic, 0)})  # while a fetch of both is under way
    await kafka.put(topic, values(10, first=10), partition=0)
    await kafka.put(topic, values(10), partition=1)
    await until(lambda: len(seen[1]) == 10, "the partition that is not paused")
    await asyncio.sleep(QUIET_S)
    assert seen[0] == [*values(10)]
    app.consumer.pause_partitions({TP(topic, 1)})  # with nothing left to fetch, nothing is fetched
    await kafka.put(topic, values(10, first=10), partition=1)
    await asyncio.sleep(QUIET_S)
    assert [len(values) for values in seen.values()] == [10, 10]
    app.consumer.resume_partitions({TP(topic, 0), TP(topic, 1)})
    await until(lambda: [len(values) for values in seen.values()] == [20, 20], "what came while they were paused")
    assert seen == {0: [*values(20)], 1: [*values(20)]}


@pytest.mark.parametrize("batched", [True, False])
async def test_what_was_fetched_when_the_flow_stopped_is_read_again_when_it_goes_on(
    cluster: Cluster, batched: bool
) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source")
    await kafka.put(topic, values(100))
    seen: dict[int, list[bytes]] = {0: []}
    app = collector(cluster, topic, seen, batched=batched)
    fetch, stopped = app.consumer._getmany, asyncio.Event()

    async def stop_at_the_first_records(**arguments: Any) -> Any:
        records = await fetch(**arguments)
        if records and not stopped.is_set():
            app.consumer.stop_flow()
            stopped.set()
        return records

    app.consumer._getmany = stop_at_the_first_records
    await cluster.start(app)
    await until(stopped.is_set, "records, just as the flow is stopped")
    await asyncio.sleep(0.2)
    assert seen == {0: []}
    app.consumer.resume_flow()
    await until(lambda: len(seen[0]) >= 100, "every record")
    assert seen == {0: [*values(100)]}


def collector(cluster: Cluster, topic: str, seen: dict[int, list[bytes]], *, batched: bool) -> Any:
    """An app that notes the values of a topic by partition, taken in batches or one by one."""
    app = cluster.app(BatchLimits(records=10, partition_batches=100), [topic] if batched else [])

    @app.agent(app.topic(topic, schema=BatchSchema()), name="take")
    async def take(stream: Any) -> None:
        async for event in stream.events():
            records = event.value.records if batched else [event.message]
            seen[event.message.partition] += [record.value for record in records]

    return app


async def test_a_seek_back_hands_out_again_and_batches_of_before_settle_nothing(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source")
    await kafka.put(topic, values(40))
    member = cluster.member(topic, limits=BatchLimits(records=10, partition_batches=10))
    await cluster.start(member.app)
    await until(lambda: len(member.batches) == 4, "four batches")
    before = [*member.batches]
    await member.consumer.seek(TP(topic, 0), 10)
    await until(lambda: len(member.batches) == 7, "the three batches from offset 10, again")
    assert [batch.first for batch in member.batches[4:]] == [10, 20, 30]
    for batch in before:
        batch.done("of before")
    await asyncio.sleep(0.5)
    assert await kafka.committed(kafka.prefix, topic) is None
    member.batches[4].done("again")
    assert await kafka.until_committed(kafka.prefix, topic, 20) == "again"


async def test_a_seek_forward_leaves_out_what_is_between(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source")
    await kafka.put(topic, values(5))
    member = cluster.member(topic)
    await cluster.start(member.app)
    await until(lambda: offsets(member.batches) == {0: list(range(5))}, "what there is")
    member.consumer.pause_partitions({TP(topic, 0)})
    await kafka.put(topic, values(95))
    await member.consumer.seek(TP(topic, 0), 60)
    member.consumer.resume_partitions({TP(topic, 0)})
    await until(lambda: member.batches[-1].last == 99, "the end")
    assert offsets(member.batches) == {0: [*range(5), *range(60, 100)]}
    member.batches[-1].done()
    await kafka.until_committed(kafka.prefix, topic, 100)


async def test_positions_thrown_back_while_batches_are_open_are_read_again_and_settled_anew(cluster: Cluster) -> None:
    # What Faust does at the end of a table's recovery, with partitions that are already being read.
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source")
    await kafka.put(topic, values(40))
    member = cluster.member(topic, limits=BatchLimits(records=10, partition_batches=10))
    await cluster.start(member.app)
    await until(lambda: len(member.batches) == 4, "four batches")
    member.batches[0].done()
    await kafka.until_committed(kafka.prefix, topic, 10)
    await member.consumer.perform_seek()
    await until(lambda: len(member.batches) == 7, "the three batches behind the committed offset, again")
    assert [batch.first for batch in member.batches[4:]] == [10, 20, 30]
    member.batches[1].done("of before")
    member.batches[5].done()
    await asyncio.sleep(0.5)
    assert (await kafka.committed(kafka.prefix, topic) or (0, ""))[0] == 10
    member.batches[4].done("again")
    await kafka.until_committed(kafka.prefix, topic, 30)


async def test_the_fetch_wait_that_reaches_aiokafka_is_the_short_one(cluster: Cluster) -> None:
    member = cluster.member(await cluster.kafka.topic("source"))
    await cluster.start(member.app)
    fetcher = member.consumer._thread._ensure_consumer()._fetcher
    assert fetcher._fetch_max_wait_ms == FETCH_WAIT_MS == 50


@pytest.mark.parametrize("compression", ["none", "lz4"])
async def test_a_record_in_a_batch_is_what_was_written(cluster: Cluster, compression: str) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source")
    written = [
        (b"key", b"value", 1_700_000_000_123, [("name", b"text"), ("other", b"")]),
        (b"deleted", None, 1_700_000_000_124, []),
        (None, b"", 1_700_000_000_125, []),
    ]
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.address, compression_type=None if compression == "none" else compression
    ) as producer:
        for key, value, timestamp, headers in written:
            await producer.send(topic, value, key=key, timestamp_ms=timestamp, headers=headers)
    member = cluster.member(topic)
    await cluster.start(member.app)
    await until(lambda: sum(map(len, member.batches)) == 3, "three records")
    records = [record for batch in member.batches for record in batch.records]
    assert [(r.key, r.value, r.timestamp, list(r.headers)) for r in records] == written
    assert [record.offset for record in records] == [0, 1, 2]

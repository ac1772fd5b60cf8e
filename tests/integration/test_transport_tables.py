"""What stays as Faust does it: tables, their changelogs and topics without a group, on the real Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from transport_apps import Cluster, clusters, until, values

from parrot_faust.distribution import Addresses
from parrot_faust.transport import Batch, BatchLimits, BatchSchema

pytestmark = pytest.mark.integration


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


def counting(cluster: Cluster, topic: str, partitions: int) -> tuple[Any, Any]:
    """An app that counts the records of a batched topic in a table, by value; and the table."""
    app = cluster.app(BatchLimits(records=10), [topic])
    counts = app.Table("counts", default=int, key_type=str, value_type=int, partitions=partitions)

    @app.agent(app.topic(topic, schema=BatchSchema()), name="count")
    async def count(stream: Any) -> None:
        async for batch in stream:
            for record in batch.records:
                counts[record.value.decode()] += 1
            batch.done()

    return app, counts


async def test_a_table_changed_by_batches_recovers_from_its_changelog_record_by_record(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=2)
    for partition in (0, 1):
        await kafka.put(topic, [b"%d-%d" % (partition, number % 7) for number in range(100)], partition)
    expected = {f"{partition}-{rest}": len(range(rest, 100, 7)) for partition in (0, 1) for rest in range(7)}

    app, counts = counting(cluster, topic, 2)
    await cluster.start(app)
    await until(lambda: dict(counts) == expected, "every record counted")
    for partition in (0, 1):
        await kafka.until_committed(kafka.prefix, topic, 100, partition)
    await app.stop()

    again, recovered = counting(cluster, topic, 2)  # with a folder of its own: nothing but the changelog is left
    arrived: list[Any] = []
    deliver = again.consumer.callback

    async def noted(message: Any) -> None:
        arrived.append(message)
        await deliver(message)

    again.consumer.callback = noted
    await cluster.start(again)
    await until(lambda: dict(recovered) == expected, "the table as it was")
    changelog = [message for message in arrived if message.topic == counts.changelog_topic_name]
    assert len(changelog) == 200  # each change of the table, one by one
    assert not any(isinstance(message.value, Batch) for message in changelog)
    assert {message.tp.partition: message.offset for message in changelog} == {0: 99, 1: 99}

    await kafka.put(topic, [b"0-0"] * 3, 0)  # and the table goes on from there
    await until(lambda: recovered["0-0"] == expected["0-0"] + 3, "three more")


async def test_a_topic_without_a_group_comes_record_by_record_with_faust_s_own_acks(cluster: Cluster) -> None:
    kafka = cluster.kafka
    batched, single = await kafka.topic("batched"), await kafka.topic("single")
    app = cluster.app(BatchLimits(), [batched])
    seen: list[tuple[bytes, bytes]] = []

    @app.agent(app.topic(single, schema=BatchSchema()), name="take")
    async def take(stream: Any) -> None:
        async for event in stream.events():
            seen.append((event.key, event.value))

    await kafka.put(single, values(30), key=b"k")
    await cluster.start(app)
    await until(lambda: len(seen) == 30, "thirty records")
    assert seen == [(b"k", value) for value in values(30)]
    await kafka.until_committed(kafka.prefix, single, 30)


async def test_a_global_table_is_seen_by_two_workers_while_both_run(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("settings", partitions=2)
    batched = await kafka.topic("batched", partitions=2)
    tables = []
    for _ in range(2):
        app = cluster.app(BatchLimits(), [batched])
        table = app.GlobalTable("shared", key_type=str, value_type=str, partitions=2, recovery_buffer_size=1)
        tables.append(table)
        enter(app, topic, table)
        await cluster.start(app)
    first, second = (table.app.consumer for table in tables)

    def own(consumer: Any) -> set[int]:
        return {tp.partition for tp in consumer.assignment() if tp.topic == topic}

    await until(lambda: len(own(first)) == len(own(second)) == 1, "a partition for each")
    expected: dict[str, str] = {}
    for number in range(20):  # a few at a time, so that only one that follows while it runs can have them
        for partition in (0, 1):
            expected[f"{partition}-{number}"] = f"value {number}"
            key, value = f"{partition}-{number}".encode(), b"value %d" % number
            await kafka.put(topic, [value], partition, key=key)
        await until(lambda: all(dict(table) == expected for table in tables), f"record {number} in both tables")


def enter(app: Any, topic: str, table: Any) -> None:
    """Let an agent enter each record of a topic into the table."""

    @app.agent(app.topic(topic, schema=BatchSchema()), name="enter")
    async def take(stream: Any) -> None:
        async for event in stream.events():
            table[event.key.decode()] = event.value.decode()

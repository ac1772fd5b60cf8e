"""What the broker is told, and when: the batch transport on the real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from transport_apps import Cluster, Member, clusters, offsets, until, values

from parrot_faust.distribution import Addresses
from parrot_faust.transport import BatchLimits, BatchSchema

pytestmark = pytest.mark.integration

TENS = BatchLimits(records=10, partition_batches=10)
ROUND_S = 0.5  # five commit intervals: a commit that was going to happen has happened


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


async def five_batches(cluster: Cluster) -> tuple[str, Member]:
    """A member that was handed offsets 0 to 49 in five batches, none of them settled."""
    kafka = cluster.kafka
    topic = await kafka.topic("source")
    await kafka.put(topic, values(50))
    member = cluster.member(topic, limits=TENS)
    await cluster.start(member.app)
    await until(lambda: len(member.batches) == 5, "five batches of ten")
    return topic, member


async def test_an_offset_is_committed_only_when_its_batch_and_all_before_are_settled(cluster: Cluster) -> None:
    kafka = cluster.kafka
    topic, member = await five_batches(cluster)
    group = kafka.prefix
    await asyncio.sleep(ROUND_S)
    assert await kafka.committed(group, topic) is None  # Faust has acknowledged every event by now
    member.batches[0].done("first")
    assert await kafka.until_committed(group, topic, 10) == "first"
    member.batches[1].done("second")
    assert await kafka.until_committed(group, topic, 20) == "second"
    await asyncio.sleep(ROUND_S)
    assert await kafka.committed(group, topic) == (20, "second")


async def test_batches_settled_out_of_order_commit_nothing_past_the_first_that_is_open(cluster: Cluster) -> None:
    kafka = cluster.kafka
    topic, member = await five_batches(cluster)
    first, second, third, fourth, fifth = member.batches
    for batch in (fifth, third, second):
        batch.done(f"up to {batch.last}")
    await asyncio.sleep(ROUND_S)
    assert await kafka.committed(kafka.prefix, topic) is None
    first.done("first")
    assert await kafka.until_committed(kafka.prefix, topic, 30) == "up to 29"  # the note of the last one passed over
    await asyncio.sleep(ROUND_S)
    assert await kafka.committed(kafka.prefix, topic) == (30, "up to 29")
    fourth.done()
    assert await kafka.until_committed(kafka.prefix, topic, 50) == "up to 49"


async def test_the_note_can_be_read_back_with_its_offset_by_the_consumer(cluster: Cluster) -> None:
    kafka = cluster.kafka
    topic, member = await five_batches(cluster)
    assert await member.consumer.committed_note(topic, 0) is None
    member.batches[0].done("a clock")
    await kafka.until_committed(kafka.prefix, topic, 10)
    assert await member.consumer.committed_note(topic, 0) == (10, "a clock")


async def test_a_restarted_member_begins_at_the_first_batch_that_was_not_settled(cluster: Cluster) -> None:
    topic, member = await five_batches(cluster)
    member.batches[0].done()
    member.batches[2].done()
    await member.app.stop()
    again = cluster.member(topic, limits=TENS)
    await cluster.start(again.app)
    await until(lambda: sum(map(len, again.batches)) == 40, "the four batches behind the gap")
    assert offsets(again.batches) == {0: list(range(10, 50))}


async def test_an_agent_that_raises_leaves_its_batch_uncommitted(cluster: Cluster) -> None:
    kafka = cluster.kafka
    topic = await kafka.topic("source")
    await kafka.put(topic, values(30))
    app = cluster.app(TENS, [topic])
    seen: list[tuple[int, int]] = []

    @app.agent(app.topic(topic, schema=BatchSchema()), name="take")
    async def take(stream: Any) -> None:
        async for batch in stream:
            seen.append((batch.first, batch.last))
            if batch.first == 10:
                raise ValueError("a batch that no one can take")
            batch.done()

    await cluster.start(app)
    # Faust acknowledges the event of a raising agent, starts the agent again and hands it the next batch.
    await until(lambda: seen[-1:] == [(20, 29)], "the batch after the one that raised")
    await kafka.until_committed(kafka.prefix, topic, 10)
    await asyncio.sleep(ROUND_S)
    assert await kafka.committed(kafka.prefix, topic) == (10, "")

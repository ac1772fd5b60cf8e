"""What becomes of batches when partitions change hands: two members of a group on the real Kafka."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest
from transport_apps import PATIENCE_S, Cluster, Member, clusters, offsets, until, values

from parrot_faust.distribution import Addresses
from parrot_faust.transport import Batch, BatchLimits, BatchSchema

pytestmark = pytest.mark.integration

PARTITIONS = range(4)
TENS = BatchLimits(records=10, partition_batches=10)
ROUND_S = 0.5  # five commit intervals

Applied = defaultdict[int, set[int]]  # offsets by partition


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


async def both_have_their_half(topic: str, first: Member, second: Member) -> None:
    await until(
        lambda: (
            len(first.partitions(topic)) == len(second.partitions(topic)) == 2
            and first.partitions(topic) | second.partitions(topic) == set(PARTITIONS)
        ),
        "two partitions each",
    )


def worker(cluster: Cluster, topic: str, applied: Applied, seed: int) -> Member:
    """A member that takes its time with each batch, several at once, and settles them as they are applied."""
    member = Member(cluster.app(TENS, [topic]))
    chance, tasks = random.Random(seed), set()

    async def apply(batch: Batch) -> None:
        await asyncio.sleep(chance.uniform(0.0, 0.1))
        applied[batch.partition].update(record.offset for record in batch.records)
        batch.done()

    @member.app.agent(member.app.topic(topic, schema=BatchSchema()), name="take")
    async def take(stream: Any) -> None:
        async for batch in stream:
            member.batches.append(batch)
            task = asyncio.create_task(apply(batch))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    return member


async def committed_is_applied(cluster: Cluster, topic: str, applied: Applied) -> None:
    """The promise at any moment: no offset is committed past a record that was not applied."""
    for partition in PARTITIONS:
        end, _ = await cluster.kafka.committed(cluster.kafka.prefix, topic, partition) or (0, "")
        assert set(range(end)) <= applied[partition], f"partition {partition} is committed up to {end}"


async def test_every_record_is_settled_at_least_once_while_a_member_joins_and_leaves(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=4)
    applied: Applied = defaultdict(set)
    first, second = worker(cluster, topic, applied, 1), worker(cluster, topic, applied, 2)
    ends = dict.fromkeys(PARTITIONS, 0)

    async def put_and_look(rounds: int) -> None:
        for _ in range(rounds):
            for partition in PARTITIONS:
                ends[partition] = await kafka.put(topic, values(25), partition) + 1
            await committed_is_applied(cluster, topic, applied)
            await asyncio.sleep(0.02)

    await cluster.start(first.app)
    await put_and_look(10)
    joining = asyncio.create_task(cluster.start(second.app))
    while not joining.done():
        await put_and_look(1)
    await both_have_their_half(topic, first, second)
    await put_and_look(10)
    await until(lambda: len(second.batches) > 4, "the second member at work")
    leaving = asyncio.create_task(second.app.stop())
    while not leaving.done():
        await put_and_look(1)
    await until(lambda: first.partitions(topic) == set(PARTITIONS), "the first member with all of it again")
    await put_and_look(10)
    for partition in PARTITIONS:
        await kafka.until_committed(kafka.prefix, topic, ends[partition], partition)
    await committed_is_applied(cluster, topic, applied)
    assert all(applied[partition] == set(range(ends[partition])) for partition in PARTITIONS)
    for member in (first, second):
        for partition in PARTITIONS:
            in_order_and_once(member.of(partition))


def in_order_and_once(batches: list[Batch]) -> None:
    """Within a generation, no record of a partition comes twice, out of order or not at all."""
    ends: dict[int, int] = {}
    for batch in batches:
        assert batch.first == ends.get(batch.generation, batch.first)
        assert [record.offset for record in batch.records] == list(range(batch.first, batch.last + 1))
        ends[batch.generation] = batch.last + 1


async def test_a_batch_settled_after_its_partition_was_taken_away_commits_nothing(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=4)
    for partition in PARTITIONS:
        await kafka.put(topic, values(30), partition)
    first, second = cluster.member(topic, limits=TENS), cluster.member(topic, limits=TENS)
    await cluster.start(first.app)
    await until(lambda: sum(map(len, first.batches)) == 120, "all of it at the first member")
    for partition in PARTITIONS:
        first.of(partition)[0].done("in time")
        await kafka.until_committed(kafka.prefix, topic, 10, partition)
    old = [*first.batches]

    await cluster.start(second.app)
    await both_have_their_half(topic, first, second)
    await until(lambda: sum(map(len, second.batches)) == 40, "what is not committed, at the second member")
    await until(lambda: sum(map(len, first.batches[len(old) :])) == 40, "and at the first, of what it kept")
    for batch in old:
        batch.done("late")
    await asyncio.sleep(ROUND_S)
    for partition in PARTITIONS:
        assert await kafka.committed(kafka.prefix, topic, partition) == (10, "in time")

    assert offsets([*second.batches, *first.batches[len(old) :]]) == {key: list(range(10, 30)) for key in PARTITIONS}
    for batch in (*second.batches, *first.batches[len(old) :]):
        assert batch.generation > old[0].generation
        batch.done("anew")
    for partition in PARTITIONS:
        assert await kafka.until_committed(kafka.prefix, topic, 30, partition) == "anew"


async def test_a_late_settlement_does_not_count_when_the_partition_comes_back(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=4)
    for partition in PARTITIONS:
        await kafka.put(topic, values(30), partition)
    first, second = cluster.member(topic, limits=TENS), cluster.member(topic, limits=TENS)
    await cluster.start(first.app)
    await until(lambda: sum(map(len, first.batches)) == 120, "all of it at the first member")
    old = [*first.batches]
    await cluster.start(second.app)
    await both_have_their_half(topic, first, second)
    await until(lambda: sum(map(len, second.batches)) == 60, "the second member's half")
    await until(lambda: sum(map(len, first.batches[len(old) :])) == 60, "and the first's")
    for batch in old:
        batch.done("late")
    await second.app.stop()
    await until(lambda: sum(map(len, first.batches[len(old) :])) == 180, "all of it at the first member, again")
    await asyncio.sleep(ROUND_S)
    for partition in PARTITIONS:
        assert await kafka.committed(kafka.prefix, topic, partition) is None


async def test_what_is_settled_when_partitions_are_taken_away_is_committed_first(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=4)
    for partition in PARTITIONS:
        await kafka.put(topic, values(20), partition)
    first, second = cluster.member(topic, limits=TENS), cluster.member(topic, limits=TENS)
    first.app.conf.broker_commit_interval = 3_600.0  # only the loss of the partitions can make it commit
    await cluster.start(first.app)
    await until(lambda: sum(map(len, first.batches)) == 80, "all of it at the first member")
    for partition in PARTITIONS:
        first.of(partition)[0].done()
    await cluster.start(second.app)
    await both_have_their_half(topic, first, second)
    await until(lambda: sum(map(len, second.batches)) == 20, "what was not settled, at the second member")
    assert all(batch.first == 10 for batch in second.batches)


async def test_a_member_that_is_stuck_in_a_batch_does_not_hold_up_the_others(cluster: Cluster) -> None:
    kafka, topic = cluster.kafka, await cluster.kafka.topic("source", partitions=4)
    for partition in PARTITIONS:
        await kafka.put(topic, values(10), partition)
    first, second = Member(cluster.app(TENS, [topic])), cluster.member(topic, limits=TENS, settles=lambda _: True)
    answer = asyncio.Event()

    @first.app.agent(first.app.topic(topic, schema=BatchSchema()), name="take")
    async def take(stream: Any) -> None:
        async for batch in stream:
            first.batches.append(batch)
            await answer.wait()  # a store that does not answer

    await cluster.start(first.app)
    await until(lambda: len(first.batches) == 1, "a batch at the first member")
    try:
        async with asyncio.timeout(PATIENCE_S):
            await cluster.start(second.app)
            await both_have_their_half(topic, first, second)
            await until(lambda: sum(map(len, second.batches)) == 20, "the second member's half of the records")
            assert len(first.batches) == 1
    finally:
        answer.set()

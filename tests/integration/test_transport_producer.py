"""What Faust's producer would keep to itself for twenty minutes, on the real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from transport_apps import PATIENCE_S, Cluster, clusters

from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


async def test_a_topic_known_from_the_beginning_is_not_forgotten_while_a_record_waits_to_be_sent(
    cluster: Cluster,
) -> None:
    source, known, other = [await cluster.kafka.topic(name) for name in ("source", "known", "other")]
    member = cluster.member(source)
    await cluster.start(member.app)
    producer = member.app.producer
    client, sender = producer._producer.client, producer._producer._sender
    client._topics.clear()  # as it begins: with a view of all topics
    await client.force_metadata_update()
    assert known in client.cluster.topics()

    sender._in_flight.add(1)  # as while the broker has not answered to what was sent before
    sent = await producer.send(known, b"k", b"v", 0, None, None)
    client.add_topic(other)
    await client.force_metadata_update()
    sender._in_flight.discard(1)
    async with asyncio.timeout(PATIENCE_S):
        await (await producer.send(other, b"k", b"v", 0, None, None))
        assert (await sent).topic == known

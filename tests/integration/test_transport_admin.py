"""The admin connection and the fetched heartbeat, on the real Kafka."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from transport_apps import Cluster, clusters, until

from parrot_faust.distribution import Addresses
from parrot_faust.transport.admin import BrokerAdmin, TopicPlan

pytestmark = pytest.mark.integration
NOWHERE = "127.0.0.1:1"


@pytest.fixture
async def cluster(distribution: Addresses) -> AsyncIterator[Cluster]:
    async with clusters(distribution.kafka) as made:
        yield made


async def test_topics_are_made_as_planned_and_what_exists_is_left_as_it_is(cluster: Cluster) -> None:
    admin, prefix = cluster.kafka.admin, cluster.kafka.prefix
    first = TopicPlan(f"{prefix}.a", 3, {"cleanup.policy": "compact"})
    assert await admin.ensure([first]) == {first.name: 3}
    both = [TopicPlan(first.name, 8, {}), TopicPlan(f"{prefix}.b", 2, {})]
    assert await admin.ensure(both) == {f"{prefix}.a": 3, f"{prefix}.b": 2}
    topics = await admin.topics()
    assert {name: count for name, count in topics.items() if name.startswith(prefix)} == {
        f"{prefix}.a": 3,
        f"{prefix}.b": 2,
    }


async def test_two_that_make_the_same_topic_at_once_both_find_it(cluster: Cluster, distribution: Addresses) -> None:
    other = BrokerAdmin({"bootstrap_servers": [distribution.kafka]}, 1, logging.getLogger("tests"))
    await other.connect(lambda: False)
    plan = TopicPlan(f"{cluster.kafka.prefix}.a", 2, {})
    try:
        assert await asyncio.gather(cluster.kafka.admin.ensure([plan]), other.ensure([plan])) == [{plan.name: 2}] * 2
    finally:
        await other.close()


async def test_a_broker_that_is_away_is_waited_for_and_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parrot_faust.transport.admin.CONNECT_RETRY_S", 0.05)
    admin, asked = BrokerAdmin({"bootstrap_servers": [NOWHERE]}, 1, logging.getLogger("tests.away")), 0

    def enough() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with caplog.at_level(logging.WARNING, "tests.away"):
        await admin.connect(enough)
    assert asked == 4
    assert [record.name for record in caplog.records].count("tests.away") == 1
    assert NOWHERE in caplog.text
    with pytest.raises(RuntimeError):
        _ = admin.client


async def test_the_lease_runs_from_the_last_heartbeat_that_was_accepted(cluster: Cluster) -> None:
    member = cluster.member(await cluster.kafka.topic("source"))
    await cluster.start(member.app)
    began = member.consumer.lease_until(0)
    assert began > time.monotonic() - 30
    await until(lambda: member.consumer.lease_until(0) > began, "a heartbeat")
    coordinator = member.consumer._thread._ensure_consumer()._coordinator
    coordinator._send_req = refuse = Refusing()
    await until(lambda: refuse.asked >= 1, "a heartbeat that is not accepted")
    last = member.consumer.lease_until(0)
    await until(lambda: refuse.asked >= 3, "more of them")
    assert member.consumer.lease_until(6.0) == last + 6.0


class Refusing:
    """A connection on which every request fails."""

    asked = 0

    async def __call__(self, *_: object) -> None:
        from aiokafka.errors import RequestTimedOutError

        self.asked += 1
        raise RequestTimedOutError

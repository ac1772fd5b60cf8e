"""A source topic that is deleted and made again, by a database whose clock is behind. About 40 seconds."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from pipelines import STORES, Pipeline, eventually, pipeline

from parrot_faust.distribution import Addresses
from parrot_faust.transport.admin import BrokerAdmin, TopicPlan

pytestmark = pytest.mark.integration

HOUR_US = 3_600_000_000
COLUMNS = "{id: int32, n: int32}"


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        made.sql("create table goods (id int primary key, n int)")  # for its name and types only
        yield made


class Source:
    """The topic of the table, written by hand: what Debezium would send of databases with other clocks."""

    def __init__(self, run: Pipeline) -> None:
        self.topic, self._name, self._address = run.topic("goods"), run.name, run.addresses.kafka

    async def make(self, delete: bool = False) -> None:
        admin = BrokerAdmin({"bootstrap_servers": self._address}, 1, logging.getLogger("test"))
        await admin.connect(lambda: False)
        try:
            if delete:
                await admin.client.delete_topics([self.topic])
                while self.topic in await admin.topics():  # noqa: ASYNC110 - the broker tells nobody
                    await asyncio.sleep(0.1)
                await asyncio.sleep(6)  # long enough for a running worker to have noticed
            await admin.ensure([TopicPlan(self.topic, 1, {})])
        finally:
            await admin.close()

    async def send(self, *changes: tuple[str, int, int | None], time_us: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._address)
        await producer.start()
        try:
            for op, key, n in changes:
                row: dict[str, Any] = {"id": key, "n": n}
                source = {"db": "shop", "schema": self._name, "table": "goods", "ts_us": time_us}
                value = {"before": None, "after": None if op == "d" else row, "source": source, "op": op}
                await producer.send_and_wait(
                    self.topic, json.dumps(value).encode(), key=json.dumps({"id": key}).encode(), partition=0
                )
        finally:
            await producer.stop()


def holds(run: Pipeline, rows: Sequence[tuple[int, int]]) -> None:
    for store in STORES:

        def equal(store: str = store) -> bool:
            return sorted(run.store(store, "goods", "id").values()) == sorted(rows)

        eventually(equal, 90)


def test_rows_of_a_topic_made_anew_by_a_database_whose_clock_is_behind_are_live(run: Pipeline) -> None:
    source, now = Source(run), time.time_ns() // 1000
    asyncio.run(source.make())
    settings = f"tables: {{{source.topic}: {{columns: {COLUMNS}}}}}"
    worker = run.worker(settings)
    asyncio.run(
        source.send(("c", 1, 1), ("c", 2, 2), ("c", 3, 3), ("d", 1, None), ("d", 3, None), time_us=now + HOUR_US)
    )
    holds(run, [(2, 2)])

    # While the worker runs: tombstones in HBase are an hour ahead, and the broker forgot the version with the topic.
    asyncio.run(source.make(delete=True))
    asyncio.run(source.send(("c", 1, 10), ("u", 2, 20), time_us=now - HOUR_US))
    holds(run, [(1, 10), (2, 20)])

    # And while none runs.
    assert worker.stop() == 0
    asyncio.run(source.make(delete=True))
    asyncio.run(source.send(("c", 3, 300), ("u", 1, 100), ("d", 2, None), time_us=now - 2 * HOUR_US))
    run.worker(settings)
    holds(run, [(1, 100), (3, 300)])

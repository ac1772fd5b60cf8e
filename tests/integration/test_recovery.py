"""What becomes of a worker whose own tables do not come back from their changelogs. About 30 seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from pipelines import Pipeline, eventually, pipeline

from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


async def write(address: str, topic: str, key: bytes, value: bytes) -> int:
    producer = AIOKafkaProducer(bootstrap_servers=address)
    await producer.start()
    try:
        return int((await producer.send_and_wait(topic, value, key=key, partition=0)).offset)
    finally:
        await producer.stop()


def test_a_changelog_that_cant_be_read_ends_the_worker_with_its_address(run: Pipeline) -> None:
    run.sql("create table goods (id int primary key)")
    run.sql("insert into goods values (1)")
    run.capture("goods")
    run.rules("goods", "columns: {id: [not_be_null]}\n")
    worker = run.worker()
    run.equal("goods", "id")
    assert worker.stop() == 0

    changelog = f"{run.app}-rules-changelog"
    offset = asyncio.run(write(run.addresses.kafka, changelog, b"\xff no key of ours", b"\xff no value of ours"))
    broken = run.launch()

    def ended() -> bool:
        return not broken.running

    eventually(ended, 60)
    assert broken.stop() not in (0, None)
    log = broken.log.read_text(errors="replace")
    assert f"{changelog}[0] offset {offset}" in log
    assert "delete the topic while no worker runs" in log

    run.broker.remove((changelog,))
    run.sql("insert into goods values (2)")
    run.worker()
    run.equal("goods", "id")

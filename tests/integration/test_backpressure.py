"""A store that is slow, and a worker that is killed: what the others do meanwhile. About 50 seconds."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipelines import STORES, Pipeline, eventually, pipeline
from proxies import Proxy

from parrot_faust.bench.backpressure import JOINED
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration

ROWS = 20_000
#: Of a worker. What waits for the slow store is in its topic, not in memory.
MEMORY = 500 << 20


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


@pytest.fixture
def proxies(run: Pipeline) -> Iterator[list[Proxy]]:
    made = [Proxy(run.addresses.hbase_thrift), Proxy(run.addresses.hbase_thrift2)]
    yield made
    for proxy in made:
        proxy.close()


def applied(worker: Worker, sink: str, topic: str) -> int:
    tables = worker.stats()["sinks"][sink]["tables"]
    return int(tables.get(topic, {"applied": 0})["applied"])


def test_a_slow_store_holds_up_only_itself_and_costs_no_heartbeat(run: Pipeline, proxies: list[Proxy]) -> None:
    run.sql("create table goods (id int primary key, body text)")
    run.sql("insert into goods values (0, 'first')")
    run.capture("goods")
    worker = run.worker(thrift=proxies[0].address, thrift2=proxies[1].address)
    topic = run.topic("goods")
    run.equal("goods", "id")
    for proxy in proxies:
        proxy.delay(0.4)
    for first in range(1, ROWS, 2_000):
        run.sql(f"insert into goods select n, repeat('y', 200) from generate_series({first}, {first + 1_999}) n")

    def kudu_has_all() -> bool:
        return applied(worker, "kudu", topic) == ROWS + 1

    eventually(kudu_has_all)
    behind = ROWS + 1 - applied(worker, "hbase", topic)
    stats = worker.stats()
    assert behind > ROWS // 4, "the slow store was not slow"
    assert stats["sinks"]["kudu"]["state"] == "ok"
    assert stats["memory"] < MEMORY
    for proxy in proxies:
        proxy.delay(0.0)
    run.equal("goods", "id")
    assert run.log().count(JOINED) == 1, "the worker lost its place in the group"
    assert run.dead("goods").records == 0
    assert applied(worker, "hbase", topic) == ROWS + 1


def test_what_a_killed_worker_had_is_taken_over_by_the_other(run: Pipeline) -> None:
    run.sql("create table goods (id int primary key, n int)")
    run.sql("insert into goods select n, 0 from generate_series(1, 50) n")
    run.capture("goods")
    workers = [run.worker(), run.worker()]
    run.equal("goods", "id")

    def reader() -> Worker | None:
        run.sql("update goods set n = n + 1")
        counts = [worker.stats()["sources"].get(run.topic("goods"), {"captured": 0})["captured"] for worker in workers]
        moved = [worker for worker, count, old in zip(workers, counts, seen, strict=True) if count > old]
        seen[:] = counts
        return moved[0] if len(moved) == 1 else None

    seen = [10**9, 10**9]
    victim = eventually(reader, 60, 1.0)
    survivor = next(worker for worker in workers if worker is not victim)
    os.kill(victim.pid, signal.SIGKILL)
    run.sql("update goods set n = -1 where id <= 25")
    run.sql("delete from goods where id > 25")
    assert len(run.equal("goods", "id")) == 25
    assert survivor.running
    assert run.dead("goods").records == 0
    for store in STORES:
        assert set(run.store(store, "goods", "id").values()) == set(run.source("goods", "id").values())

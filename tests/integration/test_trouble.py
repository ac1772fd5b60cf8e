"""What the worker does when something it needs is away, slow or frozen."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from pipelines import STORES, Pipeline, eventually, pipeline
from proxies import Proxy

from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses, Local


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


def applied(worker: Worker, sink: str, topic: str) -> int:
    tables = worker.stats()["sinks"][sink]["tables"]
    return int(tables.get(topic, {"applied": 0})["applied"])


def address_of(url: str) -> str:
    return url.split("//")[1].split("/")[0]


@pytest.fixture
def proxies() -> Iterator[list[Proxy]]:
    made: list[Proxy] = []
    yield made
    for proxy in made:
        proxy.close()


@pytest.mark.parametrize("fault", ["cut", "freeze"])
def test_a_store_that_is_away_holds_up_only_itself_and_loses_nothing(
    run: Pipeline, proxies: list[Proxy], fault: str
) -> None:
    proxies += [Proxy(run.addresses.hbase_thrift), Proxy(run.addresses.hbase_thrift2)]
    run.sql("create table goods (id int primary key, n int)")
    run.sql("insert into goods select n, 0 from generate_series(1, 200) n")
    run.capture("goods")
    worker = run.worker(thrift=proxies[0].address, thrift2=proxies[1].address)
    run.equal("goods", "id")
    before = applied(worker, "hbase", run.topic("goods"))
    for proxy in proxies:
        getattr(proxy, fault)()
    run.sql("update goods set n = n + 1")
    run.sql("delete from goods where id <= 10")

    def kudu_is_current() -> bool:
        return run.store("kudu", "goods", "id") == run.source("goods", "id")

    eventually(kudu_is_current)

    def said() -> bool:
        return worker.stats()["sinks"]["hbase"]["state"] == "retrying"

    eventually(said)
    assert applied(worker, "hbase", run.topic("goods")) == before
    assert worker.stats()["sinks"]["kudu"]["state"] == "ok"
    for proxy in proxies:
        proxy.heal()
    run.equal("goods", "id")
    log = run.log()
    assert log.count("trying again until it answers") == 1
    assert "hbase is back" in log
    assert run.dead("goods").records == 0
    assert applied(worker, "hbase", run.topic("goods")) == applied(worker, "kudu", run.topic("goods")) == 410


def test_a_registry_that_is_away_at_the_start_is_waited_for(run: Pipeline, proxies: list[Proxy]) -> None:
    proxies.append(Proxy(address_of(run.addresses.registry)))
    proxies[0].cut()
    run.sql("create table early (id int primary key)")
    run.sql("insert into early values (1), (2)")
    run.capture("early")
    registry = run.addresses.registry.replace(address_of(run.addresses.registry), proxies[0].address)
    worker = run.worker(registry=registry)

    def said() -> bool:
        return "trying again in" in run.log() and proxies[0].connections >= 2

    eventually(said)
    assert not worker.stats()["sources"]
    proxies[0].heal()
    run.equal("early", "id")
    assert run.dead("early").records == 0


def test_a_broker_that_is_away_at_the_start_is_waited_for(run: Pipeline, proxies: list[Proxy]) -> None:
    proxies.append(Proxy(run.addresses.kafka))
    proxies[0].cut()
    run.sql("create table early (id int primary key)")
    run.sql("insert into early values (1), (2)")
    run.capture("early")
    worker = run.launch(brokers=proxies[0].address)

    def said() -> bool:
        return "no Kafka broker at" in run.log() and proxies[0].connections >= 2

    eventually(said)
    assert worker.running
    proxies[0].heal()
    run.equal("early", "id")


def test_a_worker_that_is_told_to_stop_ends_also_while_the_broker_does_not_answer(run: Pipeline, local: Local) -> None:
    run.sql("create table short (id int primary key, n int)")
    run.sql("insert into short select n, 0 from generate_series(1, 300) n")
    run.capture("short")
    worker = run.worker(delivery="commit_interval_s: 60.0")  # so that the end has something to commit
    run.equal("short", "id")
    broker = local.processes()["kafka"]
    broker.suspend()
    try:
        assert worker.stop() == 0
    finally:
        broker.resume()
    run.sql("update short set n = 1")
    assert "it is cut off. What was not committed is read again" in run.log()
    (last,) = (line for line in run.log().splitlines() if "the worker has ended" in line)
    assert 'why="signal SIGTERM"' in last
    assert 'offsets="not committed' in last
    run.worker()
    run.equal("short", "id")
    assert run.dead("short").records == 0


def test_a_worker_frozen_past_its_session_and_thawed_undoes_nothing(run: Pipeline) -> None:
    run.sql("create table hot (id int primary key, n int, filler text)")
    run.sql("insert into hot select n, 0, repeat('x', 200) from generate_series(1, 300) n")
    run.capture("hot")
    quick = "session_timeout_s: 6.0, heartbeat_s: 1.0, lease_s: 4.0, retry_first_s: 0.3, retry_cap_s: 1.0"
    workers = [run.worker(delivery=quick), run.worker(delivery=quick)]
    run.equal("hot", "id")

    def each_shows_both() -> bool:
        pages = [worker.page() for worker in workers]
        captured = [page["totals"]["captured"] for page in pages]
        return captured == [300, 300] and all(page["about"].startswith("2 workers") for page in pages)

    eventually(each_shows_both)
    number = 0
    for frozen in workers:
        for _ in range(10):  # so that it has something in its hands
            number += 1
            run.sql("update hot set n = %s where id %% 3 = %s", number, number % 3)
        assert frozen.pid is not None
        os.killpg(frozen.pid, signal.SIGSTOP)  # the worker and the processes of its sinks, as a frozen machine
        stopped = time.monotonic()
        other = workers[1 - workers.index(frozen)]
        number += 1
        run.sql("update hot set n = %s", number)
        run.sql("delete from hot where id %% 50 = %s", number % 50)
        run.equal("hot", "id", timeout_s=60)
        assert time.monotonic() - stopped > 1
        before = run.source("hot", "id")
        os.killpg(frozen.pid, signal.SIGCONT)

        def rejoined(frozen: Worker = frozen) -> bool:
            return bool(frozen.running and frozen.stats()["uptime"])

        eventually(rejoined)
        time.sleep(8)  # what it still held would have been written by now
        for store in STORES:
            assert run.store(store, "hot", "id") == before, store
        assert other.running
    run.sql("update hot set n = -1")
    run.equal("hot", "id")
    assert run.dead("hot").records == 0


def sink_process(worker: Worker, library: str) -> psutil.Process:
    """The process of a worker's sink that has loaded the library of the store's client."""
    (found,) = [
        child
        for child in psutil.Process(worker.pid).children()
        if any(library in mapped.path for mapped in child.memory_maps())
    ]
    return found


def test_a_row_that_a_thawed_worker_writes_over_a_newer_one_is_written_again(run: Pipeline) -> None:
    """The freeze comes where nothing can prevent it: Kudu's process has looked at its lease and sends right after."""
    run.sql("create table late (id int primary key, n int)")
    run.sql("insert into late values (1, 0)")
    run.capture("late")
    quick = "session_timeout_s: 6.0, heartbeat_s: 1.0, lease_s: 4.0, retry_first_s: 0.3, retry_cap_s: 1.0"
    frozen = run.worker(delivery=quick, failpoints="kudu_client.before_flush=sleep:2:3")
    run.equal("late", "id")
    run.sql("update late set n = 1")
    eventually(lambda: "fail point kudu_client.before_flush: sleep" in run.log())
    assert frozen.pid is not None
    kudu = sink_process(frozen, "kudu_client")
    os.killpg(frozen.pid, signal.SIGSTOP)
    run.worker(delivery=quick)
    run.sql("update late set n = 2")
    run.equal("late", "id")
    kudu.send_signal(signal.SIGCONT)
    eventually(lambda: run.store("kudu", "late", "id") == {(1,): (1, 1)})
    os.killpg(frozen.pid, signal.SIGCONT)
    run.equal("late", "id")
    eventually(lambda: re.search(r"wrote [2-9] rows again", run.log()))
    assert frozen.running
    assert run.dead("late").records == 0


def test_the_event_loop_goes_on_while_a_sink_s_process_stands_still(run: Pipeline) -> None:
    run.sql("create table steady (id int primary key, body text)")
    run.capture("steady")
    worker = run.worker("batch: {records: 1000}")
    run.sql("insert into steady select n, repeat('y', 500) from generate_series(1, 3000) n")
    run.equal("steady", "id")
    children = [
        child
        for child in psutil.Process(worker.pid).children()
        if any("spawn_main" in part for part in child.cmdline())
    ]
    assert len(children) == len(STORES)
    for child in children:
        child.suspend()
    run.sql("insert into steady select n, repeat('z', 500) from generate_series(3001, 20000) n")

    def all_captured() -> bool:
        return bool(worker.stats()["sources"][run.topic("steady")]["captured"] == 20_000)

    eventually(all_captured)
    for child in children:
        with suppress(psutil.NoSuchProcess):  # a call's deadline may have ended it
            child.resume()
    run.equal("steady", "id")
    assert worker.stats()["loop_lag_ms"]["own"] < 100

"""Windows over what workers read that are killed, and a table that is paused while another one flows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner
from pipelines import Pipeline, eventually, pipeline
from sources import make_topic

from parrot_faust.cli.breaker import breaker as commands
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration

#: The grace is longer than a killed worker's partitions stand still.
WINDOWS = """
windows:
  - every: 10s
    grace: 30s
    checks:
      - row_count_to_be_between: {min_value: 1}
      - be_unique: {column: id}
      - sum_to_be_between: {column: n, max_value: 1000000}
      - freshness: 1s
schema: [{column_count_to_equal: 3}]
"""
BREAKER = """
columns: {n: [{be_between: {max_value: 10}}]}
breaker: {failed: 50%, within: 30s, at_least: 10}
"""


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


def send(run: Pipeline, table: str, rows: Iterable[tuple[int, int]], ts_ms: int) -> None:
    """Write rows of id and n in Debezium's JSON, into the partition that the id says; return when they are there."""

    async def work() -> None:
        source = {"db": run.name, "schema": run.name, "table": table, "ts_ms": ts_ms}
        async with AIOKafkaProducer(bootstrap_servers=run.addresses.kafka) as producer:
            for identity, n in rows:
                value = {"before": None, "after": {"id": identity, "n": n}, "source": source, "op": "c"}
                key = json.dumps({"id": identity}).encode()
                await producer.send_and_wait(run.topic(table), json.dumps(value).encode(), key, identity % 2)

    asyncio.run(work())


def results(run: Pipeline) -> list[dict[str, Any]]:
    """All that was said of windows, in order."""
    return [json.loads(value or b"") for _, _, value in run.broker.read(f"{run.app}.windows", contents=True).contents]


def metrics(worker: Worker) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics") as answer:
        text: str = answer.read().decode()
    return text


def quality(worker: Worker) -> Any:
    """The quality page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/quality?format=json") as answer:
        return json.load(answer)


def command(worker: Worker, *arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(commands, [*arguments, "--json"], env={"PARROT_CONFIG": str(worker.settings)})
    return done.exit_code, json.loads(done.stdout) if done.stdout else done.stderr


def test_a_window_is_one_verdict_over_all_rows_once_and_a_breaker_pauses_its_table_alone(run: Pipeline) -> None:
    for table, rules in (("goods", WINDOWS), ("bad", BREAKER)):
        run.sql(f"create table {table} (id bigint primary key, n bigint)")
        run.rules(table, rules)
        make_topic(run.addresses.kafka, run.topic(table), 2)
    first, second = run.launch(), run.launch()
    for worker in (first, second):
        worker.wait()

    def stored(table: str) -> set[int]:
        return {key[0] for key in run.store("kudu", table, "id")}

    eventually(lambda: all(len(worker.stats().get("partitions", {})) for worker in (first, second)))
    now = int(time.time() * 1000)
    start = now - now % 10_000
    send(run, "goods", ((number, 1) for number in range(200)), start + 1_000)
    eventually(lambda: len(stored("goods")) == 200)

    send(run, "bad", ((number, 100) for number in range(10)), now)
    paused = eventually(lambda: command(second, "list")[1])
    assert [one["table"] for one in paused] == [run.topic("bad")]
    send(run, "bad", ((number, 5) for number in range(100, 104)), now)
    for worker in (first, second):  # what they read since their last commit is read again, and windows wait for it
        os.killpg(worker.pid or 0, signal.SIGKILL)
    send(run, "goods", ((number, 1) for number in range(200, 300)), start + 2_000)
    third = run.worker()
    eventually(lambda: len(stored("goods")) == 300)
    eventually(lambda: "is PAUSED before offset" in third.log.read_text())
    assert f'parrot_table_paused{{table="{run.topic("bad")}"}} 1.0' in metrics(third)
    assert not stored("bad") & {100, 101, 102, 103}
    assert command(third, "resume", "bad") == (0, {"table": run.topic("bad"), "taken": True})
    eventually(lambda: stored("bad") >= {100, 101, 102, 103})
    assert command(third, "list") == (0, [])

    found = eventually(lambda: [one for one in results(run) if one["start_ms"] == start])
    verdicts = {one["rule"]: (one["success"], one["observed"], one["rows"]) for one in found}
    assert len(found) == len(verdicts) == 4
    assert {one["late"] for one in found} == {0}
    assert verdicts == {
        "row_count_to_be_between": (True, 300, 300),
        "id.be_unique": (True, {"repeated": 0, "of": 300}, 300),
        "n.sum_to_be_between": (True, 300, 300),
        "freshness": (False, {"age_ms": 8_000}, 300),
    }
    shape = [one for one in results(run) if one["rule"] == "column_count_to_equal"]
    assert [(one["success"], one["observed"]) for one in shape] == [(False, 2)]
    empty = eventually(lambda: [one for one in results(run) if one["start_ms"] == start + 10_000])
    said = {(one["rule"], one["success"]) for one in empty}
    assert said == {("row_count_to_be_between", False), ("freshness", False)}

    # Two workers that judged windows are gone: the page of the one that is left has their results.
    failing = {"freshness", "column_count_to_equal", "row_count_to_be_between"}
    eventually(lambda: failing <= {one["rule"] for one in quality(third)["windows"] if one["failed"]})
    shown = quality(third)
    assert {one["table"] for one in shown["windows"]} == {run.topic("goods")}
    assert [(one["table"], one["state"], one["breaker"]["at_least"]) for one in shown["breakers"]] == [
        (run.topic("bad"), "closed", 10)
    ]
    (said,) = [one for one in shown["troubles"] if "fails rule" in one["words"]]
    assert (said["table"], said["act"], "rule freshness" in said["words"]) == (run.topic("goods"), True, True)
    assert third.stop() == 0
    keys = [(one["rule"], one["start_ms"]) for one in results(run) if one["end_ms"] > one["start_ms"]]
    assert len(keys) == len(set(keys))

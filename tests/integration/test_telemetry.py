"""Traces and log of real workers on real parts: they join to records and to each other, and tell no values."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from collectors import Collector, attributes, collector
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pipelines import Pipeline, eventually, pipeline
from sources import make_topic

from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration

ROWS, PARTITIONS = 300, 2
BAD, BROKEN, LARGE = 7, 11, 13  # ids of a row that a rule holds back, of none that can be decoded, and of one too large
SECRET = "nobody-but-the-stores-may-see-this"  # in every row
RULES = "columns: {n: [{be_between: {max_value: 1000}}]}"
SETTINGS = "log: {{format: json}}\ntracing: {{endpoint: '{url}'}}"


@pytest.fixture
def there() -> Iterator[Collector]:
    with collector() as made:
        yield made


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        made.rules("goods", RULES)
        make_topic(distribution.kafka, made.topic("goods"), PARTITIONS)
        yield made
    drop_targets(distribution, {f"{made.name}.goods"})


def value(run: Pipeline, number: int) -> bytes:
    if number == BROKEN:
        return b"\x00 is no JSON: " + SECRET.encode()
    source = {"db": run.name, "schema": run.name, "table": "goods", "ts_ms": 1_790_000_000_000 + number}
    after: dict[str, Any] = {"id": number, "n": number, "note": SECRET}
    after |= {"n": 5_000} if number == BAD else {"note": SECRET * 4_000} if number == LARGE else {}
    return json.dumps({"before": None, "after": after, "source": source, "op": "c"}).encode()


def send(run: Pipeline, first: int = 0, count: int = ROWS) -> None:
    """Write rows in Debezium's JSON, those with even ids into partition 0."""

    async def work() -> None:
        async with AIOKafkaProducer(bootstrap_servers=run.addresses.kafka, max_request_size=4 << 20) as producer:
            for number in range(first, first + count):
                key = json.dumps({"id": number}).encode()
                await producer.send_and_wait(run.topic("goods"), value(run, number), key, number % PARTITIONS)

    asyncio.run(work())


def settled(worker: Worker, run: Pipeline, captured: int) -> bool:
    """Whether the worker has read so many records, and both stores have answered for what became of them."""
    view = worker.stats()
    source = view["sources"].get(run.topic("goods"), {"captured": 0, "forwarded": 0})
    sinks = [sink["tables"].get(run.topic("goods")) for sink in view["sinks"].values()]
    done = [one["applied"] + one["dead_lettered"] if one else 0 for one in sinks]
    return bool(source["captured"] == captured and done == [source["forwarded"]] * 2)


def metrics(worker: Worker) -> dict[str, float]:
    """What `/metrics` says of traces, by outcome."""
    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r'^parrot_traced_batches_total\{outcome="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {outcome: float(count) for outcome, count in found}


def lines(worker: Worker) -> list[dict[str, Any]]:
    """All lines of a worker and its writers. Each has to be a JSON document."""
    return [json.loads(line) for line in worker.log.read_text(encoding="utf-8").splitlines()]


def covered(runs: list[tuple[int, int, int]], partition: int) -> set[int]:
    return {offset for at, first, last in runs if at == partition for offset in range(first, last + 1)}


def runs_of(sources: list[str], topic: str) -> list[tuple[int, int, int]]:
    """The partition and the first and last offset of each run of source records that a writer's span names."""
    found = [re.fullmatch(rf"{re.escape(topic)}\[(\d+)\] (\d+)\.\.(\d+)", each) for each in sources]
    assert all(found), sources
    return [(int(one[1]), int(one[2]), int(one[3])) for one in found if one]


def test_every_record_is_found_in_the_traces_of_its_agent_and_its_writers_and_lines_are_json_with_its_place(
    run: Pipeline, there: Collector
) -> None:
    send(run)
    worker = run.worker(SETTINGS.format(url=there.url))
    eventually(lambda: settled(worker, run, ROWS))
    send(run, ROWS, 100)
    eventually(lambda: settled(worker, run, ROWS + 100))
    eventually(lambda: worker.stats()["traces"]["waiting"] == 0)
    counted = metrics(worker)
    assert (counted["refused"], counted["crowded"]) == (0, 0)
    assert 0 < counted["sent"] <= len(there.batches)
    identity = (worker.pid, worker.stop())

    topic = run.topic("goods")
    by_agent: dict[str, list[Span]] = {}
    for span in there.batches:
        by_agent.setdefault(str(attributes(span)["parrot.agent"]), []).append(span)
    assert set(by_agent) >= {"changes", "kudu_writer", "hbase_writer"}
    _steps(there, by_agent)
    changes = [attributes(span) for span in by_agent["changes"]]
    assert {(one["messaging.destination.name"], one["messaging.consumer.group.name"]) for one in changes} == {
        (topic, run.app)
    }
    runs = [
        (int(one["messaging.destination.partition.id"]), one["parrot.first_offset"], one["parrot.last_offset"])
        for one in changes
    ]
    for partition in range(PARTITIONS):
        assert covered(runs, partition) == set(range((ROWS + 100) // PARTITIONS)), "each record is in a batch's span"
    for sink in ("kudu", "hbase"):
        told = [attributes(span) for span in by_agent[f"{sink}_writer"]]
        assert {(one["parrot.sink"], one["messaging.destination.name"]) for one in told} == {
            (sink, f"{run.app}.writes.{sink}")
        }
        written = [one for each in told for one in runs_of(each["parrot.sources"], topic)]
        for partition in range(PARTITIONS):
            assert covered(written, partition) <= covered(runs, partition)
            missing = covered(runs, partition) - covered(written, partition)
            assert missing <= {BAD // 2, BROKEN // 2}, "and in one of each of its writers"
    held = {"parrot.quarantined": 1, "parrot.dead_lettered": 1, "parrot.forwarded": ROWS + 98}
    assert {name: sum(one.get(name, 0) for one in changes) for name in held} == held
    assert not [body for body in there.bodies if SECRET.encode() in body], "no value of a row travels with a span"
    _resources(there, run, identity)
    _log(worker, run, topic)


def _steps(there: Collector, by_agent: dict[str, list[Span]]) -> None:
    children: dict[bytes, list[Span]] = {}
    for span in there.spans:
        children.setdefault(span.parent_span_id, []).append(span)
    steps = {"changes": {"decode", "check", "send", "wait"}, "kudu_writer": {"write", "wait"}}
    for agent, wanted in steps.items():
        names = [{step.name for step in children[batch.span_id]} for batch in by_agent[agent]]
        assert set.union(*names) >= wanted, agent
    for batch in there.batches:
        assert (batch.kind, batch.status.code) == (Span.SPAN_KIND_CONSUMER, Status.STATUS_CODE_OK)
        for step in children.get(batch.span_id, ()):
            assert step.trace_id == batch.trace_id
            assert batch.start_time_unix_nano <= step.end_time_unix_nano <= batch.end_time_unix_nano + 1_000_000
    assert len({span.trace_id for span in there.batches}) == len(there.batches)


def _resources(there: Collector, run: Pipeline, identity: tuple[int | None, int | None]) -> None:
    told = [{each.key: each.value.string_value for each in one.resource.attributes} for one in there.resources]
    assert {one["service.name"] for one in told} == {run.app}
    (instance,) = {one["service.instance.id"] for one in told}
    assert instance.split("/")[1] == str(identity[0])
    assert identity[1] == 0


def _log(worker: Worker, run: Pipeline, topic: str) -> None:
    said = lines(worker)
    for line in said:
        assert {"time", "level", "logger", "message"} <= line.keys()
    own = [line for line in said if line["logger"] == "parrot"]
    assert (own[0]["message"], own[-1]["message"]) == ("the worker starts", "the worker has ended")
    assert (own[0]["app"], own[0]["sinks"], own[0]["rules"]) == (run.app, "kudu,hbase", f"{topic}(1)")
    end = own[-1]
    assert (end["captured"], end["quarantined"], end["dead_lettered"]) == (ROWS + 100, 1, 1)
    assert (end["kudu.dead_lettered"], end["why"], end["offsets"]) == (1, "signal SIGTERM", "committed")
    for number, sink in ((BROKEN, None), (LARGE, "kudu")):
        place = {"topic": topic, "partition": number % PARTITIONS, "offset": number // PARTITIONS}
        (line,) = [one for one in own if "error" in one and one.get("offset") == place["offset"]]
        assert {name: line.get(name) for name in place} == place
        assert line.get("sink") == sink
    about = [line for line in own if re.search(r"\[\d+\] offset \d+|\bpartition \d+|[./]\w+\[\d+\]", line["message"])]
    assert about
    for line in about:
        assert "topic" in line, line
        assert "partition" in line, line
        assert {"offset", "first_offset"} & line.keys(), line


def test_a_collector_that_refuses_costs_its_traces_which_are_counted_and_told_once(
    run: Pipeline, there: Collector
) -> None:
    there.status = 503
    send(run)
    worker = run.worker(SETTINGS.format(url=there.url))
    eventually(lambda: settled(worker, run, ROWS))
    eventually(lambda: metrics(worker)["refused"] > 0)
    counted = metrics(worker)
    assert worker.stop() == 0
    assert counted["sent"] == 0
    lost = [line for line in lines(worker) if "traces of" in line["message"]]
    assert lost
    assert all(line["level"] == "warning" for line in lost)
    assert len(lost) <= 2, "once when it begins, and once for the rest at the worker's end"
    assert sum(line["lost"] for line in lost) >= counted["refused"]
    said = [line for line in lines(worker) if line["logger"] == "parrot"][-1]
    assert (said["message"], said["captured"], said["offsets"]) == ("the worker has ended", ROWS, "committed")
    assert not [line for line in lines(worker) if line["logger"].startswith("opentelemetry")]


def test_a_store_that_is_away_is_told_in_json_too(run: Pipeline) -> None:
    send(run)
    worker = run.worker("log: {format: json}", masters="127.0.0.1:1")
    eventually(lambda: worker.stats()["sinks"].get("kudu", {}).get("state") == "retrying")
    assert worker.stop() == 0
    assert [line for line in lines(worker) if line["logger"] == "parrot" and line.get("sink") == "kudu"]

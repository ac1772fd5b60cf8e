"""Many small tables at once: how long a worker takes until each has its first row in the stores, and its memory."""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer

from parrot_faust.bench.load import MESSAGE_BYTES
from parrot_faust.bench.small_tables import check, drop
from parrot_faust.bench.transport import machine
from parrot_faust.demo.broker import Broker
from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution import Addresses, Local
from parrot_faust.errors import DistributionError
from parrot_faust.transport.admin import BrokerAdmin, TopicPlan

TARGET_S = 60.0  # from the worker's start to the last table's first row
FEW = 5  # tables that the memory is compared with
TIMEOUT_S = 900.0
POLL_S = 0.25
TOPICS_AT_ONCE = 100

SETTINGS = """\
app: {app}
brokers: '{brokers}'
state: '{state}'
web: {{port: {port}}}
source: {{topics: '{prefix}[.]public[.]t[0-9]+', format: json}}
sinks:
{sinks}
quality: '{quality}'
"""
SINKS = {
    "kudu": "  kudu: {{masters: ['{masters}'], replicas: 1, buckets: {buckets}, table: '{{prefix}}.{{table}}'}}",
    "hbase": "  hbase: {{thrift: '{thrift}', thrift2: '{thrift2}', table: '{{prefix}}.{{table}}'}}",
}

Say = Callable[[str], None]
log = logging.getLogger("parrot.bench")


@dataclass(frozen=True, slots=True)
class TablesReport:
    """One run. `seconds` are from a worker's start to the first row of every table in every store, the stores' tables
    being made meanwhile; `stages` those at which it was ready, had sent on all rows, and had them in each store;
    `again` is a second start, when all tables are there. `memory` is of each process at the end, `per_table` its growth
    over a start with `few` tables, in bytes.
    """

    tables: int
    few: int
    sinks: list[str]
    buckets: int
    seconds: float
    stages: dict[str, float]
    again: float
    memory: dict[str, int]
    per_table: dict[str, int]
    target: float
    met: bool
    machine: str


def measure_tables(local: Local, sinks: list[str], tables: int, buckets: int, say: Say) -> TablesReport:
    """Start a worker on `FEW` tables, then another app's on `tables` of them, and that one once more."""
    with tempfile.TemporaryDirectory() as folder:
        with Tables(local, Path(folder) / "few", sinks, FEW, buckets).there(say) as bench:
            _, few = bench.start(1, say)
        with Tables(local, Path(folder) / "all", sinks, tables, buckets).there(say) as bench:
            stages, memory = bench.start(1, say)
            bench.write(2, say)
            again, _ = bench.start(2, say)
            bench.check(say)
    seconds = max(stages[sink] for sink in sinks)
    return TablesReport(
        tables=tables,
        few=FEW,
        sinks=sinks,
        buckets=buckets,
        seconds=seconds,
        stages=stages,
        again=max(again[sink] for sink in sinks),
        memory=memory,
        per_table={name: grown(few[name], memory[name], tables) for name in memory},
        target=TARGET_S,
        met=seconds <= TARGET_S,
        machine=machine(),
    )


def grown(few: int, many: int, tables: int) -> int:
    """Bytes that each table beyond the few has added."""
    return round((many - few) / (tables - FEW))


class Tables:
    """Topics of one partition, each with the changes of one table, and workers that apply them."""

    def __init__(self, local: Local, folder: Path, sinks: list[str], tables: int, buckets: int) -> None:
        self._addresses: Addresses = local.addresses()
        self._folder, self._sinks, self._buckets = folder, sinks, buckets
        self._prefix = f"wide{uuid.uuid4().hex[:8]}"
        self._topics = [f"{self._prefix}.public.t{number}" for number in range(tables)]
        self._targets = [f"{self._prefix}.t{number}" for number in range(tables)]

    @contextmanager
    def there(self, say: Say) -> Iterator[Tables]:
        """The topics with a row each; they and all that workers make of them are gone afterwards."""
        try:
            asyncio.run(self._make(say))
            self.write(1, say)
            yield self
        finally:
            try:
                drop(self._addresses, self._sinks, self._targets, say)
            finally:
                say("removing the topics")
                Broker(self._addresses.kafka).remove((self._prefix,))

    def write(self, row: int, say: Say) -> None:
        """Write a row's insert into every topic."""
        say(f"writing row {row} of every table")
        asyncio.run(self._write(row))

    def pile_up(self, changes: int, say: Say) -> int:
        """Write so many updates of the rows, the same number of each table; return how many these are."""
        each = changes // len(self._topics)
        say(f"writing {each:,} changes of each table")
        asyncio.run(self._pile_up(each))
        return each * len(self._topics)

    def check(self, say: Say) -> None:
        """Raise DistributionError unless every store has two rows in every table."""
        check(self._addresses, self._sinks, self._targets, 2, say)

    def start(self, rows: int, say: Say) -> tuple[dict[str, float], dict[str, int]]:
        """Start a worker; return when it had come how far, and the memory of its processes then."""
        began = time.perf_counter()
        with self.working() as worker:
            stages = {"ready": round(time.perf_counter() - began, 1)}
            memory = self._follow(worker, began, stages, rows, say)
        return stages, memory

    @contextmanager
    def working(self) -> Iterator[Worker]:
        """A worker that is ready, and is stopped afterwards."""
        (self._folder / "rules").mkdir(parents=True, exist_ok=True)
        port = free_port()
        worker = Worker(self._folder, self._settings(port), port)
        with worker.at_work():
            yield worker

    def _follow(self, worker: Worker, began: float, stages: dict[str, float], row: int, say: Say) -> dict[str, int]:
        while True:
            stats = worker.stats()
            passed = round(time.perf_counter() - began, 1)
            come = {"sent on": sum(each["forwarded"] > 0 for each in stats["sources"].values())} | {
                sink: sum(each["applied"] > 0 for each in stats["sinks"][sink]["tables"].values())
                for sink in self._sinks
            }
            for stage, count in come.items():
                if count == len(self._topics):
                    stages.setdefault(stage, passed)
            told = ", ".join(f"{stage} {count:,}" for stage, count in come.items())
            say(f"start {row} with {len(self._topics):,} tables, {passed:.0f} s: {told}")
            if len(stages) == len(come) + 1:
                return _memory(stats, self._sinks)
            if passed > TIMEOUT_S:
                lines = worker.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                raise DistributionError(f"in {TIMEOUT_S:.0f} s only: {told}; the worker's last lines: {lines}")
            time.sleep(POLL_S)

    def _settings(self, port: int) -> str:
        addresses = self._addresses
        sinks = "\n".join(SINKS[sink] for sink in self._sinks)
        return SETTINGS.format(
            app=f"{self._prefix}-app",
            brokers=addresses.kafka,
            state=self._folder / "state",
            port=port,
            prefix=self._prefix,
            sinks=sinks.format(
                masters=addresses.kudu_masters[0],
                thrift=addresses.hbase_thrift,
                thrift2=addresses.hbase_thrift2,
                buckets=self._buckets,
            ),
            quality=self._folder / "rules",
        )

    async def _make(self, say: Say) -> None:
        admin = BrokerAdmin({"bootstrap_servers": [self._addresses.kafka]}, 1, log)
        await admin.connect(lambda: False)
        try:
            for at in range(0, len(self._topics), TOPICS_AT_ONCE):
                say(f"making topics: {at:,} of {len(self._topics):,}")
                await admin.ensure([TopicPlan(topic, 1, {}) for topic in self._topics[at : at + TOPICS_AT_ONCE]])
        finally:
            await admin.close()

    async def _write(self, row: int) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._addresses.kafka, acks=-1) as producer:
            sent = [await producer.send(topic, *insert(topic, row), partition=0) for topic in self._topics]
            await asyncio.gather(*sent)

    async def _pile_up(self, each: int) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self._addresses.kafka, acks=-1, max_batch_size=MESSAGE_BYTES
        ) as producer:
            for topic in self._topics:
                batch = producer.create_batch()
                value, key = insert(topic, 1)
                for _ in range(each):
                    if batch.append(key=key, value=value, timestamp=None) is None:
                        await producer.send_batch(batch, topic, partition=0)
                        batch = producer.create_batch()
                        batch.append(key=key, value=value, timestamp=None)
                await producer.send_batch(batch, topic, partition=0)
            await producer.flush()


def insert(topic: str, row: int) -> tuple[bytes, bytes]:
    """Value and key of a row's insert, as Debezium's JSON without schema has it."""
    prefix, schema, table = topic.split(".")
    moment = time.time_ns() // 1_000
    source: dict[str, Any] = {"db": prefix, "schema": schema, "table": table, "ts_us": moment, "ts_ms": moment // 1_000}
    after = {"id": row, "name": f"row {row}", "amount": 1.5, "note": None, "active": True}
    value = {"before": None, "after": after, "source": source, "op": "c", "ts_ms": moment // 1_000}
    return json.dumps(value).encode(), json.dumps({"id": row}).encode()


def _memory(stats: dict[str, Any], sinks: Sequence[str]) -> dict[str, int]:
    pids = {f"{sink} writer": stats["sinks"][sink]["pid"] for sink in sinks}
    found = {"worker": int(stats["memory"])}
    return found | {name: int(psutil.Process(pid).memory_info().rss) for name, pid in pids.items()}

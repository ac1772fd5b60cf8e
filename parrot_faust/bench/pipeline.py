"""The whole pipeline from Debezium's topic to the stores: changes a second, and what they cost each process."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import psycopg

from parrot_faust.bench.transport import machine
from parrot_faust.demo import connector
from parrot_faust.demo.broker import Broker
from parrot_faust.demo.leftovers import drop_capture, drop_targets
from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution import Addresses, Local
from parrot_faust.errors import DistributionError

TARGET = 10_000  # changes a second of one worker with Kudu
CAPTURE_TIMEOUT_S = 300.0
APPLY_TIMEOUT_S = 300.0
POLL_S = 0.05

TABLE = """
create table bench (id bigint primary key, customer int, status text, total numeric(12,2), placed timestamptz,
  note text, quantity int, ratio double precision, country text, active boolean)
"""
INSERT = """
insert into bench select n, n %% 1000, (array['new','paid','shipped'])[1 + n %% 3], n %% 9999 / 100.0,
  clock_timestamp(), 'note number ' || n, 1 + n %% 50, n / 7.0, (array['NO','SE','DK','FI'])[1 + n %% 4], n %% 2 = 0
from generate_series(%s::bigint, %s) n
"""
UPDATE = "update bench set status = 'paid', total = total + 1, quantity = quantity + 1 where id between %s and %s"
DELETE = "delete from bench where id between %s and %s"
TRANSACTION_ROWS = 5_000

RULES = """\
version: 1
table: {topic}
columns:
  id: [not_be_null, {{be_between: {{min_value: 1}}}}]
  customer: [{{be_between: {{min_value: 0, max_value: 1000}}}}]
  status: [{{be_in_set: [new, paid, shipped]}}]
  total: [not_be_null, {{be_between: {{min_value: 0, max_value: 100000}}}}]
  note: [{{value_lengths_to_be_between: {{max_value: 100}}}}, {{match_regex: '^note number [0-9]+$'}}]
  quantity: [{{be_of_type: int}}]
  country: [{{be_in_set: [NO, SE, DK, FI]}}]
"""
SETTINGS = """\
app: {app}
brokers: '{brokers}'
state: '{state}'
web: {{port: {port}}}
source: {{topics: '{topics}', registry: '{registry}'}}
sinks:
{sinks}
quality: '{quality}'
{tables}
"""
SINKS = {
    "kudu": "  kudu: {{masters: ['{masters}'], replicas: 1}}",
    "hbase": "  hbase: {{thrift: '{thrift}', thrift2: '{thrift2}'}}",
}
#: JSON without schema does not say what its numbers and texts mean.
DECLARED = """tables:
  {topic}:
    columns: {{id: int64, customer: int32, total: 'decimal(12,2) base64', placed: timestamp, quantity: int32,
      ratio: float64}}
"""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PipelineReport:
    """One run. `cpu_s_per_100k` is CPU seconds of each process for 100,000 changes, `memory` bytes of the worker at
    its greatest, as far as it was looked at; tombstones are not among the changes. `schema_share` is the part of the
    worker's and its writers' CPU that goes into knowing the table's shape (`parrot_faust.bench.schema`).
    """

    form: str
    sinks: list[str]
    changes: int
    seconds: float
    changes_per_second: float
    cpu_s_per_100k: dict[str, float]
    memory: int
    loop_own_ms: float
    target: int
    met: bool
    machine: str
    schema_share: float = 0.0

    def with_shapes(self, us: float) -> PipelineReport:
        """The report with what knowing the shape costs a change, in microseconds."""
        own = sum(seconds for name, seconds in self.cpu_s_per_100k.items() if name == "worker" or "writer" in name)
        return replace(self, schema_share=round(us / (own * 10), 5))


def measure_pipeline(local: Local, form: str, sinks: list[str], changes: int, say: Say) -> PipelineReport:
    """Capture `changes` into a topic by Debezium, then let one worker apply them, and count from its first batch on."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(local, Path(folder), form, sinks, changes)
        with bench.captured(say) as total:
            return bench.apply(total, say)


class Bench:
    """A topic of changes, and workers that apply it."""

    def __init__(self, local: Local, folder: Path, form: str, sinks: list[str], changes: int) -> None:
        self._local, self._folder = local, folder
        self._form, self._sinks, self._changes = form, sinks, changes
        self._addresses: Addresses = local.addresses()
        self._name = f"bench{uuid.uuid4().hex[:10]}"
        self._topic = f"{self._name}.{self._name}.bench"
        self._broker = Broker(self._addresses.kafka)
        self._app, self._watched = f"{self._name}-app", sinks
        self._kudu: Any = None

    def case(self, name: str, sinks: list[str], watched: list[str], addresses: Addresses) -> Bench:
        """The same topic for another app, into `sinks` at `addresses`, of which `watched` are measured."""
        made = copy(self)
        made._app, made._folder = f"{self._name}-{name}", self._folder / name
        made._sinks, made._watched, made._addresses = sinks, watched, addresses
        made._folder.mkdir()
        return made

    # -- capturing ---------------------------------------------------------------------------------------------------

    @contextmanager
    def captured(self, say: Say) -> Iterator[int]:
        """A topic with the changes in it; yields its number of records, tombstones among them."""
        with psycopg.connect(**self._addresses.postgres, autocommit=True) as database:
            database.execute(f"create schema {self._name}")
            database.execute(f"set search_path to {self._name}")
            database.execute(TABLE)
            config = connector.config(
                self._addresses, self._name, [f"{self._name}.bench"], self._form, prefix=self._name
            )
            connector.create(
                self._addresses.connect, self._name, config | {"max.queue.size": "32768", "max.batch.size": "8192"}
            )
            try:
                expected = self._work(database, say)
                self._wait_captured(expected, say)
                yield expected
            finally:
                self._remove(database)

    def _work(self, database: psycopg.Connection[Any], say: Say) -> int:
        inserts, updates = self._changes * 6 // 10, self._changes * 3 // 10
        deletes = self._changes - inserts - updates
        for statement, count in ((INSERT, inserts), (UPDATE, updates), (DELETE, deletes)):
            for first in range(1, count + 1, TRANSACTION_ROWS):
                say("changing the source table")
                database.execute(statement, (first, min(count, first + TRANSACTION_ROWS - 1)))
        return inserts + updates + 2 * deletes

    def _wait_captured(self, expected: int, say: Say) -> None:
        deadline = time.monotonic() + CAPTURE_TIMEOUT_S
        while (found := self._broker.count([self._topic])) < expected:
            say(f"Debezium has captured {found:,} of {expected:,} records")
            if time.monotonic() > deadline:
                raise DistributionError(f"Debezium captured {found} of {expected} in {CAPTURE_TIMEOUT_S:.0f} s")
            time.sleep(0.5)

    def _remove(self, database: psycopg.Connection[Any]) -> None:
        connector.remove(self._addresses.connect, self._name)
        drop_capture(database, self._name)
        database.execute(f"drop schema {self._name} cascade")
        self._broker.remove((self._name,))
        drop_targets(self._addresses, {f"{self._name}.bench"})

    def change(self, key: int) -> None:
        """Insert one more row at the source."""
        with psycopg.connect(**self._addresses.postgres, autocommit=True) as database:
            database.execute(f"set search_path to {self._name}")
            database.execute(INSERT, (key, key))

    def in_kudu(self, key: int) -> bool:
        """Whether a row of the source is in Kudu."""
        import kudu  # compiled for this machine: not needed to list the commands
        from kudu.client import Client

        if self._kudu is None:
            try:
                self._kudu = Client(list(self._addresses.kudu_masters)).table(f"{self._name}.bench")
            except kudu.KuduNotFound:  # no worker has made it yet
                return False
        scanner = self._kudu.scanner()
        scanner.add_predicate(self._kudu["id"] == key)
        scanner.open()
        return bool(scanner.read_all_tuples())

    # -- applying ----------------------------------------------------------------------------------------------------

    def apply(self, total: int, say: Say) -> PipelineReport:
        """Start a worker on the full topic and measure it from its first counted batch to the last applied row."""
        with self.working(say) as worker:
            return self.measure(worker, total, say)

    @contextmanager
    def another(self, name: str) -> Iterator[Worker]:
        """One more worker of the same app, which is stopped afterwards."""
        made = self.case(name, self._sinks, self._watched, self._addresses)
        made._app = self._app
        with made.working(lambda _: None) as worker:
            yield worker

    @contextmanager
    def working(self, say: Say) -> Iterator[Worker]:
        """A worker on the topic, which is stopped afterwards."""
        rules = self._folder / "quality_rules"
        rules.mkdir()
        (rules / "bench.yaml").write_text(RULES.format(topic=self._topic), encoding="utf-8")
        port = free_port()
        worker = Worker(self._folder, self._settings(rules, port), port)
        say(f"starting a worker on port {port}")
        with worker.at_work():
            yield worker

    def _settings(self, rules: Path, port: int) -> str:
        addresses = self._addresses
        return SETTINGS.format(
            app=self._app,
            brokers=addresses.kafka,
            state=self._folder / "state",
            port=port,
            topics=self._topic.replace(".", "[.]"),
            registry=addresses.registry,
            sinks="\n".join(SINKS[sink] for sink in self._sinks).format(
                masters=addresses.kudu_masters[0], thrift=addresses.hbase_thrift, thrift2=addresses.hbase_thrift2
            ),
            quality=rules,
            tables=DECLARED.format(topic=self._topic) if self._form == "json" else "",
        )

    def measure(self, worker: Worker, total: int, say: Say) -> PipelineReport:
        """Measure a worker until all is applied in every store that is watched."""
        processes = self._processes(worker)
        first = self._first(worker)
        began, counted, cpu = time.perf_counter(), self._applied(first), _cpu(processes)
        memory = 0
        deadline = time.monotonic() + APPLY_TIMEOUT_S
        while True:
            stats = worker.stats()
            memory = max(memory, stats["memory"])
            forwarded = sum(source["forwarded"] for source in stats["sources"].values())
            done = self._applied(stats)
            say(f"{done:,} of {forwarded:,} applied in every store")
            if self._captured(stats) == total and done == forwarded:
                break
            if time.monotonic() > deadline:
                raise DistributionError(f"{done} changes applied in {APPLY_TIMEOUT_S:.0f} s; see {worker.log}")
            time.sleep(POLL_S)
        seconds = time.perf_counter() - began
        spent = {name: value - cpu[name] for name, value in _cpu(processes).items()}
        changes = done - counted
        source = stats["sources"][self._topic]
        if source["quarantined"] or source["dropped"] or source["dead_lettered"]:
            raise DistributionError(f"not all changes were applied, so nothing was measured: {source}")
        rate = changes / seconds
        return PipelineReport(
            form=self._form,
            sinks=self._sinks,
            changes=changes,
            seconds=round(seconds, 2),
            changes_per_second=round(rate),
            cpu_s_per_100k={name: round(value / changes * 1e5, 2) for name, value in spent.items()},
            memory=memory,
            loop_own_ms=stats["loop_lag_ms"]["own"],
            target=TARGET,
            met=rate >= TARGET,
            machine=machine(),
        )

    def _first(self, worker: Worker) -> dict[str, Any]:
        deadline = time.monotonic() + APPLY_TIMEOUT_S
        while not self._captured(stats := worker.stats()):
            if time.monotonic() > deadline:
                raise DistributionError(f"the worker has taken nothing; see {worker.log}")
            time.sleep(POLL_S)
        return stats

    @staticmethod
    def _captured(stats: dict[str, Any]) -> int:
        captured: int = sum(source["captured"] for source in stats["sources"].values())
        return captured

    def _applied(self, stats: dict[str, Any]) -> int:
        """Changes that are in every store that is watched."""
        sinks = [stats["sinks"][sink]["tables"].values() for sink in self._watched]
        applied: int = min(sum(table["applied"] for table in tables) for tables in sinks)
        return applied

    def _processes(self, worker: Worker) -> dict[str, psutil.Process]:
        if worker.pid is None:
            raise DistributionError("the worker has ended")
        found = {"worker": psutil.Process(worker.pid)}
        for sink in self._sinks:
            found[f"{sink} writer"] = psutil.Process(worker.stats()["sinks"][sink]["pid"])
        wanted = ("kafka", *self._sinks)
        return found | {name: one for name, one in self._local.processes().items() if name.startswith(wanted)}


def _cpu(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """CPU seconds of each process so far, those of its children not among them."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}

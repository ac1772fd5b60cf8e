"""A pipeline of a test's own on the shared distribution: a schema in PostgreSQL, a connector, workers, two stores."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import happybase  # noqa: F401 - it makes the module Hbase_thrift when it is imported
import kudu
import psycopg
from Hbase_thrift import IOError as HBaseError

from parrot_faust.demo import connector, stores
from parrot_faust.demo.broker import Broker, Topic
from parrot_faust.demo.leftovers import drop_capture, drop_targets
from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution import Addresses
from parrot_faust.failpoints import VARIABLE

STORES = ("kudu", "hbase")

SETTINGS = """\
app: {app}
brokers: '{brokers}'
state: '{state}'
web: {{port: {port}}}
source:
  topics: '{topics}'
  registry: {registry}
sinks:
  kudu: {{masters: ['{masters}'], buckets: 2, replicas: 1}}
  hbase: {{thrift: '{thrift}', thrift2: '{thrift2}'}}
quality: '{quality}'
delivery: {{{delivery}}}
{more}
"""


def eventually(check: Callable[[], Any], timeout_s: float = 120.0, every_s: float = 0.2) -> Any:
    """Return the first truthy answer; fail with the last answer otherwise."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {check.__name__} says {answer!r}"
        time.sleep(every_s)


class Pipeline:
    """One source schema, captured into topics of its own, and the workers that read them."""

    def __init__(self, addresses: Addresses, folder: Path) -> None:
        self.addresses, self.folder = addresses, folder
        self.name = f"t{uuid4().hex[:10]}"
        self.app = f"app-{self.name}"
        self.quality = folder / "quality_rules"
        self.quality.mkdir(parents=True)
        self.broker = Broker(addresses.kafka)
        self.workers: list[Worker] = []
        self.database = psycopg.connect(**addresses.postgres, autocommit=True)
        self.database.execute(f"create schema {self.name}")
        self.database.execute(f"set search_path to {self.name}")
        self._captured = False

    # -- the source --------------------------------------------------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> None:
        """Run a statement in the source schema, in a transaction of its own."""
        self.database.execute(statement, values or None)

    def capture(self, *tables: str, form: str = "avro", **more: str) -> None:
        """Let Debezium capture these tables; with no table, every one of the schema, also later ones."""
        names = [f"{self.name}.{table}" for table in tables] or [f"{self.name}[.].*"]
        config = connector.config(self.addresses, self.name, names, form, prefix=self.name)
        connector.create(self.addresses.connect, self.name, config | more)
        self._captured = True

    def topic(self, table: str) -> str:
        """The topic of a table."""
        return f"{self.name}.{self.name}.{table}"

    def rules(self, table: str, text: str) -> None:
        """Put a rule file in place, before a worker starts."""
        (self.quality / f"{table}.yaml").write_text(f"version: 1\ntable: {self.topic(table)}\n{text}", encoding="utf-8")

    # -- workers -----------------------------------------------------------------------------------------------------

    def worker(self, more: str = "", **settings: Any) -> Worker:
        """Start a worker of the pipeline's app and wait until its page answers."""
        worker = self.launch(more, **settings)
        worker.wait()
        return worker

    def launch(
        self,
        more: str = "",
        failpoints: str = "",
        environment: Mapping[str, str] = MappingProxyType({}),
        **settings: Any,
    ) -> Worker:
        """Start a worker of the pipeline's app. `settings` replace topics and addresses, `more` comes after them,
        `failpoints` are armed in it, and its environment has `environment` besides.
        """
        port, folder = free_port(), self.folder / f"worker-{len(self.workers)}"
        known = {
            "topics": rf"{self.name}\..*",
            "delivery": "retry_first_s: 0.3, retry_cap_s: 1.0",
            "brokers": self.addresses.kafka,
            "registry": self.addresses.registry,
            "masters": self.addresses.kudu_masters[0],
            "thrift": self.addresses.hbase_thrift,
            "thrift2": self.addresses.hbase_thrift2,
        }
        text = SETTINGS.format(
            app=self.app,
            state=folder / "state",
            port=port,
            quality=self.quality,
            more=more,
            **(known | settings),
        )
        worker = Worker(folder, text, port, {VARIABLE: failpoints, **environment})
        self.workers.append(worker)
        worker.launch()
        return worker

    def log(self) -> str:
        """What all workers have logged."""
        return "\n".join(worker.log.read_text(errors="replace") for worker in self.workers)

    # -- the stores --------------------------------------------------------------------------------------------------

    def source(self, table: str, *key: str) -> stores.Rows:
        """The rows of a source table."""
        types = stores.columns(self.database, table, self.name)
        return stores.source_rows(self.database, table, types, key, self.name)

    def store(self, store: str, table: str, *key: str) -> stores.Rows:
        """The rows of a table in a store; none while it has no such table or not all columns."""
        types = stores.columns(self.database, table, self.name)
        read = stores.kudu_rows if store == "kudu" else stores.hbase_rows
        try:
            return read(self.addresses, f"{self.name}.{table}", types, key)
        except (kudu.KuduException, KeyError, HBaseError):
            return {}

    def equal(self, table: str, *key: str, timeout_s: float = 120.0) -> stores.Rows:
        """Wait until both stores hold what the source holds, and return it."""
        for store in STORES:

            def check(store: str = store) -> bool:
                return self.store(store, table, *key) == self.source(table, *key)

            try:
                eventually(check, timeout_s)
            except AssertionError:
                self.tell()
                assert self.store(store, table, *key) == self.source(table, *key), store
        return self.source(table, *key)

    def tell(self) -> None:
        """Print what the workers say of themselves, for whoever has to find out why a test has waited in vain."""
        for worker in self.workers:
            if worker.running:
                view = worker.stats()
                names = ("sources", "sinks", "waiting", "held_tables", "queues", "partitions")
                print(f"worker {view['worker']}: {json.dumps({name: view.get(name) for name in names})}")  # noqa: T201

    # -- topics ------------------------------------------------------------------------------------------------------

    def dead(self, table: str) -> Topic:
        """The dead letters of a table."""
        return self.broker.read(f"{self.app}.dead.{self.topic(table)}", contents=True)

    def quarantine(self, table: str) -> Topic:
        """The quarantined records of a table."""
        return self.broker.read(f"{self.app}.quarantine.{self.topic(table)}", contents=True)

    def close(self) -> None:
        """Stop the workers and remove everything this pipeline has made."""
        for worker in self.workers:
            worker.stop()
        if self._captured:
            connector.remove(self.addresses.connect, self.name)
        tables = [
            name
            for (name,) in self.database.execute(
                "select table_name from information_schema.tables where table_schema = %s", (self.name,)
            ).fetchall()
        ]
        self.database.execute(f"drop schema {self.name} cascade")
        drop_capture(self.database, self.name)
        self.database.close()
        self.broker.remove((f"{self.name}.", self.app))
        drop_targets(self.addresses, {f"{self.name}.{table}" for table in tables})


@contextmanager
def pipeline(addresses: Addresses, folder: Path) -> Iterator[Pipeline]:
    """A pipeline that is removed at the end."""
    made = Pipeline(addresses, folder)
    try:
        yield made
    finally:
        made.close()

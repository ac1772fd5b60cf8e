"""One run of the demo, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg

from models import Place
from parrot_faust.demo import connector, shop, stores
from parrot_faust.demo.broker import Broker, Keys, Topic
from parrot_faust.demo.leftovers import drop_capture, drop_targets
from parrot_faust.demo.loosening import Loosened, large_order, loosen
from parrot_faust.demo.report import STORES, Report, TableResult, problems_of
from parrot_faust.demo.worker import Worker, free_port, settings
from parrot_faust.distribution import Addresses
from parrot_faust.errors import DistributionError
from parrot_faust.names import message_topic, signal_topic
from parrot_faust.settings import load

UNDECODABLE = b"not debezium"
TICK_S = 0.1
SETTLE_TIMEOUT_S = 120
STABLE_S = 1.5

#: Hears how far the run is: the step, and the worker's state if there is one.
Watch = Callable[[str, dict[str, Any] | None], None]


@dataclass
class Options:
    """How much work, how fast, and in which form the changes travel."""

    changes: int = 10_000
    rate: int = 500
    seed: int = 1
    form: str = "avro"


@dataclass
class Run:
    """A run on a distribution that is up. `folder` keeps the worker's settings, state and log."""

    addresses: Addresses
    folder: Path
    options: Options
    watch: Watch
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = f"parrot-demo-{int(time.time())}"
        self.topics = [f"{connector.PREFIX}.public.{table}" for table in shop.TABLES]
        self.broker = Broker(self.addresses.kafka)
        port = free_port()
        self.worker = Worker(self.folder, settings(self.folder, self.name, self.addresses, port), port)
        self.work = shop.Work(self.options.seed)
        self.loosened: Loosened | None = None

    def __call__(self) -> Report:
        """Make the shop, capture it, work on it, wait until all is applied, compare, report."""
        began = time.monotonic()
        self.prepare()
        self.settle("applying the initial snapshot")
        self.seconds["snapshot"] = round(time.monotonic() - began, 1)
        began = time.monotonic()
        done = self.generate()
        rate = done / (time.monotonic() - began)
        self.mark_end()
        self.settle("waiting until all is applied")
        self.watch("loosening a rule, and letting through what it held", self._stats())
        self.loosened = loosen(load(self.worker.settings), self.folder, self.topics[2])
        self.seconds["work"] = round(time.monotonic() - began, 1)
        began = time.monotonic()
        self.watch("comparing every row and column", None)
        report = self.compare(rate)
        self.seconds["compare"] = round(time.monotonic() - began, 1)
        report.seconds = self.seconds
        return report

    # -- before the work ---------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Leave nothing of a former run, make and fill the shop, start the connector and the worker."""
        self.watch("making the shop", None)
        connector.remove_all(self.addresses.connect)
        with self._database() as database:
            drop_capture(database, "parrot_demo_%")
            shop.create(database)
            with database.pipeline():
                for statement, values in self.work.initial():
                    database.execute(statement, values)
        own = (signal_topic(connector.PREFIX), message_topic(connector.PREFIX))  # of `parrot verify`
        self.broker.remove((f"{connector.PREFIX}.public.", "parrot-demo-", *own))
        drop_targets(self.addresses, [f"public.{table}" for table in shop.TABLES])
        self.watch("starting the worker and the Debezium connector", None)
        self.worker.launch()
        name = self.name.replace("-", "_")
        config = connector.config(self.addresses, name, [f"public.{table}" for table in shop.TABLES], self.options.form)
        connector.create(self.addresses.connect, name, config)
        self.worker.wait()

    def _database(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**self.addresses.postgres, autocommit=True)

    def clear(self) -> None:
        """Remove the connector with its slot: left in a database that runs on, a slot keeps its log for ever."""
        connector.remove_all(self.addresses.connect)
        with self._database() as database:
            drop_capture(database, "parrot_demo_%")

    # -- the work ----------------------------------------------------------------------------------------------------

    def generate(self) -> int:
        """Do the work at its rate; halfway, add a column and put an undecodable record into a topic."""
        options, done, began = self.options, 0, time.monotonic()
        changes = self.work.changes()
        with self._database() as database:
            while done < options.changes:
                due = min(options.changes, int((time.monotonic() - began) * options.rate) + 1)
                if done < options.changes // 2 <= due:
                    database.execute(shop.ADD_COLUMN)
                    self.work.with_channel = True
                    self.broker.produce(self.topics[2], UNDECODABLE)
                while done < due:
                    # Transactions of several sizes, as applications have them.
                    size = min(due - done, 1 + done % 7)
                    with database.transaction(), database.pipeline():
                        for statement, values in islice(changes, size):
                            database.execute(statement, values)
                    done += size
                self.watch(f"{done:,} of {options.changes:,} changes made", self._stats())
                time.sleep(TICK_S)
        return done

    def mark_end(self) -> None:
        """Make an order that the rules are too strict for, and one more change, as the last."""
        with self._database() as database:
            database.execute(*large_order(self.work.customers[0]))
            database.execute("update customers set name = %s where id = %s", (self.name, self.work.customers[0]))

    def _stats(self) -> dict[str, Any]:
        if not self.worker.running:
            raise DistributionError(f"the worker has ended by itself; see {self.worker.log}")
        return self.worker.stats()

    def settle(self, step: str) -> None:
        """Wait until what was committed is in Kafka, what is in Kafka is in both stores, and what was held is filed."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        side_topics = [f"{self.name}.{kind}.{topic}" for kind in ("quarantine", "dead") for topic in self.topics]
        stable, count = 0.0, -1
        while True:
            captured = self.broker.count(self.topics)
            if captured != count:
                stable, count = time.monotonic(), captured
            stats = self._stats()
            self.watch(step, stats)
            if (
                count
                and time.monotonic() - stable > STABLE_S
                and _settled(stats, count)
                and self.broker.count(side_topics) == _held_back(stats)
            ):
                return
            if time.monotonic() > deadline:
                break
            time.sleep(TICK_S)
        raise DistributionError(
            f"not all was applied within {SETTLE_TIMEOUT_S} s: {count} records are in Kafka, the worker has taken "
            f"{sum(source['captured'] for source in stats['sources'].values())}; see {self.worker.log}"
        )

    # -- the comparison ----------------------------------------------------------------------------------------------

    def compare(self, rate: float) -> Report:
        """Compare source and stores, count, stop the worker, and judge."""
        stats = self._stats()
        with self._database() as database:
            tables = {topic: self._compare_table(database, topic) for topic in self.topics}
        captured = self.broker.count(self.topics)
        dead = self.broker.read(f"{self.name}.dead.{self.topics[2]}", contents=True)
        kept = any(
            value == UNDECODABLE and headers.get("parrot.topic") == self.topics[2]
            for headers, _, value in dead.contents
        )
        total = {
            name: sum(source[name] for source in stats["sources"].values())
            for name in ("quarantined", "dropped", "dead_lettered", "tombstones")
        }
        report = Report(
            equal=not any(table.differences for table in tables.values()),
            tables=tables,
            changes={"captured": captured, "applied": {sink: _applied(stats, sink) for sink in STORES}, **total},
            rules=[{name: rule[name] for name in ("table", "rule", "failed")} for rule in stats["rules"]],
            schema_changes=[
                {name: change[name] for name in ("table", "change", "sink", "seconds")}
                for change in stats["schema_changes"]
            ],
            visible_ms={sink: stats["sinks"][sink]["visible_ms"] for sink in STORES},
            changes_per_second=round(rate, 1),
            loosened=self.loosened.told if self.loosened else None,
            seconds=self.seconds,
            problems=[],
        )
        report.problems = problems_of(report, kept, self.worker.stop())
        return report

    def _compare_table(self, database: psycopg.Connection[Any], topic: str) -> TableResult:
        table = topic.rsplit(".", 1)[1]
        types, key = stores.columns(database, table), shop.KEYS[table]
        source = stores.source_rows(database, table, types, key)
        held = self._held(topic, table, source, list(types))
        target = f"public.{table}"
        found = {
            "kudu": stores.kudu_rows(self.addresses, target, types, key),
            "hbase": stores.hbase_rows(self.addresses, target, types, key),
        }
        differing = set()
        for rows in found.values():
            for identity in (source.keys() | rows.keys()) - held:
                if source.get(identity) != rows.get(identity):
                    differing.add(identity)
        counted = {sink: len(rows.keys() - held) for sink, rows in found.items()}
        return TableResult(
            source=len(source.keys() - held),
            kudu=counted["kudu"],
            hbase=counted["hbase"],
            differences=len(differing),
            held=len(held & source.keys()),
        )

    def _held(self, topic: str, table: str, source: stores.Rows, columns: list[str]) -> set[tuple[Any, ...]]:
        """Keys whose last change a rule has held back: found in the topics, not asked of the worker.

        A quarantined change is in the quarantine topic with its address; it is a key's last when the source topic
        has no later record of the key, and held when it was not let through since. A dropped change leaves no trace but
        the source's row itself, which breaks the only rule that drops: an order line's quantity.
        """
        quarantine: Topic = self.broker.read(f"{self.name}.quarantine.{topic}", contents=True)
        held: set[tuple[Any, ...]] = set()
        if quarantine.contents:
            last, keys = self.broker.read(topic).last, Keys(self.addresses.registry)
            for headers, key, _ in quarantine.contents:
                address = (int(headers["parrot.partition"]), int(headers["parrot.offset"]))
                let_through = self.loosened is not None and Place(topic, *address) in self.loosened.let_through
                if key is not None and last.get(key) == address and not let_through:
                    held.add(keys.decode(key))
        if table == "order_lines":
            quantity = columns.index("quantity")
            held |= {identity for identity, row in source.items() if row[quantity] <= 0}
        return held


def _applied(stats: dict[str, Any], sink: str) -> int:
    return sum(table["applied"] for table in stats["sinks"][sink]["tables"].values())


def _held_back(stats: dict[str, Any]) -> int:
    """Records that must be in a quarantine or dead-letter topic: those of `changes`, and those that a store refused."""
    held: int = sum(source["quarantined"] + source["dead_lettered"] for source in stats["sources"].values())
    refused: int = sum(table["dead_lettered"] for sink in STORES for table in stats["sinks"][sink]["tables"].values())
    return held + refused


def _settled(stats: dict[str, Any], captured: int) -> bool:
    sources = stats["sources"].values()
    forwarded = sum(source["forwarded"] for source in sources)
    return sum(source["captured"] for source in sources) == captured and all(
        _applied(stats, sink) + sum(table["dead_lettered"] for table in stats["sinks"][sink]["tables"].values())
        == forwarded
        for sink in STORES
    )

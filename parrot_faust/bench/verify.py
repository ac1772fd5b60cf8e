"""How fast source, Kudu and HBase are compared when they are equal: the usual case, which reads everything once."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.bench.transport import machine
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.distribution import Addresses, Local
from parrot_faust.errors import DistributionError
from parrot_faust.sinks.hbase import HBaseSettings, HBaseSink
from parrot_faust.sinks.kudu import KuduSettings, KuduSink
from parrot_faust.verify.hbase import HBase
from parrot_faust.verify.kudu import Kudu
from parrot_faust.verify.plan import table_plan
from parrot_faust.verify.postgres import Source
from parrot_faust.verify.readers import Reader
from parrot_faust.verify.scanning import SOURCE, candidates
from parrot_faust.verify.scope import Scope

TARGET = 50_000  # rows a second, each held against both stores
CHUNK_ROWS = 5_000
WRITE_TIMEOUT_S = 60.0
READ_TIMEOUT_S = 60.0
FIRST_MOMENT = 1_700_000_000_000_000
NAME = "name number {}"

TABLE = "create table bench (id bigint primary key, name text, amount numeric(12,2), at timestamptz)"
FILL = """
insert into bench select n, 'name number ' || n, n + (n %% 100) / 100.0,
  timestamptz 'epoch' + 1700000000 * interval '1 second' + n * interval '1 microsecond'
from generate_series(1, %s::bigint) n
"""
COLUMNS = (
    Column("id", Kind.INT64, nullable=False),
    Column("name", Kind.STRING),
    Column("amount", Kind.DECIMAL, precision=12, scale=2),
    Column("at", Kind.TIMESTAMP),
)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """One run. `store_rows_per_second` is each store's own rate, `memory` bytes of all reading processes at most."""

    rows: int
    seconds: float
    rows_per_second: int
    store_seconds: dict[str, float]
    memory: int
    target: int
    met: bool
    machine: str


def measure_verify(local: Local, rows: int, rounds: int, say: Say) -> list[VerifyReport]:
    """Fill a table of four columns and both stores, then compare them `rounds` times."""
    bench = _Bench(local.addresses(), rows, say)
    with bench.filled():
        return [bench.compare(number) for number in range(rounds)]


class _Bench:
    def __init__(self, addresses: Addresses, rows: int, say: Say) -> None:
        self._addresses, self._rows, self._say = addresses, rows, say
        self._name = f"verify{uuid.uuid4().hex[:10]}"
        self._target = f"{self._name}.bench"

    # -- filling -----------------------------------------------------------------------------------------------------

    @contextmanager
    def filled(self) -> Iterator[None]:
        """The source and the stores with the same rows, written by the pipeline's own sinks."""
        with psycopg.connect(**self._addresses.postgres, autocommit=True) as database:
            database.execute(f"create schema {self._name}")
            try:
                self._say("filling the source")
                database.execute(f"set search_path to {self._name}")
                database.execute(TABLE)
                database.execute(FILL, (self._rows,))
                database.execute("analyze bench")
                self._fill_stores()
                yield
            finally:
                database.execute(f"drop schema {self._name} cascade")
                drop_targets(self._addresses, {self._target})

    def _fill_stores(self) -> None:
        schema = TableSchema.of(
            f"bench.{self._target}", COLUMNS, ("id",), database="bench", namespace=self._name, relation="bench"
        )
        sinks: list[Any] = [
            KuduSink(KuduSettings(masters=self._addresses.kudu_masters)),
            HBaseSink(HBaseSettings(thrift=self._addresses.hbase_thrift, thrift2=self._addresses.hbase_thrift2)),
        ]
        for sink in sinks:
            sink.open()
        try:
            for first in range(1, self._rows + 1, CHUNK_ROWS):
                self._say(f"filling the stores: {first - 1:,} of {self._rows:,} rows")
                rows = [_row(number) for number in range(first, min(self._rows + 1, first + CHUNK_ROWS))]
                for sink in sinks:
                    result = sink.write(schema, rows, time.monotonic() + WRITE_TIMEOUT_S)
                    if result.failures:
                        raise DistributionError(f"{sink.name} did not take every row: {result.failures[0].message}")
        finally:
            for sink in sinks:
                sink.close()

    # -- comparing ---------------------------------------------------------------------------------------------------

    def compare(self, number: int) -> VerifyReport:
        """Compare once, in processes of its own as `parrot verify` does."""
        source = Source(self._addresses.postgres)
        readers = {
            SOURCE: Reader(SOURCE, Source, self._addresses.postgres),
            "kudu": Reader("kudu", Kudu, self._addresses.kudu_masters, READ_TIMEOUT_S),
            "hbase": Reader("hbase", HBase, self._addresses.hbase_thrift, READ_TIMEOUT_S),
        }
        try:
            (rows, width) = next((rows, width) for schema, _, rows, width in source.tables() if schema == self._name)
            targets = {"kudu": self._target, "hbase": self._target}
            columns, key = source.columns(self._name, "bench"), source.key(self._name, "bench")
            plan, _ = table_plan(
                f"bench.{self._target}", self._name, "bench", columns, key, targets, "d", rows, width, {}
            )
            if plan is None:
                raise DistributionError("the table can't be compared")
            return self._measure(number, plan, readers)
        finally:
            for reader in readers.values():
                reader.close()
            source.close()

    def _measure(self, number: int, plan: Any, readers: dict[str, Reader]) -> VerifyReport:
        done: dict[str, int] = {}
        last: dict[str, float] = {}
        began = time.monotonic()

        def heard(store: str, count: int) -> None:
            done[store] = done.get(store, 0) + count
            last[store] = time.monotonic() - began
            self._say(f"round {number + 1}: " + ", ".join(f"{name} {rows:,}" for name, rows in sorted(done.items())))

        with _Memory() as memory:
            found = candidates([plan], {plan.topic: Scope()}, readers, heard, lambda _rows: None)[plan.topic]
        seconds = time.monotonic() - began
        if found.keys or set(found.rows.values()) != {self._rows}:
            raise DistributionError(f"the stores are not equal, so nothing was measured: {found.rows}")
        rate = self._rows / seconds
        return VerifyReport(
            rows=self._rows,
            seconds=round(seconds, 2),
            rows_per_second=round(rate),
            store_seconds={name: round(value, 2) for name, value in sorted(last.items())},
            memory=memory.greatest,
            target=TARGET,
            met=rate >= TARGET,
            machine=machine(),
        )


class _Memory:
    """Looks at the memory of this process's children, a few times a second."""

    def __init__(self) -> None:
        self.greatest = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> _Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            total = 0
            for process in psutil.Process().children():
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.greatest = max(self.greatest, total)
            if self._ending.wait(0.2):
                return


def _row(number: int) -> Row:
    values = (number, NAME.format(number), f"{number}.{number % 100:02}", FIRST_MOMENT + number)
    return Row(number, FIRST_MOMENT + number, RowOp.UPSERT, values)

"""A worker that knows very many tables, all of them with something to say, without a server: what pages are made of."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from models import ChunkHeader, Column, DeadLetter, Kind, Pause, Stage, TableSchema, WindowResult
from parrot_faust.application import ParrotApp, create_app
from parrot_faust.delivery.filing import headers_of
from parrot_faust.delivery.stats import Outcome
from parrot_faust.demo.worker import free_port
from parrot_faust.observing import Observing
from parrot_faust.schema import STORES, SchemaHistory, SchemaSeen, Terms
from parrot_faust.schema.history import Held, fold
from parrot_faust.settings import load
from parrot_faust.web.fleet import Fleet

SETTINGS = """\
app: crowded
state: '{folder}/state'
quality: '{folder}/rules'
web: {{port: {port}}}
source: {{topics: 'shop[.].*'}}
sinks: {{kudu: {{masters: ['127.0.0.1:1']}}, hbase: {{thrift: '127.0.0.1:1', thrift2: '127.0.0.1:1'}}}}
"""
RULES = """\
table: {table}
columns:
  customer_id: [not_be_null]
  amount: [{{be_between: {{min_value: 0, max_value: 1000000}}}}]
  status: [{{be_in_set: [new, paid, packed, shipped, returned, cancelled]}}]
windows:
  - every: 1m
    checks: [{{freshness: 5m}}, {{be_unique: {{column: customer_id}}}}, {{row_count_to_be_between: {{min_value: 90}}}}]
breaker: {{failed: 20%, within: 1m, at_least: 100}}
"""
FAILED = ("customer_id.not_be_null", "amount.be_between", "status.be_in_set")
JUDGED = ("freshness", "customer_id.be_unique", "row_count_to_be_between")
COLUMNS = ("id", "customer_id", "amount", "status", "note")

CHANGES, HELD, DEAD = 5_000, 40, 3  # of each table
WINDOWS = 12  # results of each rule
LETTERS = 3  # of each table
PARTITIONS = 4  # of the topic of results
QUARTER_S = 900


class Kept(NamedTuple):
    """A record of a topic."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()


class Topics:
    """Reads records from memory, as `RecordReader` does from a broker."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[int, list[Kept]]] = {}

    def add(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = (), partition: int = 0) -> None:
        """Put a record at the end of a partition."""
        records = self._topics.setdefault(topic, {}).setdefault(partition, [])
        records.append(Kept(len(records), key, value, int(time.time() * 1000), headers))

    async def topics(self) -> list[str]:
        """Every topic there is."""
        return sorted(self._topics)

    async def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic; none when it does not exist."""
        return sorted(self._topics.get(topic, ()))

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset and the one after the last."""
        return 0, len(self._topics.get(topic, {}).get(partition, ()))

    async def scan(self, topic: str, partition: int, first: int, end: int) -> AsyncGenerator[Sequence[Kept], None]:
        """The records of a range."""
        if records := self._topics.get(topic, {}).get(partition, [])[max(0, first) : end]:
            yield records

    async def close(self) -> None:
        """Nothing was opened."""


def table_names(count: int) -> list[str]:
    """Names as long as those of real tables."""
    return [f"shop.public.customer_order_lines_{number:04}" for number in range(count)]


def crowded(folder: Path, count: int) -> ParrotApp:
    """A worker of so many tables in two stores. Each has rows that rules hold back, a rule that checks nothing, dead
    letters and changes of its shape; windows of every second fail; of every ten one waits for a verdict, one is paused,
    and one has much to read.
    """
    tables = table_names(count)
    (folder / "rules").mkdir()
    for table in tables:
        (folder / "rules" / f"{table}.yaml").write_text(RULES.format(table=table), encoding="utf-8")
    file = folder / "parrot.yaml"
    file.write_text(SETTINGS.format(folder=folder, port=free_port()), encoding="utf-8")
    app = create_app(load(file, {}))
    topics: Any = Topics()
    app.parts.observing = Observing(app.parts, topics, topics)
    now = time.time()
    app.parts.fleet = app.parts.exchange.fleet = Fleet(lambda: now)  # whose time stands still, so that pages are alike
    for table in tables:
        _count(app, table)
        _file(app, topics, table)
    for minute in reversed(range(WINDOWS)):
        for number, table in enumerate(tables):
            _judge(app, topics, table, number, minute)
    app.parts.schemas.attach({table: _history(table, held=number % 10 == 0) for number, table in enumerate(tables)})
    pauses = [Pause(table, True, _now_ms(), "of its last 100 rows 40 (40%) failed") for table in tables[1::10]]
    app.parts.windowing.breakers.attach({pause.table: msgspec.json.encode(pause).decode() for pause in pauses})
    _live(app, tables)
    return app


def _now_ms() -> int:
    return int(time.time() * 1000)


def _count(app: ParrotApp, table: str) -> None:
    """What this worker has done with a table."""
    stats = app.parts.stats
    outcomes = {Outcome.QUARANTINED: range(HELD), Outcome.DEAD_LETTERED: range(HELD, HELD + DEAD)}
    for rule in FAILED:
        for offset in range(HELD):
            stats.rule_failed(table, rule, "0123456789ab", 0, offset)
    stats.source_batch(table, 0, range(CHANGES), [], {**outcomes, Outcome.FORWARDED: range(HELD + DEAD, CHANGES)})
    stats.checked(table, CHANGES, CHANGES * 2e-6)
    at_us = _now_ms() * 1000
    for sink in ("kudu", "hbase"):
        header = ChunkHeader(table, 0, 0, CHANGES - 1, 1, 1, at_us, CHANGES, at_us)
        stats.sink_chunk(sink, header, range(DEAD), lambda: range(CHANGES))
        stats.schema_change(table, "AddColumn", sink, "note text", 0.2)
    stats.agent_step("changes", CHANGES, decode_ms=9.0, check_ms=4.0, send_ms=2.0)


def _file(app: ParrotApp, topics: Topics, table: str) -> None:
    """Rows that rules hold back, and dead letters."""
    names = app.parts.names
    for number in range(LETTERS):
        held = DeadLetter(
            table, 0, number, b'{"id": %d}' % number, b"{}", Stage.CHECK, "rule", "amount is -1, below 0",
            rule="amount.be_between",
        )  # fmt: skip
        dead = DeadLetter(
            table, 0, number, b'{"id": %d}' % number, b"{}", Stage.WRITE, "CellTooLarge",
            "column note: 90,000 bytes, where 65,536 are the most", sink="kudu",
        )  # fmt: skip
        for topic, letter in ((names.quarantine(table), held), (names.dead(table), dead)):
            topics.add(topic, letter.key, letter.value, tuple(headers_of(letter)))
    result = {"verdict": "explained", "differences": 3, "explained": 3, "rows": CHANGES, "reasons": {"held": 3}}
    told = {"at": "2026-01-01T00:00:00+00:00", "result": result}
    topics.add(names.verifications, table.encode(), msgspec.json.encode(told))


def _judge(app: ParrotApp, topics: Topics, table: str, number: int, minute: int) -> None:
    """The results of the windows of a minute, which is so long ago; of every second table the last ones have failed."""
    now_ms = _now_ms()
    for rule in JUDGED:
        failed = number % 2 == 0 and minute < 3
        result = WindowResult(
            table, rule, "0123456789ab", "critical", now_ms - 60_000 * (minute + 1), now_ms - 60_000 * minute,
            not failed, {"rows": 12, "share": 0.12, "repeated": ["a value that came twice"] * 5},
            {"min_value": 90, "max_value": None}, rows=CHANGES, late=2,
            reason="12 rows, where at least 90 are wanted" if failed else "",
        )  # fmt: skip
        topics.add(app.parts.names.windows, None, msgspec.json.encode(result), partition=number % PARTITIONS)


def _history(table: str, *, held: bool) -> str:
    """The shapes that a table has had: a column more each time. The last one waits, where it is to be `held`."""
    history, terms = SchemaHistory(None, ()), Terms(stores=tuple(STORES.values()))
    for width in range(1, len(COLUMNS) + 1):
        columns = tuple(Column(name, Kind.INT64, name != "id") for name in COLUMNS[:width])
        shape = TableSchema.of(table, columns, ("id",), namespace="public", relation=table.rsplit(".", 1)[1])
        if held and width == len(COLUMNS):
            waiting = Held(shape, 0, 1, _now_ms(), (f"column {COLUMNS[-1]} is new, and shapes of it are reviewed",))
            history = msgspec.structs.replace(history, held=(waiting,))
        else:
            history = fold(history, SchemaSeen(shape, table, 0, width, "", (), _now_ms()), terms)
    return msgspec.json.encode(history).decode()


def _live(app: ParrotApp, tables: Sequence[str]) -> None:
    """Let a quarter of an hour pass of another worker, which has the tables' partitions: so lines can be drawn."""
    whole = app.parts.exchange.look()
    now, own = whole["at"], whole["workers"][app.parts.exchange.worker]
    gone = {"rule": "gone.not_be_null", "reason": "the table has no column gone"}
    for second in range(QUARTER_S, -1, -60):
        done = {
            table: dict.fromkeys(counts, (place + 1) * (QUARTER_S - second) * (1 + second % 7))
            for place, (table, counts) in enumerate(own["sources"].items())
        }
        view = own | {
            "worker": 2, "port": 6067, "at_ms": int((now - second) * 1000), "sources": done,
            "partitions": {table: [0, 1, 2] for table in tables}, "queues": {"changes": [2, 5_000_000]},
            "suspended_rules": [{"table": table} | gone for table in tables],
            "waiting": dict.fromkeys(tables[2::10], 20_000),
        }  # fmt: skip
        app.parts.fleet.take("another", view)


def addresses(app: ParrotApp) -> list[str]:
    """Every address that a worker's server answers, of one of its tables and of one of its sinks."""
    given = {"table": quote(next(iter(app.parts.stats.snapshot()["sources"])), safe=""), "sink": "kudu", "task": "0"}
    found = [
        route.resource.canonical.format(**given)
        for route in app.web.web_app.router.routes()
        if route.method == "GET" and route.resource is not None
    ]
    return list(dict.fromkeys(found))

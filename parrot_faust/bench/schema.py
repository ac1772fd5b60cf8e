"""What knowing a table's shape costs a change that changes none: the agent `changes`, alone in a process.

The whole agent runs on batches as Kafka brings them, into a producer that confirms at once. Every call that the run
made into the handling of shapes is made again by itself, as often and with the same arguments: which shape a record is
of, where rows of the shape lie in each store, and bringing rows into the store's shape where it is another one. The
share is of what the agent takes; the reading, sending and writing around it are not in it, so of the worker it is less.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import msgspec
from faust.types.tuples import TP

from agents.breakers import Breakers
from agents.changes import Changes
from agents.fan_out import Targets
from agents.held_images import HeldImages
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook
from agents.schema_book import Places, SchemaBook
from agents.tallying import Tallying
from models import Chunk, Column, Kind, Row, TableSchema
from parrot_faust.bench.pipeline import RULES
from parrot_faust.bench.transport import machine
from parrot_faust.codec import Decoder
from parrot_faust.codec.table import Bindings
from parrot_faust.delivery.ledger import Ticket
from parrot_faust.delivery.stats import Stats
from parrot_faust.errors import ParrotError
from parrot_faust.masking import Masking
from parrot_faust.names import Names
from parrot_faust.quality import load
from parrot_faust.schema import STORES, Policy, SchemaHistory, SchemaSeen, Terms
from parrot_faust.schema.history import encoded, fold
from parrot_faust.transport import Batch

TOPIC = "shop.public.bench"
BATCH = 1_000  # records of a batch, as the settings have it
MOST_SHARE = 0.01  # of what a worker and its writers take for a change of a table as it was made
DECLARED = {
    "id": "int64", "customer": "int32", "total": "decimal(12,2)", "placed": "timestamp", "quantity": "int32",
    "ratio": "float64",
}  # fmt: skip
ORIGIN = ("shop", "public", "bench")

Earlier = Callable[[TableSchema], list[TableSchema]]
#: What the table was before, by how it came to be as it is.
CASES: dict[str, Earlier] = {
    "as it was made": lambda _: [],
    "a column dropped, two added": lambda shape: [
        _with(shape, (*shape.columns[:8], Column("gone", Kind.STRING))),
    ],
    "the type of a column changed": lambda shape: [
        _with(shape, tuple(Column(each.name, Kind.STRING) if each.name == "quantity" else each
                           for each in shape.columns)),
    ],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of the processor's time a change: all of the agent, its handling of shapes, and what that is of."""

    whole: float
    schema: float
    share: float
    parts: dict[str, float]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """Costs by how the table came to be as it is."""

    changes: int
    costs: dict[str, Cost]
    machine: str


def measure_schema(changes: int, say: Callable[[str], None]) -> SchemaReport:
    """Measure every case on the same changes, five times each, the median of which counts."""
    batches = _batches(changes)
    costs = {}
    for name, earlier in CASES.items():
        say(f"a table {name}")
        costs[name] = asyncio.run(_cost(batches, earlier))
    return SchemaReport(sum(map(len, batches)), costs, machine())


def steady(changes: int) -> Cost:
    """The cost for a table as it was made."""
    return asyncio.run(_cost(_batches(changes), CASES["as it was made"]))


async def _cost(batches: Sequence[Sequence[Record]], earlier: Earlier) -> Cost:
    count = sum(map(len, batches))
    whole = []
    for _ in range(5):
        world = World(earlier)
        await world.take(batches[0])  # makes what a table's first batch makes
        gc.collect()
        began = time.process_time()
        for records in batches:
            await world.take(records)
        whole.append((time.process_time() - began) / count * 1e6)
        world.check(count + len(batches[0]))
    parts = _parts(world, count)
    schema = sum(parts.values())
    total = median(whole)
    return Cost(round(total, 2), round(schema, 3), round(schema / total, 5), {k: round(v, 3) for k, v in parts.items()})


def _parts(world: World, count: int) -> dict[str, float]:
    """Each call that a run makes into the handling of shapes, made again alone; microseconds a change."""
    book, shape = world.book, world.shape
    columns, binding = shape.columns, Bindings(TOPIC, {}).binding
    calls = book.calls[1:]  # but for those of the table's first batch
    # As they are decoded: each record has texts of its own.
    origins = [tuple(str(name.encode(), "utf-8") for name in ORIGIN) for _ in range(BATCH)]

    def which() -> None:
        for _ in range(count // BATCH):
            for database, schema, table in origins:
                binding(columns, shape.key, (database, schema, table))

    def where() -> None:
        for schema, sinks in calls:
            book.places(schema, sinks)

    places = book.places(shape, tuple(STORES)) or {}
    takes = {each.schema.fingerprint: each.take for each in places.values() if each is not None}
    rows = world.rows(BATCH)

    def bring() -> None:
        for take in takes.values():
            for _ in range(count // BATCH):
                rows if take is None else [take(row) for row in rows]

    def nothing() -> None:
        for _ in range(count // BATCH):
            for database, schema, table in origins:
                _ = (columns, shape.key, (database, schema, table))

    idle = _seconds(nothing)
    return {
        "its shape": max(0.0, _seconds(which) - idle) / count * 1e6,
        "their place": _seconds(where) / count * 1e6,
        "bringing rows there": _seconds(bring) / count * 1e6,
    }


def _seconds(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(5):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return median(times)


class Book(SchemaBook):
    """Notes how often and with what it is asked."""

    calls: list[tuple[TableSchema, tuple[str, ...]]]

    def places(self, schema: TableSchema, sinks: Iterable[str]) -> Places | None:
        self.calls.append((schema, tuple(sinks)))
        return super().places(schema, sinks)


class Record(msgspec.Struct, gc=False):
    """What aiokafka hands out."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 1_700_000_000_000
    headers: Sequence[tuple[str, bytes]] = ()


class World:
    """The agent with nothing around it: what it sends is confirmed at once, and the newest of it kept."""

    def __init__(self, earlier: Earlier) -> None:
        names, log = Names("bench"), logging.getLogger("parrot.bench")
        self.stats = Stats(time.time)
        self._log, self._settled, self._newest = log, 0, b""
        outbox = Outbox(self._send, names)
        self.book = Book(outbox, names, self.stats, lambda: 0)
        self.book.calls = []
        rules = RuleBook({TOPIC: load(RULES.format(topic=TOPIC), "bench.yaml")}, 0, log)
        rules.attach({})
        self._decoder = Decoder(format="json", columns={TOPIC: DECLARED})
        self.shape = self._decoder.decode(TOPIC, [_record(0)]).segments[0].schema
        self.book.attach({TOPIC: _history([*earlier(self.shape), self.shape])})
        masking = Masking({})
        breakers = Breakers(outbox, names, lambda: 0, log)
        breakers.attach({})
        self._changes = Changes(
            decoder=self._decoder,
            registry=None,
            rules=rules,
            schemas=self.book,
            outbox=outbox,
            names=names,
            targets=Targets(lambda _: tuple(STORES), lambda: 4, 500, 900_000),
            masking=masking,
            stats=self.stats,
            committed_note=_nothing,
            confirmed=lambda _topic, _partition: None,
            images=HeldImages(outbox, names, lambda: 4, _none),
            reserved=ReservedVersions(outbox, names, lambda: 4, _none),
            heads=_no_heads,
            tallying=Tallying(
                rules=rules,
                masking=masking,
                outbox=outbox,
                names=names,
                confirmed=lambda _topic, _partition: None,
                partitions=lambda _: 1,
                now_ms=lambda: 0,
                log=log,
            ),
            breakers=breakers,
            fatal=self._fatal,
            log=log,
            jitter=lambda: 0.0,
        )

    async def take(self, records: Sequence[Record]) -> None:
        """Let the agent take a batch, with offsets that go on from the one before."""
        place = TP(TOPIC, 0)
        ticket = Ticket(place, self._settled, self._settled + len(records) - 1, 0)
        await self._changes.take(Batch(place, records, 1, ticket, self._done))
        for task in list(self._changes.confirming):
            await task

    def check(self, changes: int) -> None:
        """Raise ParrotError unless all was taken and sent on, so that what was measured is what is meant."""
        source = self.stats.snapshot()["sources"][TOPIC]
        if self._settled != changes or source["forwarded"] != source["captured"]:
            raise ParrotError(f"not all changes were sent on, so nothing was measured: {self._settled}, {source}")

    def rows(self, count: int) -> list[Row]:
        """Rows as the source's shape has them."""
        values = self._decoder.decode(TOPIC, [_record(0)]).segments[0].changes[0].after or ()
        row = msgspec.msgpack.decode(self._newest, type=Chunk).rows[0]
        return [Row(offset, row.version, row.op, values) for offset in range(count)]

    async def _send(self, topic: str, _key: Any, value: bytes, *_: Any) -> Awaitable[None]:
        if topic.startswith("bench.writes."):
            self._newest = value
        return CONFIRMED

    def _done(self, ticket: Ticket, _note: str) -> None:
        self._settled = ticket.last + 1

    @staticmethod
    def _fatal(error: BaseException) -> None:
        raise error


class _Confirmed:
    def __await__(self) -> Any:
        return iter(())


CONFIRMED = _Confirmed()


async def _nothing(_topic: str, _partition: int) -> None:
    return None


async def _no_heads(_topic: str) -> list[tuple[int, Record]]:
    return []


async def _none(_topic: str, _partition: int) -> list[tuple[bytes | None, bytes | None]]:
    return []


def _history(shapes: Sequence[TableSchema]) -> str:
    history, terms = SchemaHistory(None, ()), Terms(Policy(), tuple(STORES.values()))
    for shape in shapes:
        history = fold(history, SchemaSeen(shape, TOPIC, 0, 0, "", (), 0), terms)
    return encoded(history)


def _with(shape: TableSchema, columns: tuple[Column, ...]) -> TableSchema:
    database, namespace, relation = shape.database, shape.namespace, shape.relation
    return TableSchema.of(TOPIC, columns, shape.key, database=database, namespace=namespace, relation=relation)


def _batches(changes: int) -> list[list[Record]]:
    return [[_record(number) for number in range(at, at + BATCH)] for at in range(0, changes, BATCH)]


def _record(number: int) -> Record:
    """An insert as Debezium's JSON has it, of the table that `parrot bench pipeline` measures with."""
    after = {
        "id": number + 1,
        "customer": number % 1000,
        "status": "paid",
        "total": 12.5,
        "placed": "2024-01-01T00:00:00Z",
        "note": f"note number {number}",
        "quantity": 1 + number % 50,
        "ratio": number / 7.0,
        "country": "NO",
        "active": number % 2 == 0,
    }
    database, schema, table = ORIGIN
    source = {"db": database, "schema": schema, "table": table, "ts_us": 1_700_000_000_000_000 + number}
    value = {"before": None, "after": after, "source": source, "op": "c"}
    return Record(number, json.dumps({"id": number + 1}).encode(), json.dumps(value).encode())

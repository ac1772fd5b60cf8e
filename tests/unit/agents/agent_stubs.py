"""What stands around an agent here: a producer that confirms when the test says, batches, and Debezium's JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from faust.types.tuples import TP

from models import Chunk, Column, DeadLetter, Kind, Row, RowOp, TableSchema
from parrot_faust.delivery.chunks import Origin, pack
from parrot_faust.delivery.ledger import Ticket
from parrot_faust.names import Names
from parrot_faust.schema import STORES, Policy, SchemaSeen, Terms
from parrot_faust.schema.history import encoded, fold, history_of
from parrot_faust.transport import Batch

TOPIC = "shop.public.orders"
NAMES = Names("app")
TIME_MS = 1_700_000_000_000
TIME_US = TIME_MS * 1000
ORDERS = TableSchema.of(
    TOPIC,
    (Column("id", Kind.INT64, nullable=False), Column("n", Kind.INT64), Column("note", Kind.STRING)),
    ("id",),
    database="shop",
    namespace="public",
    relation="orders",
)


@dataclass
class Record:
    """What aiokafka hands out."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = TIME_MS
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Sent:
    """A message as the producer got it."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None
    headers: list[tuple[str, bytes]]
    confirmation: asyncio.Future[None]


@dataclass
class Producer:
    """Keeps what it is given. Confirms at once when `prompt`, else when told to."""

    prompt: bool = True
    sent: list[Sent] = field(default_factory=list)
    #: The schema table, which takes in what is announced at once unless `undecided`.
    histories: dict[str, str] = field(default_factory=dict)
    undecided: bool = False
    terms: Terms = field(default_factory=lambda: Terms(Policy(), tuple(STORES.values())))

    async def __call__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None,
        timestamp: float | None,
        headers: list[tuple[str, bytes]],
    ) -> asyncio.Future[None]:
        confirmation = asyncio.get_running_loop().create_future()
        if self.prompt:
            confirmation.set_result(None)
        self.sent.append(Sent(topic, key, value, partition, headers, confirmation))
        if topic == NAMES.schemas and not self.undecided:
            self.take_in(msgspec.json.decode(value or b"", type=SchemaSeen))
        return confirmation

    def take_in(self, seen: SchemaSeen) -> None:
        """What the agent `schema_history` does."""
        history = fold(history_of(self.histories.get(seen.topic)), seen, self.terms)
        self.histories[seen.topic] = encoded(history)

    def to(self, topic: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == topic]

    def chunks(self, sink: str = "kudu") -> list[Chunk]:
        return [msgspec.msgpack.decode(sent.value or b"", type=Chunk) for sent in self.to(NAMES.writes(sink))]

    def rows(self, sink: str = "kudu") -> list[Row]:
        return [row for chunk in self.chunks(sink) for row in chunk.rows]

    def held(self) -> list[DeadLetter]:
        return [msgspec.msgpack.decode(sent.value or b"", type=DeadLetter) for sent in self.to(NAMES.held)]

    def confirm(self, sent: Iterable[Sent] | None = None) -> None:
        for each in self.sent if sent is None else sent:
            if not each.confirmation.done():
                each.confirmation.set_result(None)


@dataclass
class Batches:
    """Makes batches and knows which were settled: their first offset, last offset and note."""

    settled: list[tuple[int, int, str]] = field(default_factory=list)

    def of(self, records: Sequence[Any], *, topic: str = TOPIC, partition: int = 0, generation: int = 1) -> Batch:
        tp = TP(topic, partition)
        ticket = Ticket(tp, records[0].offset, records[-1].offset, 0)
        return Batch(tp, records, generation, ticket, self._settle)

    def _settle(self, ticket: Ticket, note: str) -> None:
        self.settled.append((ticket.first, ticket.last, note))


def event(
    offset: int, op: str = "c", *, id: int | None = None, n: int = 1, note: str = "x", time_ms: int = 0
) -> Record:
    """A change of the table in Debezium's JSON without schema; its id is its offset unless told."""
    row = {"id": offset if id is None else id, "n": n, "note": note}
    before, after = (row, None) if op == "d" else (None, row)
    source = {"db": "shop", "schema": "public", "table": "orders", "ts_ms": time_ms or TIME_MS + offset}
    value: dict[str, Any] = {"before": before, "after": after, "source": source, "op": op}
    if op == "m":
        value = {"op": op, "source": source, "message": {"prefix": "p", "content": ""}}
    if op == "t":
        value = {"before": None, "after": None, "source": source, "op": op}
    return Record(offset, json.dumps({"id": row["id"]}).encode(), json.dumps(value).encode())


def tombstone(offset: int) -> Record:
    return Record(offset, json.dumps({"id": offset}).encode(), None)


def garbage(offset: int) -> Record:
    return Record(offset, b'{"id": 1}', b"\xff not an event")


def chunk(first: int, rows: int = 2, *, generation: int = 1, version: int = TIME_US, key_from: int = 0) -> bytes:
    """An encoded chunk of rows at offsets from `first` on."""
    made = [
        Row(offset, version + offset, RowOp.UPSERT, (key_from + offset, 1, "x"))
        for offset in range(first, first + rows)
    ]
    times = [TIME_US] * rows
    (packed,) = pack(Origin(TOPIC, 0, generation), ORDERS, made, times, max_rows=10_000, max_bytes=1 << 20)
    assert packed.data is not None
    return packed.data


async def turns(count: int = 20) -> None:
    """Let everything that can go on do so."""
    for _ in range(count):
        await asyncio.sleep(0)

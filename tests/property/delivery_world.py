"""A source, its readers, a writes topic, a writer and a store in one thread, driven by a seed.

All that decides is the real thing: versions, chunks, ledger, fence, reduction, stats and the reference sink. What moves
the bytes is a list. The faults are those of the platform: batches settled in any order, commits that come late or not
at all, rebalances, readers that froze and thaw later with chunks in hand, chunks sent twice, a store that fails before
or after it has applied the rows, and a writer that reads again from its last commit.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import msgspec

from models import Change, Chunk, Column, Kind, Op, Row, RowOp, TableSchema
from parrot_faust.delivery.chunks import Origin, head_of, pack, row_of, row_offsets
from parrot_faust.delivery.fence import Fence
from parrot_faust.delivery.ledger import Ledger, Ticket
from parrot_faust.delivery.reduction import reduce
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.delivery.versions import VersionClock, floor_of
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks.memory import MemorySink

TABLE = "shop.public.t"
FOR_EVER = float("inf")
PARTITIONS = (0, 1)
_COLUMNS = (Column("note", Kind.STRING), Column("part", Kind.INT32, False), Column("id", Kind.INT32, False),
            Column("n", Kind.INT32))  # fmt: skip
OLD = TableSchema.of(TABLE, _COLUMNS, ("id", "part"))
NEW = TableSchema.of(TABLE, (*_COLUMNS, Column("more", Kind.INT32)), ("id", "part"))
NOTE, MORE = 0, 4

Key = tuple[int, int]


@dataclass(frozen=True)
class Record:
    """One record of the source topic; a tombstone and a message without a row have no change."""

    offset: int
    schema: TableSchema
    change: Change | None = None
    tombstone: bool = False


class SourcePartition:
    """A partition's records, and the rows that a table which followed them would have."""

    def __init__(self, rng: random.Random, partition: int, length: int) -> None:
        self.rng, self.partition = rng, partition
        self.records: list[Record] = []
        self.rows: dict[Key, tuple[Any, ...]] = {}
        self._time, self._offset = 1_000_000, 0
        evolves = rng.randrange(length)
        while len(self.records) < length:
            self._append(NEW if len(self.records) >= evolves else OLD)

    def _append(self, schema: TableSchema) -> None:
        rng = self.rng
        self._offset += 1 + (rng.random() < 0.1) * rng.randrange(5)  # compaction leaves holes
        if rng.random() < 0.05:
            self.records.append(Record(self._offset, schema))
            return
        # Transactions share a time, clocks jump back, snapshots have none.
        self._time += rng.choice((0, 0, 0, 1, 50, -40))
        key = (rng.randrange(5), self.partition)
        present = key in self.rows
        if present and rng.random() < 0.3:
            del self.rows[key]
            change = Change(Op.DELETE, 0, self._offset, self._time, key, None, None)
        else:
            change = self._upsert(schema, key, present)
        self.records.append(Record(self._offset, schema, change))
        if change.op is Op.DELETE and rng.random() < 0.7:
            self._offset += 1
            self.records.append(Record(self._offset, schema, tombstone=True))

    def _upsert(self, schema: TableSchema, key: Key, present: bool) -> Change:
        rng = self.rng
        op = Op.UPDATE if present else rng.choice((Op.CREATE, Op.READ))
        old = self.rows.get(key, (None,) * 5)
        unset = (NOTE,) if rng.random() < 0.4 else ()  # a create without it is one half of a changed key
        note = old[NOTE] if unset else rng.choice((None, f"note {self._offset}"))
        row = (note, key[1], key[0], self._offset, self._offset if schema is NEW else None)
        self.rows[key] = row
        carried = ((None, *row[1:]) if unset else row)[: len(schema.columns)]
        return Change(op, 0, self._offset, 0 if op is Op.READ else self._time, key, None, carried, unset)


@dataclass
class Work:
    """One batch handed out by a reader."""

    ticket: Ticket
    note: str
    records: list[Record]
    done: bool = False


@dataclass
class Lane:
    """A source partition as one generation reads it. `index` is the place of the next record."""

    partition: int
    generation: int
    index: int
    clock: VersionClock
    works: list[Work] = field(default_factory=list)


class World:
    """Everything, and what is known of it from outside."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.sources = [SourcePartition(rng, partition, rng.randrange(10, 70)) for partition in PARTITIONS]
        self.ledger, self.stats, self.sink = Ledger(), Stats(lambda: 0.0), MemorySink()
        self.commits: dict[int, tuple[int, str]] = {}
        self.versions: dict[tuple[int, int], int] = {}
        self.generation = 1
        self.lanes = {partition: self._lane(partition) for partition in PARTITIONS}
        self.former: list[Lane] = []
        #: Chunks in the hands of frozen readers.
        self.frozen: list[deque[bytes]] = []
        self.freezes = rng.random() < 0.6
        self.max_rows, self.max_bytes = rng.randrange(1, 12), rng.choice((300, 600, 100_000))
        self.log: list[bytes] = []
        self.fence = Fence()
        #: The newest generation among the chunks taken, and that of the commit the writer began at.
        self.newest = self.floor = 0
        self.taken = self.written = 0
        self.tickets: list[Ticket] = []
        self.notes: dict[int, int] = {}
        self.kept = ""
        self.sink.refuse = {(rng.randrange(5), rng.choice(PARTITIONS))} if rng.random() < 0.3 else set()
        self.happened: Counter[str] = Counter()

    # -- the readers -------------------------------------------------------------------------------------------------

    def _lane(self, partition: int) -> Lane:
        offset, note = self.commits.get(partition, (0, ""))
        records = self.sources[partition].records
        index = next((place for place, record in enumerate(records) if record.offset >= offset), len(records))
        return Lane(partition, self.generation, index, VersionClock(floor_of(note)))

    def _next(self, lane: Lane) -> tuple[list[Record], list[bytes]]:
        """Take a batch of any size and make its chunks."""
        records = self.sources[lane.partition].records[lane.index : lane.index + self.rng.randrange(1, 20)]
        lane.index += len(records)
        chunks: list[bytes] = []
        for schema, run in groupby((record for record in records if record.change), key=lambda record: record.schema):
            changes = [record.change for record in run if record.change]
            versions = lane.clock.advance(change.time_us for change in changes)
            for change, version in zip(changes, versions, strict=True):
                known = self.versions.setdefault((lane.partition, change.offset), version)
                assert known == version, f"offset {change.offset} had version {known} and has {version}"
            rows = [row_of(change, version) for change, version in zip(changes, versions, strict=True)]
            times = [change.time_us for change in changes]
            origin = Origin(TABLE, lane.partition, lane.generation)
            for packed in pack(origin, schema, rows, times, max_rows=self.max_rows, max_bytes=self.max_bytes):
                assert packed.data is not None
                chunks.append(packed.data)
        return records, chunks

    def read(self) -> None:
        """The reader of a partition takes a batch and sends its chunks."""
        lane = self.lanes[self.rng.choice(PARTITIONS)]
        records, chunks = self._next(lane)
        if not records:
            return
        ticket = self.ledger.open(lane.partition, records[0].offset, records[-1].offset)
        self.log += chunks
        lane.works.append(Work(ticket, str(lane.clock.last), records))

    def settle(self) -> None:
        """The broker has confirmed a batch of a lane, be it one that was taken away."""
        lane = self.rng.choice([*self.lanes.values(), *self.former])
        if lane.works:
            self._settle(lane, self.rng.choice(lane.works))

    def _settle(self, lane: Lane, work: Work) -> None:
        current = lane in self.lanes.values()
        assert self.ledger.settle(work.ticket, work.note) is (current and not work.done)
        work.done = True
        while lane.works and lane.works[0].done:
            self._count(lane.partition, lane.works.pop(0).records)

    def _count(self, partition: int, records: list[Record]) -> None:
        self.stats.source_batch(
            TABLE,
            partition,
            [record.offset for record in records],
            [record.offset for record in records if record.tombstone],
            {Outcome.FORWARDED: [record.offset for record in records if record.change]},
        )

    def commit(self) -> None:
        """Commit what is settled; the broker's confirmation may get lost."""
        for partition, lane in self.lanes.items():
            committable = self.ledger.committable(partition)
            if committable is None:
                continue
            unsettled = [work.ticket.first for work in lane.works if not work.done]
            assert all(committable[0] <= first for first in unsettled), "committed past an unsettled batch"
            self.commits[partition] = committable
            self.happened["commit"] += 1
            if self.rng.random() < 0.7:
                self.ledger.committed(partition, committable[0])

    def rebalance(self) -> None:
        """The group has a new generation; a former reader may be frozen with part of a batch unsent."""
        for lane in self.lanes.values():
            if self.freezes and self.rng.random() < 0.6:
                hand = deque(chunk for _ in range(self.rng.randrange(1, 4)) for chunk in self._next(lane)[1])
                for _ in range(self.rng.randrange(len(hand) + 1)):
                    self.log.append(hand.popleft())
                self.frozen.append(hand)
        self.former += self.lanes.values()
        self.generation += 1
        self.ledger.forget(PARTITIONS)
        self.lanes = {partition: self._lane(partition) for partition in PARTITIONS}
        self.happened["rebalance"] += 1

    def thaw(self) -> None:
        """A frozen reader goes on sending."""
        hands = [hand for hand in self.frozen if hand]
        if hands:
            hand = self.rng.choice(hands)
            self.log.append(hand.popleft())
            self.happened["thaw"] += 1

    def send_twice(self) -> None:
        """The broker's answer got lost, and the producer sends its last message again."""
        if self.log:
            self.log.append(self.log[-1])
            self.happened["sent twice"] += 1

    # -- the writer --------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """The writer takes a run of chunks and applies them, however often the store fails."""
        batch = self.log[self.taken : self.taken + self.rng.randrange(1, 9)]
        if not batch:
            return
        ticket = self.ledger.open("writes", self.taken, self.taken + len(batch) - 1)
        self.taken += len(batch)
        refused = self.fence.refused
        chunks = [data for data in batch if self.fence.admits(head_of(data).header, self.floor)]
        self.newest = max([self.newest, *(head_of(data).header.generation for data in chunks)])
        self.notes[id(ticket)] = self.newest
        self.happened["refused"] += self.fence.refused - refused
        if self.rng.random() < 0.2:
            self.sink.fail_before, self.sink.fail_after = self.rng.randrange(2), self.rng.randrange(2)
        failed = None
        while failed is None:
            failed = self._apply(chunks)
        for data in chunks:
            header = head_of(data).header
            own = [offset for partition, offset in failed if partition == header.partition]
            offsets = set(row_offsets(data))
            self.stats.sink_chunk(
                "memory", header, [offset for offset in own if offset in offsets], lambda data=data: row_offsets(data)
            )
        self.tickets.append(ticket)

    def _apply(self, batch: list[bytes]) -> set[tuple[int, int]] | None:
        chunks = [msgspec.msgpack.decode(data, type=Chunk) for data in batch]
        failed = set()
        for schema, group in groupby(chunks, key=lambda chunk: chunk.schema):
            rows: list[tuple[int, Row]] = [(chunk.header.partition, row) for chunk in group for row in chunk.rows]
            reduced = reduce([row for _, row in rows], schema.key_positions())
            keys = [_key(row) for row in reduced.rows]
            assert len(keys) == len(set(keys)), "a key twice in one write"
            self.sink.ensure(schema, FOR_EVER)
            try:
                result = self.sink.write(schema, reduced.rows, FOR_EVER)
            except SinkUnavailable:
                self.happened["store failed"] += 1
                return None
            failed |= {
                (rows[place][0], rows[place][1].offset)
                for place in (reduced.positions[failure.index] for failure in result.failures)
            }
        return failed

    def settle_writes(self) -> None:
        """Some batches of the writer are settled, in any order, and what may be is committed."""
        self.rng.shuffle(self.tickets)
        for _ in range(self.rng.randrange(len(self.tickets) + 1)):
            ticket = self.tickets.pop()
            assert self.ledger.settle(ticket, str(self.notes[id(ticket)]))
        if committable := self.ledger.committable("writes"):
            assert all(committable[0] <= ticket.first for ticket in self.tickets)
            assert committable[0] <= self.taken
            self.written, self.kept = committable[0], committable[1]
            self.ledger.committed("writes", self.written)

    def write_again(self) -> None:
        """The writer, or another in its place, reads again from the last commit."""
        self.ledger.forget(["writes"])
        assert not any(self.ledger.settle(ticket) for ticket in self.tickets)
        self.taken, self.tickets = self.written, []
        if self.rng.random() < 0.5:
            self.fence = Fence()  # another writer, who knows only what was committed
        self.newest = self.floor = floor_of(self.kept)
        self.happened["written again"] += 1

    # -- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Let anything happen for a while, then let everything be delivered."""
        actions = [
            *[self.read] * 5, *[self.settle] * 6, *[self.commit] * 2, *[self.write] * 4, self.settle_writes,
            self.rebalance, *[self.thaw] * 2, self.send_twice, self.write_again,
        ]  # fmt: skip
        for _ in range(self.rng.randrange(20, 160)):
            self.rng.choice(actions)()
        while any(lane.index < len(self.sources[lane.partition].records) for lane in self.lanes.values()):
            self.rng.choice((self.read, self.read, self.thaw, self.write))()
        for lane in (*self.former, *self.lanes.values()):
            for work in list(lane.works):
                if not work.done:
                    self._settle(lane, work)
        while any(self.frozen):
            self.rng.choice((self.thaw, self.thaw, self.write))()
        while self.taken < len(self.log):
            self.write()
        for ticket in self.tickets:
            self.ledger.settle(ticket)

    def expected(self) -> dict[Key, tuple[Any, ...]]:
        """The rows of the source."""
        rows = {key: row for source in self.sources for key, row in source.rows.items()}
        return {key: row for key, row in rows.items() if key not in self.sink.refuse}

    def stored(self) -> dict[Key, tuple[Any, ...]]:
        """The rows of the store."""
        return {(row[2], row[1]): row for row in self.sink.read(NEW)}


def _key(row: Row) -> tuple[Any, ...]:
    return row.values if row.op == RowOp.DELETE else (row.values[2], row.values[1])

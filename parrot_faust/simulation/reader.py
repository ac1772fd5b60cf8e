"""The half of a worker that reads source topics: what the agent `changes` does, without decoding and rules."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from parrot_faust.delivery.chunks import Origin, pack, row_of
from parrot_faust.delivery.ledger import Ledger, Ticket
from parrot_faust.delivery.order import settle_changes
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.delivery.versions import VersionClock
from parrot_faust.simulation.broker import Broker, Commit, Place, Until
from parrot_faust.simulation.shapes import TABLE
from parrot_faust.simulation.source import Record, Source


@dataclass(eq=False, slots=True)
class Message:
    """A chunk on its way to the log of a sink."""

    sink: str
    data: bytes
    places: list[Place]


@dataclass(eq=False, slots=True)
class Work:
    """One batch handed out, and how far it is."""

    ticket: Ticket
    note: str
    records: Sequence[Record]
    before: Work | None
    unconfirmed: int
    outcome: bool | None = None
    task: Coroutine[Any, Any, bool] | None = None


@dataclass(eq=False, slots=True)
class Lane:
    """A source partition as one owner reads it. `index` is the place of the next record in `records`."""

    partition: int
    topic: int
    generation: int
    records: list[Record]
    index: int
    clock: VersionClock
    line: int
    unsent: deque[tuple[Message, Work]] = field(default_factory=deque)
    works: list[Work] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether anything it has read is not settled."""
        return any(work.outcome is None for work in self.works)


class Reader:
    """One owner of all source partitions after the other; `former` are lanes that were taken away and still send."""

    def __init__(
        self, rng: random.Random, broker: Broker, sources: Sequence[Source], sinks: Sequence[str], stats: Stats
    ) -> None:
        self._rng, self._broker, self._sources, self._sinks, self._stats = rng, broker, sources, sinks, stats
        self._ledger = Ledger()
        self._max_rows, self._max_bytes = rng.randrange(1, 12), rng.choice((300, 600, 100_000))
        self._ahead = rng.choice((1, 30, 100_000))
        self._known: dict[tuple[int, int, int], int] = {}
        self._highest = [0] * len(sources)
        self._lines = 0
        self.generation = 0
        self.lanes: list[Lane] = []
        self.former: list[Lane] = []

    # -- owning ------------------------------------------------------------------------------------------------------

    def begin(self, generation: int) -> None:
        """Take over all partitions from their last commits."""
        self.former += self.lanes
        self.generation = generation
        self._ledger.forget(range(len(self._sources)))
        self.lanes = [self._lane(source) for source in self._sources]

    def crash(self) -> None:
        """Lose all that is in memory of the present owner."""
        self.lanes, self._ledger = [], Ledger()

    def finish(self, partition: int) -> None:
        """Read, send, settle and commit all there is of a topic."""
        lane = self.lanes[partition]
        while lane.index < len(lane.records):
            self.read(lane)
        while lane.unsent:
            self.deliver(lane, twice=False)
        while lane.busy:
            self.settle(lane)
        self.commit(lost=False)

    def recreate(self, partition: int) -> None:
        """The topic was deleted and made again; the broker has forgotten what was committed of it."""
        self._broker.commits.pop(partition, None)
        self.lanes[partition] = self._lane(self._sources[partition])

    def _lane(self, source: Source) -> Lane:
        partition = source.partition
        commit = self._broker.commits.get(partition, Commit(0))
        clock = VersionClock.begun(commit.note, self._broker.reserved.get(partition, 0))
        line = commit.line
        if not commit.note:
            self._lines += 1
            line = self._lines
            assert clock.last >= self._highest[partition], "a version that was used before would be used again"
        records = source.records
        index = next((place for place, record in enumerate(records) if record.offset >= commit.offset), len(records))
        return Lane(partition, len(source.topics), self.generation, records, index, clock, line)

    # -- reading -----------------------------------------------------------------------------------------------------

    def read(self, lane: Lane) -> None:
        """Take a batch of any size and make its chunks; the producer has them, the broker not yet."""
        records = lane.records[lane.index : lane.index + self._rng.randrange(1, 20)]
        if not records:
            return
        lane.index += len(records)
        messages = list(self._messages(lane, records))
        if self._ledger.passed(lane.partition, records[0].offset):
            self._ledger.forget([lane.partition])
        ticket = self._ledger.open(lane.partition, records[0].offset, records[-1].offset)
        before = lane.works[-1] if lane.works else None
        work = Work(ticket, str(lane.clock.last), records, before, len(messages))
        lane.unsent += ((message, work) for message in messages)
        lane.works.append(work)

    def _messages(self, lane: Lane, records: Sequence[Record]) -> Iterator[Message]:
        for schema, run in groupby((record for record in records if record.change), key=lambda record: record.schema):
            changes = [record.change for record in run if record.change]
            versions = lane.clock.advance(change.time_us for change in changes)
            if (reserved := lane.clock.reserve(self._ahead)) is not None:
                self._broker.reserved[lane.partition] = lane.clock.reserved = reserved
            for change, version in zip(changes, versions, strict=True):
                self._check_version(lane, change.offset, version)
            rows = [row_of(change, version) for change, version in zip(changes, versions, strict=True)]
            times = [change.time_us for change in changes]
            origin = Origin(TABLE, lane.partition, lane.generation)
            for packed in pack(origin, schema, rows, times, max_rows=self._max_rows, max_bytes=self._max_bytes):
                assert packed.data is not None
                places = [(lane.partition, lane.topic, row.offset) for row in packed.rows]
                for sink in self._sinks:
                    yield Message(sink, packed.data, places)

    def _check_version(self, lane: Lane, offset: int, version: int) -> None:
        known = self._known.setdefault((lane.partition, lane.line, offset), version)
        assert known == version, f"offset {offset} had version {known} and has {version}"
        self._highest[lane.partition] = max(self._highest[lane.partition], version)
        assert version <= self._broker.reserved.get(lane.partition, 0), "a version was used that was not reserved"

    def deliver(self, lane: Lane, *, twice: bool) -> None:
        """The broker takes the next message of a lane, and again when its answer got lost."""
        message, work = lane.unsent.popleft()
        self._broker.logs[message.sink] += [message.data] * (1 + twice)
        self._broker.arrived[message.sink].update(message.places)
        work.unconfirmed -= 1

    # -- settling ----------------------------------------------------------------------------------------------------

    async def _settle(self, lane: Lane, work: Work) -> bool:
        before = work.before

        def done() -> None:
            valid = self._ledger.settle(work.ticket, work.note)
            assert not valid or lane in self.lanes, "a batch that was taken away was settled"

        return await settle_changes(
            confirmed=Until(lambda: work.unconfirmed == 0),
            before=Until(lambda: before.outcome is not None, lambda: bool(before.outcome))
            if before is not None
            else None,
            count=lambda: self._count(lane, work.records),
            done=done,
        )

    def settle(self, lane: Lane) -> None:
        """Let the batches of a lane that wait for the broker look again, in any order."""
        works = [work for work in lane.works if work.outcome is None]
        self._rng.shuffle(works)
        for work in works:
            work.task = work.task or self._settle(lane, work)
            try:
                work.task.send(None)
            except StopIteration as ended:
                work.outcome = ended.value

    def _count(self, lane: Lane, records: Sequence[Record]) -> None:
        self._stats.source_batch(
            TABLE,
            lane.partition,
            [record.offset for record in records],
            [record.offset for record in records if record.tombstone],
            {Outcome.FORWARDED: [record.offset for record in records if record.change]},
        )

    def commit(self, *, lost: bool) -> bool:
        """Commit what may be; the broker's confirmation may get lost. True when there was anything."""
        moved = False
        for lane in self.lanes:
            if (committable := self._ledger.committable(lane.partition)) is None:
                continue
            offset, note = committable
            for sink in self._sinks:
                arrived = self._broker.arrived[sink]
                for record in lane.records:
                    place = lane.partition, lane.topic, record.offset
                    unsafe = record.offset < offset and record.change and place not in arrived
                    assert not unsafe, f"committed up to {offset}, and {sink} never gets offset {record.offset}"
            self._broker.commits[lane.partition] = Commit(offset, note, lane.line)
            moved = True
            if not lost:
                self._ledger.committed(lane.partition, offset)
        return moved

    @property
    def finished(self) -> bool:
        """Whether everything there is was read, sent and settled."""
        return not any(lane.index < len(lane.records) or lane.unsent or lane.busy for lane in self.lanes) and not any(
            lane.unsent for lane in self.former
        )

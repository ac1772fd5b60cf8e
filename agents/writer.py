"""What the writer agents share: apply batches of chunks to one sink, settle them, and never lose one.

A batch is settled in the order of `settle_writes`. A store that does not answer is tried again for as long as it takes;
that is no reason for a dead letter, and it holds back nothing but this sink.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from agents.answers import Answers
from agents.calls import calls_of, head_or_none, of_chunk, sources_of
from agents.outbox import Outbox
from agents.schema_book import SchemaBook
from models import AppliedDdl, ChunkHeader, DeadLetter, Late, SchemaChange, Stage
from parrot_faust import failpoints
from parrot_faust.delivery.chunks import head_of, row_offsets, row_versions
from parrot_faust.delivery.fence import Fence
from parrot_faust.delivery.order import Pending, settle_writes
from parrot_faust.delivery.overrun import Rewriting, late_chunk
from parrot_faust.delivery.retry import delays
from parrot_faust.delivery.stats import Stats
from parrot_faust.delivery.versions import floor_of
from parrot_faust.errors import LeaseExpired, MessageUnreadable, SinkUnavailable
from parrot_faust.logs import at, named, of_batch
from parrot_faust.sinks.process import ChunkResult, SinkProcess
from parrot_faust.tracing import OFF, Traces, Trail, timed
from parrot_faust.transport import Batch, Record

RENEWAL_POLL_S = 0.1  # how often to look whether the group's lease was renewed
PAUSED_POLL_S = 0.1  # and whether a paused sink goes on: a pause lets a call end, and none begins after it

#: Changes of a store's table that come by the clock and not by the source: its schema history has no room for them.
RANGES = ("AddRange", "KeepRange", "DropRange")
#: Yields the records of a topic's partition from an offset on and below another one.
Scan = Callable[[str, int, int, int], AsyncIterator[Sequence[Record]]]
#: The committed offset and note of a partition.
CommittedNote = Callable[[str, int], Awaitable[tuple[int, str] | None]]


@dataclass(slots=True)
class _Lane:
    """A writes partition as this worker has it: the newest group generation among what was written of it, which is
    kept as the note of its commits. `floor` is that of the commit this worker began at; `fence` knows what came after.
    `overran` says that a call of the batch at hand has outlasted its lease, as one does in a worker that was frozen.
    """

    generation: int
    floor: int
    newest: int
    next_offset: int
    fence: Fence = field(default_factory=Fence)
    overran: bool = False


class Writer:
    """Takes batches of one sink's writes topic in order. One instance a sink and worker."""

    def __init__(
        self,
        sink: str,
        process: SinkProcess,
        *,
        outbox: Outbox,
        schemas: SchemaBook,
        stats: Stats,
        lease_until: Callable[[], float],
        owns: Callable[[Batch], bool],
        paused: Callable[[], bool],
        committed_note: CommittedNote,
        scan: Scan,
        log: Any,
        jitter: Callable[[], float],
        retry_first_s: float,
        retry_cap_s: float,
        traces: Traces = OFF,
    ) -> None:
        self.sink, self._process, self._paused = sink, process, paused
        self._outbox, self._schemas, self._stats = outbox, schemas, stats
        self._lease_until, self._owns, self._committed_note = lease_until, owns, committed_note
        self._scan, self._log, self._jitter, self._traces = scan, log, jitter, traces
        self._answers = Answers(sink, outbox, stats, log)
        self._retry = (retry_first_s, retry_cap_s)
        self._lanes: dict[int, _Lane] = {}
        self._before_flush = failpoints.at_async(f"{sink}_writer.before_flush")
        self._after_flush = failpoints.at_async(f"{sink}_writer.after_flush")

    async def take(self, batch: Batch) -> None:
        """Apply a batch and settle it. A batch whose partition was taken away meanwhile is left to its new owner."""
        trail = self._traces.begin(f"{self.sink}_writer", batch)
        try:
            error = "" if await self._take(batch, trail) else "the partition was taken away"
        except BaseException as failure:
            self._traces.end(trail, repr(failure))
            raise
        self._traces.end(trail, error)

    async def _take(self, batch: Batch, trail: Trail | None) -> bool:
        started = time.perf_counter()
        lane = await self._lane(batch)
        headers, chunks, lates = await self._admitted(batch, lane)
        written = started

        def apply(call: slice) -> Callable[[], Awaitable[Pending | None]]:
            return lambda: timed(trail, "write", self._apply(batch, lane, headers[call], chunks[call]))

        def write_again(place: int, late: Late) -> Callable[[], Awaitable[Pending | None]]:
            return lambda: timed(trail, "write again", self._write_again(batch, lane, place, late))

        async def confirm(pending: Pending) -> None:
            nonlocal written
            written = time.perf_counter()
            await timed(trail, "wait", self._outbox.confirm(pending))

        def done() -> None:
            lane.newest = max(lane.newest, *(header.generation for header in headers), 0)
            batch.done(str(lane.newest))

        # Before the batch's own rows, the later ones of which may be newer than any that are written again.
        calls = [write_again(place, late) for place, late in lates]
        calls += [apply(call) for call in calls_of([header.rows for header in headers])]
        if not await settle_writes(calls=calls, confirm=confirm, done=done):
            self._log.info(
                "%s: %r was taken away before all was applied; its new owner applies it",
                self.sink,
                batch,
                extra=of_batch(batch, sink=self.sink),
            )
            if lane.overran:
                await self._say_late(batch, lane)
            return False
        rows = sum(header.rows for header in headers)
        self._stats.agent_step(
            f"{self.sink}_writer",
            changes=rows,
            write_ms=(written - started) * 1e3,
            wait_ms=(time.perf_counter() - written) * 1e3,
        )
        if trail:
            trail.attributes |= {"changes": rows, "sink": self.sink, "sources": sources_of(headers)}
        return True

    async def _apply(
        self, batch: Batch, lane: _Lane, headers: Sequence[ChunkHeader], chunks: Sequence[bytes]
    ) -> Pending | None:
        """Write chunks and count them; return what the broker has yet to confirm, None when the batch is lost."""
        await self._before_flush()
        results = await self._write(batch, lane, chunks)
        if results is None:
            return None
        await self._after_flush()
        pending: list[Awaitable[Any]] = []
        for header, chunk, result in zip(headers, chunks, results, strict=True):
            pending += await self._settle_chunk(header, chunk, result)
        return pending

    async def _say_late(self, batch: Batch, lane: _Lane) -> None:
        """Tell whoever has the partition now that rows of this batch may have been written after newer ones."""
        heads = [head for record in batch.records if (head := head_or_none(record)) is not None]
        # Rows that were written again are as late as others, and come from further back.
        first = min([batch.first, *(head.header.late.first for head in heads if head.header.late is not None)])
        self._log.warning(
            "%s: a call of %r has outlasted its lease, and the partition has another owner now; rows of it may have "
            "been written after newer ones, so the newer ones are written again",
            self.sink,
            batch,
            extra=of_batch(batch, sink=self.sink),
        )
        late = late_chunk(heads[0], Late(first, batch.last, lane.newest))
        await self._outbox.confirm([await self._outbox.send(batch.topic, late, partition=batch.partition)])

    async def _write_again(self, batch: Batch, lane: _Lane, place: int, late: Late) -> Pending | None:
        """Write again what came since rows that were written late, so that the newest are in the store.

        Rows that the store refuses have their dead letters already, and all are counted already.
        """
        waits = delays(*self._retry, self._jitter)
        while self._owns(batch):
            try:
                return await self._write_since(batch, lane, place, late)
            except KafkaError as error:
                self._log.warning(
                    "%s: %r can't be read again now, will be tried again: %s",
                    self.sink,
                    batch,
                    error,
                    extra=of_batch(batch, sink=self.sink),
                )
                await asyncio.sleep(next(waits))
        return None

    async def _write_since(self, batch: Batch, lane: _Lane, place: int, late: Late) -> Pending | None:
        rewriting, position = Rewriting(late), late.first
        pending: list[Awaitable[Any]] = []
        async for records in self._scan(batch.topic, batch.partition, late.first, place):
            if position == late.first < records[0].offset:
                self._log.error(
                    "%s: %s[%d] no longer has offset %d, from which on rows may have been written late: these may be "
                    "older than their source now; `parrot verify --repair` finds and mends them",
                    self.sink,
                    batch.topic,
                    batch.partition,
                    late.first,
                    extra=at(batch.topic, batch.partition, late.first, sink=self.sink),
                )
            position = records[-1].offset + 1
            taken = (rewriting.take(record.offset, record.value or b"") for record in records)
            chunks = [chunk for chunk in taken if chunk is not None]
            for call in calls_of([head_of(chunk).header.rows for chunk in chunks]):
                if (results := await self._write(batch, lane, chunks[call])) is None:
                    return None
                for result in results:
                    pending += await self._settle_ddl(result)
        self._log.warning(
            "%s: wrote %d rows again, those of %s[%d] %d to %d and what came after them: a frozen worker may have "
            "written these late",
            self.sink,
            rewriting.rows,
            batch.topic,
            batch.partition,
            late.first,
            late.last,
            extra=at(batch.topic, batch.partition, sink=self.sink, first_offset=late.first, last_offset=late.last),
        )
        return pending

    async def _lane(self, batch: Batch) -> _Lane:
        lane = self._lanes.get(batch.partition)
        if lane is None or lane.generation != batch.generation or batch.first < lane.next_offset:
            # Newly assigned, or read again from the commit. What the fence saw after it is forgotten: it was not all
            # written, and comes again in its order.
            committed = await self._committed_note(batch.topic, batch.partition)
            floor = floor_of(committed[1]) if committed else 0
            lane = self._lanes[batch.partition] = _Lane(batch.generation, floor, floor, batch.first)
        lane.next_offset = batch.last + 1
        lane.overran = False
        return lane

    async def _admitted(
        self, batch: Batch, lane: _Lane
    ) -> tuple[list[ChunkHeader], list[bytes], list[tuple[int, Late]]]:
        """The chunks to write, and what is to be written again with the offset at which that was said."""
        headers, chunks, lates = [], [], []
        for record in batch.records:
            data = record.value or b""
            try:
                header = head_of(data).header
            except msgspec.DecodeError as reason:
                error = MessageUnreadable(batch.topic, batch.partition, record.offset, str(reason))
                self._log.error(
                    "%s: %s; it is dead-lettered",
                    self.sink,
                    error,
                    extra=at(batch.topic, batch.partition, record.offset, sink=self.sink, error=type(error).__name__),
                )
                letter = DeadLetter(
                    topic=batch.topic,
                    partition=batch.partition,
                    offset=record.offset,
                    key=record.key,
                    value=record.value,
                    stage=Stage.WRITE,
                    error=type(error).__name__,
                    message=str(error),
                    sink=self.sink,
                    timestamp_ms=record.timestamp,
                    headers=tuple(record.headers),
                )
                await self._outbox.confirm([await self._outbox.hold(letter)])
                continue
            if header.late is not None:
                lates.append((record.offset, header.late))
            elif lane.fence.admits(header, lane.floor):
                headers.append(header)
                chunks.append(data)
            elif header.letters:
                await self._outbox.confirm(await self._answers.refused(header))
            else:
                self._log.warning(
                    "%s: chunk of %s[%d] offsets %d to %d comes from an earlier owner of the partition, was already "
                    "applied, and is left out",
                    self.sink,
                    header.table,
                    header.partition,
                    header.first_offset,
                    header.last_offset,
                    extra=of_chunk(header, sink=self.sink),
                )
        return headers, chunks, lates

    async def _write(self, batch: Batch, lane: _Lane, chunks: Sequence[bytes]) -> list[ChunkResult] | None:
        """Write until the store has answered for every row. None when the partition is no longer this worker's."""
        waits = delays(*self._retry, self._jitter)
        said = False
        ddl: list[AppliedDdl] = []  # of tries whose rows are not all written yet: a table is made once and told once
        while self._owns(batch):
            if self._paused():
                await asyncio.sleep(PAUSED_POLL_S)
                continue
            lease = self._lease_until()
            if lease <= time.monotonic():
                await asyncio.sleep(RENEWAL_POLL_S)
                continue
            try:
                results = await self._process.write(chunks, lease)
            except LeaseExpired:
                lane.overran |= self._overran(lease)
                continue
            except SinkUnavailable as error:
                lane.overran |= self._overran(lease)
                reason = str(error)
            else:
                transient = [failure for result in results for failure in result.failures if failure.transient]
                if self._overran(lease):  # they are known to be in place only when written within another lease
                    lane.overran = True
                    ddl += (change for result in results for change in result.ddl)
                    continue
                if not transient:
                    self._stats.sink_ok(self.sink, self._process.restarts)
                    if said:
                        self._log.info("%s is back, writing goes on", self.sink, extra=named(sink=self.sink))
                    return [msgspec.structs.replace(results[0], ddl=(*ddl, *results[0].ddl)), *results[1:]]
                ddl += (change for result in results for change in result.ddl)
                reason = f"{self.sink}: {transient[0].message}"
            self._stats.sink_retrying(self.sink, reason, self._process.restarts)
            if not said:
                self._log.warning(
                    "%s; trying again until it answers, nothing is lost meanwhile",
                    reason,
                    extra=of_batch(batch, sink=self.sink),
                )
                said = True
            await asyncio.sleep(next(waits))
        return None

    @staticmethod
    def _overran(lease: float) -> bool:
        return time.monotonic() > lease

    async def _settle_ddl(self, result: ChunkResult) -> list[Awaitable[Any]]:
        pending = []
        for ddl in result.ddl:
            self._log.info(
                "%s: %s %s %s (%.2f s)",
                self.sink,
                ddl.change,
                ddl.target,
                ddl.detail,
                ddl.seconds,
                extra=at(ddl.table, sink=self.sink),
            )
            if ddl.change in RANGES:
                self._stats.schema_change(ddl.table, ddl.change, self.sink, ddl.detail, ddl.seconds)
                continue
            change = SchemaChange(ddl.table, ddl.change, "", ddl.detail)
            pending.append(await self._schemas.applied(ddl.table, self.sink, (change,), ddl.seconds))
        return pending

    async def _settle_chunk(self, header: ChunkHeader, chunk: bytes, result: ChunkResult) -> list[Awaitable[Any]]:
        pending = await self._settle_ddl(result)
        if header.letters:
            return [*pending, *await self._answers.settle(header, chunk, result)]
        failed = []
        versions = row_versions(chunk) if result.failures else {}
        for failure in result.failures:
            failed.append(failure.offset)
            self._log.warning(
                "dead letter: %s[%d] offset %d refused by %s: %s: %s",
                header.table,
                header.partition,
                failure.offset,
                self.sink,
                failure.error,
                failure.message,
                extra=at(header.table, header.partition, failure.offset, sink=self.sink, error=failure.error),
            )
            letter = DeadLetter(
                topic=header.table,
                partition=header.partition,
                offset=failure.offset,
                key=None,
                value=None,
                stage=Stage.WRITE,
                error=failure.error,
                message=failure.message,
                sink=self.sink,
                carried=False,
                version=versions[failure.offset],
            )
            pending.append(await self._outbox.hold(letter))
        self._stats.sink_chunk(self.sink, header, failed, lambda: row_offsets(chunk))
        return pending

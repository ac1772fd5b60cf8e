"""What the writer agents share: apply batches of chunks to one sink, settle them, and never lose one.

A batch is settled in the order of `settle_writes`. A store that does not answer is tried again for as long as it takes;
that is no reason for a dead letter, and it holds back nothing but this sink.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.outbox import Outbox
from agents.schema_book import SchemaBook
from models import AppliedDdl, ChunkHeader, DeadLetter, Fate, Place, Resolution, SchemaChange, Stage
from parrot_faust import failpoints
from parrot_faust.delivery.chunks import head_of, row_offsets, row_versions
from parrot_faust.delivery.fence import Fence
from parrot_faust.delivery.heads import bounded_text
from parrot_faust.delivery.order import Pending, settle_writes
from parrot_faust.delivery.retry import delays
from parrot_faust.delivery.stats import Stats
from parrot_faust.delivery.versions import floor_of
from parrot_faust.errors import LeaseExpired, MessageUnreadable, SinkUnavailable
from parrot_faust.sinks.process import ChunkResult, SinkProcess
from parrot_faust.transport import Batch

RENEWAL_POLL_S = 0.1  # how often to look whether the group's lease was renewed

#: Rows of one call to a store: HBase, the slower one, writes so many in a fifth of a second, far below a call's
#: deadline, and no store is faster with more.
CALL_ROWS = 3_000


def calls_of(rows: Sequence[int]) -> Iterator[slice]:
    """Cut chunks of so many rows each into calls of at most `CALL_ROWS`; a larger chunk is a call of its own."""
    begin = total = 0
    for index, count in enumerate(rows):
        if index > begin and total + count > CALL_ROWS:
            yield slice(begin, index)
            begin, total = index, 0
        total += count
    if rows:
        yield slice(begin, len(rows))


#: Changes of a store's table that come by the clock and not by the source: its schema history has no room for them.
RANGES = ("AddRange", "KeepRange", "DropRange")
#: The committed offset and note of a partition.
CommittedNote = Callable[[str, int], Awaitable[tuple[int, str] | None]]


@dataclass(slots=True)
class _Lane:
    """A writes partition as this worker has it: the newest group generation among what was written of it, which is
    kept as the note of its commits. `floor` is that of the commit this worker began at; `fence` knows what came after.
    """

    generation: int
    floor: int
    newest: int
    next_offset: int
    fence: Fence = field(default_factory=Fence)


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
        committed_note: CommittedNote,
        log: Any,
        jitter: Callable[[], float],
        retry_first_s: float,
        retry_cap_s: float,
    ) -> None:
        self.sink, self._process = sink, process
        self._outbox, self._schemas, self._stats = outbox, schemas, stats
        self._lease_until, self._owns, self._committed_note = lease_until, owns, committed_note
        self._log, self._jitter = log, jitter
        self._retry = (retry_first_s, retry_cap_s)
        self._lanes: dict[int, _Lane] = {}
        self._before_flush = failpoints.at_async(f"{sink}_writer.before_flush")
        self._after_flush = failpoints.at_async(f"{sink}_writer.after_flush")

    async def take(self, batch: Batch) -> None:
        """Apply a batch and settle it. A batch whose partition was taken away meanwhile is left to its new owner."""
        started = time.perf_counter()
        lane = await self._lane(batch)
        headers, chunks = await self._admitted(batch, lane)
        written = started

        def apply(call: slice) -> Callable[[], Awaitable[Pending | None]]:
            return lambda: self._apply(batch, headers[call], chunks[call])

        async def confirm(pending: Pending) -> None:
            nonlocal written
            written = time.perf_counter()
            await self._outbox.confirm(pending)

        def done() -> None:
            lane.newest = max(lane.newest, *(header.generation for header in headers), 0)
            batch.done(str(lane.newest))

        calls = [apply(call) for call in calls_of([header.rows for header in headers])]
        if not await settle_writes(calls=calls, confirm=confirm, done=done):
            self._log.info("%s: %r was taken away before all was applied; its new owner applies it", self.sink, batch)
            return
        rows = sum(header.rows for header in headers)
        self._stats.agent_step(
            f"{self.sink}_writer",
            changes=rows,
            write_ms=(written - started) * 1e3,
            wait_ms=(time.perf_counter() - written) * 1e3,
        )

    async def _apply(self, batch: Batch, headers: Sequence[ChunkHeader], chunks: Sequence[bytes]) -> Pending | None:
        """Write chunks and count them; return what the broker has yet to confirm, None when the batch is lost."""
        await self._before_flush()
        results = await self._write(batch, chunks)
        if results is None:
            return None
        await self._after_flush()
        pending: list[Awaitable[Any]] = []
        for header, chunk, result in zip(headers, chunks, results, strict=True):
            pending += await self._settle_chunk(header, chunk, result)
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
        return lane

    async def _admitted(self, batch: Batch, lane: _Lane) -> tuple[list[ChunkHeader], list[bytes]]:
        headers, chunks = [], []
        for record in batch.records:
            data = record.value or b""
            try:
                header = head_of(data).header
            except msgspec.DecodeError as reason:
                error = MessageUnreadable(batch.topic, batch.partition, record.offset, str(reason))
                self._log.error("%s: %s; it is dead-lettered", self.sink, error)
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
            if lane.fence.admits(header, lane.floor):
                headers.append(header)
                chunks.append(data)
            elif header.letters:
                await self._outbox.confirm([await self._refused(header, letter) for letter in header.letters])
            else:
                self._log.warning(
                    "%s: chunk of %s[%d] offsets %d to %d comes from an earlier owner of the partition, was already "
                    "applied, and is left out",
                    self.sink,
                    header.table,
                    header.partition,
                    header.first_offset,
                    header.last_offset,
                )
        return headers, chunks

    async def _write(self, batch: Batch, chunks: Sequence[bytes]) -> list[ChunkResult] | None:
        """Write until the store has answered for every row. None when the partition is no longer this worker's."""
        waits = delays(*self._retry, self._jitter)
        said = False
        ddl: list[AppliedDdl] = []  # of tries whose rows are not all written yet: a table is made once and told once
        while self._owns(batch):
            lease = self._lease_until()
            if lease <= time.monotonic():
                await asyncio.sleep(RENEWAL_POLL_S)
                continue
            try:
                results = await self._process.write(chunks, lease)
            except LeaseExpired:
                continue
            except SinkUnavailable as error:
                reason = str(error)
            else:
                transient = [failure for result in results for failure in result.failures if failure.transient]
                if not transient:
                    self._stats.sink_ok(self.sink, self._process.restarts)
                    if said:
                        self._log.info("%s is back, writing goes on", self.sink)
                    return [msgspec.structs.replace(results[0], ddl=(*ddl, *results[0].ddl)), *results[1:]]
                ddl += (change for result in results for change in result.ddl)
                reason = f"{self.sink}: {transient[0].message}"
            self._stats.sink_retrying(self.sink, reason, self._process.restarts)
            if not said:
                self._log.warning("%s; trying again until it answers, nothing is lost meanwhile", reason)
                said = True
            await asyncio.sleep(next(waits))
        return None

    async def _settle_chunk(self, header: ChunkHeader, chunk: bytes, result: ChunkResult) -> list[Awaitable[Any]]:
        pending = []
        for ddl in result.ddl:
            self._log.info("%s: %s %s %s (%.2f s)", self.sink, ddl.change, ddl.target, ddl.detail, ddl.seconds)
            if ddl.change in RANGES:
                self._stats.schema_change(ddl.table, ddl.change, self.sink, ddl.detail, ddl.seconds)
                continue
            change = SchemaChange(ddl.table, ddl.change, "", ddl.detail)
            pending.append(await self._schemas.applied(ddl.table, self.sink, (change,), ddl.seconds))
        if header.letters:
            return [*pending, *await self._settle_letters(header, chunk, result)]
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

    async def _settle_letters(self, header: ChunkHeader, chunk: bytes, result: ChunkResult) -> list[Awaitable[Any]]:
        """Say what became of dead letters that were sent again. One that failed stays the letter it is."""
        pending = []
        failures = {failure.offset: failure for failure in result.failures}
        for offset, letter in zip(row_offsets(chunk), header.letters, strict=True):
            failure = failures.get(offset)
            if failure is not None:
                self._log.warning(
                    "dead letter %s was refused by %s again: %s: %s", letter, self.sink, failure.error, failure.message
                )
            resolution = Resolution(
                letter,
                Fate.FAILED if failure else Fate.APPLIED,
                header.request,
                sink=self.sink,
                error=failure.error if failure else "",
                message=bounded_text(failure.message) if failure else "",
            )
            pending.append(await self._outbox.resolve(resolution))
        self._stats.sink_redriven(self.sink, header.table, header.rows - len(failures), len(failures))
        return pending

    async def _refused(self, header: ChunkHeader, letter: Place) -> Awaitable[Any]:
        message = "another worker took over the source partition meanwhile; ask again"
        self._log.warning("%s: dead letter %s is not applied: %s", self.sink, letter, message)
        resolution = Resolution(letter, Fate.OVERTAKEN, header.request, sink=self.sink, message=message)
        return await self._outbox.resolve(resolution)

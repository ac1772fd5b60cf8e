"""Agent `changes`: decode, check, fan out.

Every record of a batch ends as exactly one of: forwarded to each sink's writes topic, held in quarantine, dropped by a
rule, dead-lettered, tombstone, or skipped (a message without a row). The batch is settled when the broker has
confirmed all that was made from it, and not before.

Rows of a shape that is not decided on wait, and all that comes after them in their partition; other partitions go on.
As nothing of them is settled, no more of the partition is fetched, and a restart reads them again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from agents.breakers import Breakers
from agents.filling import Filling
from agents.held_images import HeldImages
from agents.holding import dead_letter, quarantined, shown
from agents.judging import PASSING, Judge, Judged
from agents.oldest_shape import Heads, OldestShape
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook
from agents.schema_book import Places, SchemaBook, SeenIn
from agents.tallying import Seen, Tallying
from models import Action, Change, DeadLetter, Op, Row, TableSchema, key_text
from parrot_faust import failpoints
from parrot_faust.codec import Decoded, Decoder, Segment
from parrot_faust.codec import Record as CodecRecord
from parrot_faust.delivery.chunks import Origin, pack, row_of, writes_partition
from parrot_faust.delivery.images import Images
from parrot_faust.delivery.order import settle_changes
from parrot_faust.delivery.retry import delays
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.delivery.versions import VersionClock
from parrot_faust.errors import RegistryUnavailable, RowTooLarge, TableRefused
from parrot_faust.logs import at, of_batch
from parrot_faust.masking import Masking, TableMask
from parrot_faust.names import Names
from parrot_faust.registry import RegistryClient
from parrot_faust.schema import Placement, losses
from parrot_faust.tracing import OFF, Traces, Trail
from parrot_faust.transport import Batch

#: Seconds between two looks for a decision on a shape, or for another rule. The former takes some tens of milliseconds
#: unless a person decides.
FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.3

#: The committed offset and note of a source partition.
CommittedNote = Callable[[str, int], Awaitable[tuple[int, str] | None]]


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the changes of a table go, and how large a chunk may be. `partitions` is that of every writes topic."""

    sinks: Callable[[str], Sequence[str]]
    partitions: Callable[[], int]
    chunk_rows: int
    chunk_bytes: int


@dataclass(slots=True)
class _Lane:
    """A source partition as this worker reads it."""

    generation: int
    next_offset: int
    clock: VersionClock
    images: Images
    settling: asyncio.Task[bool] | None = None
    #: Batches that wait for a decision on a shape, or that a rule stopped: the first is at hand, the others behind it.
    line: deque[Batch] = field(default_factory=deque)
    waiting: asyncio.Task[None] | None = None


#: What others may know of a lane.
Lane = _Lane


class _Reading(SeenIn, Protocol):
    """Where a lane is read on from."""

    @property
    def generation(self) -> int: ...


@dataclass(frozen=True, slots=True)
class _FromCommit:
    """A partition of which nothing has come yet since it was assigned: it is read on from its committed offset."""

    topic: str
    partition: int
    generation: int
    first: int


@dataclass(slots=True)
class _Work:
    """What one batch has come to. `segments` are still to be taken."""

    batch: Batch
    decoded: Decoded
    segments: deque[Segment]
    decode_ms: float
    #: Versions by position in the batch, given beforehand where some of its records can't be decoded.
    versions: Mapping[int, int] | None = None
    check_s: float = 0.0
    active_s: float = 0.0
    pending: list[Awaitable[Any]] = field(default_factory=list)
    outcomes: dict[Outcome, list[int]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    asked: bool = False
    trail: Trail | None = None

    def settle(self, outcome: Outcome, offset: int) -> None:
        self.outcomes.setdefault(outcome, []).append(offset)


class Changes:
    """Takes batches of source topics in order. One instance a worker."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        registry: RegistryClient | None,
        rules: RuleBook,
        schemas: SchemaBook,
        outbox: Outbox,
        names: Names,
        targets: Targets,
        masking: Masking,
        stats: Stats,
        committed_note: CommittedNote,
        confirmed: Callable[[str, int], int | None],
        images: HeldImages,
        reserved: ReservedVersions,
        heads: Heads,
        tallying: Tallying,
        breakers: Breakers,
        fatal: Callable[[BaseException], None],
        log: Any,
        jitter: Callable[[], float],
        traces: Traces = OFF,
    ) -> None:
        self._decoder, self._registry = decoder, registry
        self._schemas = schemas
        self._outbox, self._names, self._targets = outbox, names, targets
        self._stats, self._committed_note = stats, committed_note
        self._images, self._reserved, self._masking = images, reserved, masking
        self._fatal, self._log, self._jitter, self._traces = fatal, log, jitter, traces
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._warned: set[str] = set()
        self.confirming: set[asyncio.Task[bool]] = set()
        self._judge = Judge(rules, stats, log)
        self._tallying, self._breakers = tallying, breakers
        self._oldest = OldestShape(heads, decoder, masking, self.learn_schemas, log)
        self.filling = Filling(images, masking, confirmed, targets.chunk_bytes)
        self._before_send = failpoints.at_async("changes.before_send")
        self._before_settle = failpoints.at_async("changes.before_settle")
        #: Held while a batch is taken in: whoever has it knows that nothing from a lane's next offset on was sent, and
        #: may send something before that.
        self.turn = asyncio.Lock()

    async def take(self, batch: Batch) -> None:
        """Decode, check and send a batch; it is settled in the background once the broker has everything.

        Returns at once when its rows have to wait for a decision on their shape, or a rule stops them.
        """
        async with self.turn:
            await self._take(batch)

    async def _take(self, batch: Batch) -> None:
        lane = await self._lane(batch)
        lane.next_offset = batch.last + 1
        if lane.line:
            lane.line.append(batch)
            return
        work = await self._begin(lane, batch)
        if not await self._advance(lane, work):
            if work.trail:
                work.trail.hold()
            lane.line.append(batch)
            lane.waiting = asyncio.create_task(self._wait(lane, work))

    async def _begin(self, lane: _Lane, batch: Batch) -> _Work:
        trail = self._traces.begin("changes", batch)
        await self.learn_schemas(batch.records)
        started = time.perf_counter()
        decoded = self._decoder.decode(batch.topic, batch.records)
        decode_ms = (time.perf_counter() - started) * 1e3
        if trail:
            trail.step("decode", decode_ms / 1e3)
        await asyncio.sleep(0)  # decoding was the longest stretch without yielding: let heartbeats and others in
        await self._before_send()
        versions = _versions_beside_failures(lane.clock, decoded)
        return _Work(batch, decoded, deque(decoded.segments), decode_ms, versions, trail=trail)

    async def _advance(self, lane: _Lane, work: _Work) -> bool:
        """Take the segments of a batch as far as their shapes are decided on and no rule stops them; whether all of it
        is taken.
        """
        started = time.perf_counter()
        while work.segments:
            segment = work.segments[0]
            try:
                mask = self._masking.of(segment.schema)
                places = await self._places(work, mask.schema if mask else segment.schema, segment.changes[0])
            except TableRefused as error:
                await self._refuse(work, lane, work.segments.popleft().changes, error)
                continue
            if places is None:
                work.active_s += time.perf_counter() - started
                return False
            judging = time.perf_counter()
            judged = self._check(work, segment, mask)
            checked = time.perf_counter()
            work.check_s += checked - judging
            if judged is None:
                work.active_s += time.perf_counter() - started
                return False
            work.segments.popleft()
            if work.trail:
                work.trail.step("check", checked - judging)
            await self._take_segment(work, lane, segment, judged, mask, places)
            if work.trail:
                work.trail.step("send", time.perf_counter() - checked)
        await self._reserve(lane, work.batch)  # of a batch with no change that could be decoded
        await self._take_failures(work, work.decoded)
        if work.seen:
            work.pending.append(await self._tallying.send(work.batch, work.seen))
        trail, work.trail = work.trail, None
        task = asyncio.create_task(self._settle(work, trail, str(lane.clock.last), lane.settling))
        lane.settling = task
        self.confirming.add(task)
        task.add_done_callback(self.confirming.discard)
        work.active_s += time.perf_counter() - started
        self._stats.checked(work.batch.topic, len(work.batch), work.check_s)
        self._stats.agent_step(
            "changes",
            changes=len(work.batch),
            decode_ms=work.decode_ms,
            check_ms=work.check_s * 1e3,
            send_ms=(work.active_s - work.check_s) * 1e3,
        )
        return True

    def _check(self, work: _Work, segment: Segment, mask: TableMask | None) -> list[Judged] | None:
        """Judge a run of changes, and note what it means for windows; None while it has to wait."""
        if self._breakers.holds(work.batch):
            return None
        seen = self._tallying.see(work.batch, segment.schema, segment.changes, mask)
        judged = self._judge.judge(work.batch, segment.schema, segment.changes)
        if seen is not None and judged is not None:
            seen.failed = sum(one.action is not Action.WARN for one in judged)
            work.seen.append(seen)
        return judged

    async def _places(self, work: _Work, schema: TableSchema, first: Change) -> Places | None:
        """Where rows of a shape go; None while that is not decided, which is then asked for."""
        sinks = self._targets.sinks(work.batch.topic)
        places = self._schemas.places(schema, sinks)
        if places is not None:
            return places
        if first.op is not Op.READ and not work.asked and self._schemas.is_unknown(schema.table):
            oldest = await self._oldest.of(work.batch.topic)
            if oldest is not None and (
                before := await self._schemas.seen(oldest.schema, oldest, sinks, oldest.time_us)
            ):
                work.pending.append(before)
        if announcement := await self._schemas.seen(schema, work.batch, sinks, first.time_us):
            work.pending.append(announcement)
            if work.asked:
                self._log.warning(
                    "%s: nobody has decided on its shape for a while; asking again",
                    schema.table,
                    extra=of_batch(work.batch),
                )
            work.asked = True
            self._tell_of_losses(schema)
            places = self._schemas.places(schema, sinks)
        return places

    async def _wait(self, lane: _Lane, work: _Work) -> None:
        """Take the batches of a lane that waits, each as soon as it may go on."""
        pause = FIRST_LOOK_S
        try:
            while lane.line:
                if not await self._advance(lane, work):
                    if work.trail:
                        work.trail.hold()
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_LOOK_S)
                    continue
                lane.line.popleft()
                if lane.line:
                    work, pause = await self._begin(lane, lane.line[0]), FIRST_LOOK_S
        except asyncio.CancelledError:
            self._traces.end(work.trail, "the partition was taken away")
            raise
        except Exception as error:
            self._traces.end(work.trail, repr(error))
            self._log.exception(
                "%r failed unforeseen; the worker stops so that nothing is lost", work.batch, extra=of_batch(work.batch)
            )
            self._fatal(error)
            raise

    # -- before the rows ---------------------------------------------------------------------------------------------

    async def lane(self, topic: str, partition: int, generation: int) -> _Lane:
        """A source partition as far as this generation has come with it."""
        known = self._lanes.get((topic, partition))
        if known is not None and known.generation == generation:
            return known
        committed = await self._committed_note(topic, partition)
        return await self._lane(_FromCommit(topic, partition, generation, committed[0] if committed else 0))

    async def _lane(self, batch: _Reading) -> _Lane:
        key = (batch.topic, batch.partition)
        lane = self._lanes.get(key)
        if lane is None or lane.generation != batch.generation or batch.first < lane.next_offset:
            # Newly assigned, or read again from the committed offset: versions begin where that commit left them.
            committed = await self._committed_note(*key)
            if lane is not None and lane.waiting is not None:
                lane.waiting.cancel()  # what it holds is read again, here or by another worker
            if lane is not None and lane.generation == batch.generation:
                images, reserved = lane.images, lane.clock.reserved
                images.rewind(batch.first)
            else:
                images = await self._images.load(*key, batch.generation, batch.first)
                reserved = await self._reserved.load(*key, batch.generation)
            clock = VersionClock.begun(committed[1] if committed else "", reserved)
            lane = self._lanes[key] = _Lane(batch.generation, batch.first, clock, images)
        return lane

    async def _reserve(self, lane: _Lane, batch: Batch) -> None:
        """Return when the broker knows a version that none given so far is above. Nothing has to be done nearly always.

        The commit's note is not enough: a topic that is deleted takes it along, and a store keeps its tombstones.
        """
        if (reserved := lane.clock.reserve()) is not None:
            await self._reserved.store(batch.topic, batch.partition, reserved)
            lane.clock.reserved = reserved

    async def learn_schemas(self, records: Sequence[CodecRecord]) -> None:
        """Ask the registry, until it answers, for the schemas that the decoder lacks to read these records."""
        missing = self._decoder.missing(records)
        if missing and self._registry is None:
            for schema_id in missing:
                self._decoder.learn(schema_id, None)
            return
        waits = delays(0.5, 30.0, self._jitter)
        while missing and self._registry is not None:
            try:
                for schema_id in sorted(missing):
                    self._decoder.learn(schema_id, await self._registry.schema(schema_id))
                return
            except RegistryUnavailable as error:
                wait = next(waits)
                self._log.warning("%s; trying again in %.1f s", error, wait)
                await asyncio.sleep(wait)
                missing = self._decoder.missing(records)

    # -- rows --------------------------------------------------------------------------------------------------------

    async def _take_segment(
        self,
        work: _Work,
        lane: _Lane,
        segment: Segment,
        judged: Sequence[Judged],
        mask: TableMask | None,
        places: Places,
    ) -> None:
        """Hold back what rules do not let pass of a run of changes of one shape, and send the others."""
        schema, changes = segment.schema, segment.changes
        sinks = self._targets.sinks(work.batch.topic)
        placements = {sink: place for sink in sinks if (place := places[sink])}
        if len(placements) < len(sinks):
            reason = f"its key ({', '.join(schema.key)}) was not taken over, see `parrot schema history`"
            await self._refuse(work, lane, changes, TableRefused(schema.table, reason))
            return
        if work.versions is None:
            versions = lane.clock.advance(change.time_us for change in changes)
        else:
            versions = [work.versions[change.index] for change in changes]
        await self._reserve(lane, work.batch)

        held = await self._hold_back(work, judged, changes, versions, mask)
        if mask:  # rules have seen the original values, nothing after them does
            schema, changes = mask.schema, mask.changes(changes)

        rows: list[Row] = []
        times: list[int] = []
        passed: list[int] = []
        for position, change in enumerate(changes):
            if position in held:
                await self.filling.hold(work.batch, work.pending, lane.images, schema, change, mask)
                continue
            if change.op is Op.TRUNCATE:
                self._log.warning(
                    "%s was truncated at the source (offset %d); the stores keep their rows, because truncates are "
                    "reported and not applied",
                    schema.table,
                    change.offset,
                    extra=at(work.batch.topic, work.batch.partition, change.offset),
                )
                work.settle(Outcome.SKIPPED, change.offset)
                continue
            if lane.images:
                try:
                    await self.filling.fill(work.batch, work.pending, lane.images, schema, change)
                except RowTooLarge as error:
                    await self._too_large(work, schema, change, versions[position], error)
                    await self.filling.hold(work.batch, work.pending, lane.images, schema, change, mask)
                    continue
            if change.unset and change.op is Op.CREATE:
                self._warn_of_lost_values(work.batch, schema, change)
            rows.append(row_of(change, versions[position]))
            times.append(0 if change.op is Op.READ else change.time_us)
            passed.append(change.offset)
        if rows:
            await self._forward(work, placements, rows, times, changes)

    def _tell_of_losses(self, schema: TableSchema) -> None:
        for column, loss in losses(schema, tuple(self._targets.sinks(schema.table))):
            self._log.info(
                "%s: column %s, %s: %s",
                schema.table,
                column.name,
                loss.place.value,
                loss.what,
                extra=at(schema.table, column=column.name),
            )

    async def _hold_back(
        self,
        work: _Work,
        judged: Sequence[Judged],
        changes: Sequence[Change],
        versions: Sequence[int],
        hides: TableMask | None,
    ) -> set[int]:
        """Return the positions of changes that rules hold back, having sent or counted each."""
        held = set()
        for position, action, failures in judged:
            change = changes[position]
            if action in PASSING:
                work.settle(PASSING[action], change.offset)
                continue
            held.add(position)
            if action is Action.DROP:
                work.settle(Outcome.DROPPED, change.offset)
            else:
                work.settle(Outcome.QUARANTINED, change.offset)
                letter = quarantined(work.batch, change, failures, versions[position], hides)
                work.pending.append(await self._outbox.hold(letter))
        return held

    def _warn_of_lost_values(self, batch: Batch, schema: TableSchema, change: Change) -> None:
        if schema.table in self._warned:
            return
        self._warned.add(schema.table)
        names = ", ".join(schema.columns[position].name for position in change.unset)
        self._log.warning(
            "%s: a new row (offset %d) came without its value of %s, as rows do whose key was changed: the stores have "
            "null there; with `alter table ... replica identity full` the source sends it",
            schema.table,
            change.offset,
            names,
            extra=at(batch.topic, batch.partition, change.offset),
        )

    async def _forward(
        self,
        work: _Work,
        placements: Mapping[str, Placement],
        rows: Sequence[Row],
        times: Sequence[int],
        changes: Sequence[Change],
    ) -> None:
        batch, targets = work.batch, self._targets
        origin = Origin(batch.topic, batch.partition, batch.generation)
        partition = writes_partition(batch.topic, batch.partition, targets.partitions())
        key = f"{batch.topic}/{batch.partition}".encode()
        too_large: dict[int, RowTooLarge] = {}
        for placement, sinks in alike(placements):
            placed = rows if placement.take is None else [placement.take(row) for row in rows]
            for chunk in pack(
                origin, placement.schema, placed, times, max_rows=targets.chunk_rows, max_bytes=targets.chunk_bytes
            ):
                if chunk.data is None:
                    error = RowTooLarge(placement.schema.table, chunk.size, targets.chunk_bytes)
                    too_large[chunk.rows[0].offset] = error
                    continue
                for sink in sinks:
                    work.pending.append(
                        await self._outbox.send(self._names.writes(sink), chunk.data, key=key, partition=partition)
                    )
        for row in rows:
            if row.offset not in too_large:
                work.settle(Outcome.FORWARDED, row.offset)
                continue
            change = next(change for change in changes if change.offset == row.offset)
            placed_schema = next(iter(placements.values())).schema
            await self._too_large(work, placed_schema, change, row.version, too_large[row.offset])

    async def _too_large(
        self, work: _Work, schema: TableSchema, change: Change, version: int, error: RowTooLarge
    ) -> None:
        text = error.of(key_text(schema.key, change.key))
        letter = self._dead(work, change.index, type(error).__name__, text, version)
        work.settle(Outcome.DEAD_LETTERED, change.offset)
        work.pending.append(await self._outbox.hold(letter))

    # -- what is held back -------------------------------------------------------------------------------------------

    async def _take_failures(self, work: _Work, decoded: Decoded) -> None:
        for failure in decoded.failures:
            name, text = type(failure.error).__name__, shown(self._masking, work.batch.topic, failure.error)
            self._log.warning(
                "dead letter: %s[%d] offset %d: %s: %s",
                work.batch.topic,
                work.batch.partition,
                failure.offset,
                name,
                text,
                extra=at(work.batch.topic, work.batch.partition, failure.offset, error=name),
            )
            work.settle(Outcome.DEAD_LETTERED, failure.offset)
            version = work.versions[failure.index] if work.versions else 0
            work.pending.append(await self._outbox.hold(self._dead(work, failure.index, name, text, version)))

    async def _refuse(self, work: _Work, lane: _Lane, changes: Sequence[Change], error: TableRefused) -> None:
        """Nothing of these changes may pass."""
        self._log.warning(
            "dead letters: %d changes of %s: %s",
            len(changes),
            work.batch,
            error,
            extra=of_batch(work.batch, error=type(error).__name__),
        )
        versions = work.versions or dict(
            zip(
                (change.index for change in changes),
                lane.clock.advance(change.time_us for change in changes),
                strict=True,
            )
        )
        for change in changes:
            if change.op is Op.TRUNCATE:
                work.settle(Outcome.SKIPPED, change.offset)
                continue
            work.settle(Outcome.DEAD_LETTERED, change.offset)
            letter = self._dead(work, change.index, type(error).__name__, str(error), versions[change.index])
            work.pending.append(await self._outbox.hold(letter))

    def _dead(self, work: _Work, index: int, error: str, message: str, version: int) -> DeadLetter:
        return dead_letter(self._masking, work.batch, index, error, message, version)

    # -- settling ----------------------------------------------------------------------------------------------------

    async def _confirmed_all(self, work: _Work) -> None:
        await self._outbox.confirm(work.pending)
        await self._before_settle()

    async def _settle(self, work: _Work, trail: Trail | None, note: str, before: asyncio.Task[bool] | None) -> bool:
        """Settle a batch in the order of `settle_changes`.

        Batches of a partition are settled in their order: what is counted is counted by a watermark. False when this
        one is not, and then none after it is.
        """
        records, tombstones = work.batch.records, work.decoded.tombstones

        def count() -> None:
            self._stats.source_batch(
                work.batch.topic,
                work.batch.partition,
                captured=[record.offset for record in records],
                tombstones=[record.offset for record in records if record.value is None] if tombstones else [],
                outcomes=work.outcomes,
            )

        started = time.perf_counter()
        try:
            settled = await settle_changes(
                confirmed=self._confirmed_all(work),
                before=before,
                count=count,
                done=lambda: work.batch.done(note),
            )
            self._end_trail(work, trail, started, "" if settled else "a batch before it was not settled")
            return settled
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing after this batch may be committed
            self._log.error(
                "%r: the broker did not take what was made of it: %r", work.batch, error, extra=of_batch(work.batch)
            )
            self._end_trail(work, trail, started, repr(error))
            self._fatal(error)
            return False

    def _end_trail(self, work: _Work, trail: Trail | None, started: float, error: str) -> None:
        if trail:
            trail.step("wait", time.perf_counter() - started)
            counts = {outcome.value: len(offsets) for outcome, offsets in work.outcomes.items()}
            trail.attributes |= {"changes": len(work.batch), **counts}
            self._traces.end(trail, error)


def _versions_beside_failures(clock: VersionClock, decoded: Decoded) -> Mapping[int, int] | None:
    """Give a version to every change and to every record that can't be decoded, by position; None where all can.

    So a dead letter that is sent again later has a version of its own place, between those of its neighbours.
    """
    if not decoded.failures:
        return None
    times = {change.index: change.time_us for segment in decoded.segments for change in segment.changes}
    times |= {failure.index: 0 for failure in decoded.failures}
    positions = sorted(times)
    return dict(zip(positions, clock.advance(times[position] for position in positions), strict=True))


def alike(placements: Mapping[str, Placement]) -> Iterable[tuple[Placement, list[str]]]:
    """The stores grouped by the shape that their rows have: nearly always all alike, so that rows are packed once."""
    groups: dict[str, tuple[Placement, list[str]]] = {}
    for sink, placement in placements.items():
        groups.setdefault(placement.schema.fingerprint, (placement, []))[1].append(sink)
    return groups.values()

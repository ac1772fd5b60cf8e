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
from collections.abc import Callable, Sequence
from typing import Any

from agents.breakers import Breakers
from agents.fan_out import FanOut, Targets
from agents.filling import Filling
from agents.held_images import HeldImages
from agents.holding import quarantined
from agents.judging import PASSING, Judge, Judged
from agents.lanes import CommittedNote, Lane, Lanes
from agents.oldest_shape import Heads, OldestShape
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook
from agents.schema_book import Places, SchemaBook
from agents.tallying import Tallying
from agents.work import Work, versions_beside_failures
from agents.written_schemas import WrittenSchemas
from models import Action, Change, Op, Row, TableSchema
from parrot_faust import failpoints
from parrot_faust.codec import Decoder, Segment
from parrot_faust.delivery.chunks import row_of
from parrot_faust.delivery.order import settle_changes
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.errors import RowTooLarge, TableRefused
from parrot_faust.logs import at, of_batch
from parrot_faust.masking import Masking, TableMask
from parrot_faust.names import Names
from parrot_faust.registry import RegistryClient
from parrot_faust.schema import losses
from parrot_faust.tracing import OFF, Traces, Trail
from parrot_faust.transport import Batch

#: Seconds between two looks for a decision on a shape, or for another rule. The former takes some tens of milliseconds
#: unless a person decides.
FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.3


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
        self._decoder, self._schemas, self._outbox, self._targets = decoder, schemas, outbox, targets
        self._stats, self._masking = stats, masking
        self._fatal, self._log, self._traces = fatal, log, traces
        self.lanes = Lanes(committed_note, images, reserved)
        self.written = WrittenSchemas(decoder, registry, log, jitter)
        self._fan_out = FanOut(outbox, names, targets, masking, log)
        self._warned: set[str] = set()
        self.confirming: set[asyncio.Task[bool]] = set()
        self._judge = Judge(rules, stats, log)
        self._tallying, self._breakers = tallying, breakers
        self._oldest = OldestShape(heads, decoder, masking, self.written.learn, log)
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
        lane = await self.lanes.of(batch)
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

    async def _begin(self, lane: Lane, batch: Batch) -> Work:
        trail = self._traces.begin("changes", batch)
        await self.written.learn(batch.records)
        started = time.perf_counter()
        decoded = self._decoder.decode(batch.topic, batch.records)
        decode_ms = (time.perf_counter() - started) * 1e3
        if trail:
            trail.step("decode", decode_ms / 1e3)
        await asyncio.sleep(0)  # decoding was the longest stretch without yielding: let heartbeats and others in
        await self._before_send()
        versions = versions_beside_failures(lane.clock, decoded)
        return Work(batch, decoded, deque(decoded.segments), decode_ms, versions, trail=trail)

    async def _advance(self, lane: Lane, work: Work) -> bool:
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
                await self._fan_out.refuse(work, lane, work.segments.popleft().changes, error)
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
        await self.lanes.reserve(lane, work.batch)  # of a batch with no change that could be decoded
        await self._fan_out.failures(work, work.decoded)
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

    def _check(self, work: Work, segment: Segment, mask: TableMask | None) -> list[Judged] | None:
        """Judge a run of changes, and note what it means for windows; None while it has to wait."""
        if self._breakers.holds(work.batch):
            return None
        seen = self._tallying.see(work.batch, segment.schema, segment.changes, mask)
        judged = self._judge.judge(work.batch, segment.schema, segment.changes)
        if seen is not None and judged is not None:
            seen.failed = sum(one.action is not Action.WARN for one in judged)
            work.seen.append(seen)
        return judged

    async def _places(self, work: Work, schema: TableSchema, first: Change) -> Places | None:
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

    async def _wait(self, lane: Lane, work: Work) -> None:
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

    # -- rows --------------------------------------------------------------------------------------------------------

    async def _take_segment(
        self,
        work: Work,
        lane: Lane,
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
            await self._fan_out.refuse(work, lane, changes, TableRefused(schema.table, reason))
            return
        if work.versions is None:
            versions = lane.clock.advance(change.time_us for change in changes)
        else:
            versions = [work.versions[change.index] for change in changes]
        await self.lanes.reserve(lane, work.batch)

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
                    await self._fan_out.too_large(work, schema, change, versions[position], error)
                    await self.filling.hold(work.batch, work.pending, lane.images, schema, change, mask)
                    continue
            if change.unset and change.op is Op.CREATE:
                self._warn_of_lost_values(work.batch, schema, change)
            rows.append(row_of(change, versions[position]))
            times.append(0 if change.op is Op.READ else change.time_us)
            passed.append(change.offset)
        if rows:
            await self._fan_out.forward(work, placements, rows, times, changes)

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
        work: Work,
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

    # -- settling ----------------------------------------------------------------------------------------------------

    async def _confirmed_all(self, work: Work) -> None:
        await self._outbox.confirm(work.pending)
        await self._before_settle()

    async def _settle(self, work: Work, trail: Trail | None, note: str, before: asyncio.Task[bool] | None) -> bool:
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

    def _end_trail(self, work: Work, trail: Trail | None, started: float, error: str) -> None:
        if trail:
            trail.step("wait", time.perf_counter() - started)
            counts = {outcome.value: len(offsets) for outcome, offsets in work.outcomes.items()}
            trail.attributes |= {"changes": len(work.batch), **counts}
            self._traces.end(trail, error)

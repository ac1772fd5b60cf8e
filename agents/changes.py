"""Agent `changes`: decode, check, fan out.

Every record of a batch ends as exactly one of: forwarded to each sink's writes topic, held in quarantine, dropped by a
rule, dead-lettered, tombstone, or skipped (a message without a row). The batch is settled when the broker has
confirmed all that was made from it, and not before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.held_images import HeldImages, image_names, long_values
from agents.outbox import Outbox
from agents.rule_book import RuleBook
from agents.schema_book import SchemaBook
from models import Action, Change, DeadLetter, Op, Row, RuleFailure, Stage, TableSchema, key_text
from parrot_faust import failpoints
from parrot_faust.codec import Decoded, Decoder, Segment
from parrot_faust.delivery.chunks import Origin, pack, row_of, writes_partition
from parrot_faust.delivery.images import Images
from parrot_faust.delivery.order import settle_changes
from parrot_faust.delivery.retry import delays
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.delivery.versions import VersionClock, floor_of
from parrot_faust.errors import RegistryUnavailable, RowTooLarge, TableRefused, UnknownSchema
from parrot_faust.masking import Masking, TableMask
from parrot_faust.names import Names
from parrot_faust.registry import RegistryClient
from parrot_faust.schema import losses
from parrot_faust.transport import Batch, Record

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


@dataclass(slots=True)
class _Work:
    """What one batch has come to."""

    batch: Batch
    #: Versions by position in the batch, given beforehand where some of its records can't be decoded.
    versions: Mapping[int, int] | None = None
    pending: list[Awaitable[Any]] = field(default_factory=list)
    outcomes: dict[Outcome, list[int]] = field(default_factory=dict)

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
        fatal: Callable[[BaseException], None],
        log: Any,
        jitter: Callable[[], float],
    ) -> None:
        self._decoder, self._registry = decoder, registry
        self._rules, self._schemas = rules, schemas
        self._outbox, self._names, self._targets = outbox, names, targets
        self._stats, self._committed_note, self._confirmed = stats, committed_note, confirmed
        self._images, self._masking = images, masking
        self._fatal, self._log, self._jitter = fatal, log, jitter
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._warned: set[str] = set()
        self.confirming: set[asyncio.Task[bool]] = set()
        self._before_send = failpoints.at_async("changes.before_send")
        self._before_settle = failpoints.at_async("changes.before_settle")

    async def take(self, batch: Batch) -> None:
        """Decode, check and send a batch; it is settled in the background once the broker has everything."""
        started = time.perf_counter()
        lane = await self._lane(batch)
        await self._learn_schemas(batch.records)
        decoded = self._decoder.decode(batch.topic, batch.records)
        decoded_at = time.perf_counter()
        await asyncio.sleep(0)  # decoding was the longest stretch without yielding: let heartbeats and others in
        await self._before_send()

        work = _Work(batch, versions=_versions_beside_failures(lane.clock, decoded))
        checking = 0.0
        for segment in decoded.segments:
            checking += await self._take_segment(work, lane, segment)
        await self._take_failures(work, decoded)
        lane.next_offset = batch.last + 1

        task = asyncio.create_task(self._settle(work, decoded, str(lane.clock.last), lane.settling))
        lane.settling = task
        self.confirming.add(task)
        task.add_done_callback(self.confirming.discard)
        ended = time.perf_counter()
        self._stats.agent_step(
            "changes",
            changes=len(batch),
            decode_ms=(decoded_at - started) * 1e3,
            check_ms=checking * 1e3,
            send_ms=(ended - decoded_at - checking) * 1e3,
        )

    # -- before the rows ---------------------------------------------------------------------------------------------

    async def _lane(self, batch: Batch) -> _Lane:
        key = (batch.topic, batch.partition)
        lane = self._lanes.get(key)
        if lane is None or lane.generation != batch.generation or batch.first < lane.next_offset:
            # Newly assigned, or read again from the committed offset: versions begin where that commit left them.
            committed = await self._committed_note(*key)
            floor = floor_of(committed[1]) if committed else 0
            if lane is not None and lane.generation == batch.generation:
                images = lane.images
                images.rewind(batch.first)
            else:
                images = await self._images.load(*key, batch.generation, batch.first)
            lane = self._lanes[key] = _Lane(batch.generation, batch.first, VersionClock(floor), images)
        return lane

    async def _learn_schemas(self, records: Sequence[Record]) -> None:
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

    async def _take_segment(self, work: _Work, lane: _Lane, segment: Segment) -> float:
        """Check a run of changes of one shape and send the rows that pass. Return the seconds spent checking."""
        schema, changes = segment.schema, segment.changes
        try:
            mask = self._masking.of(schema)
        except TableRefused as error:
            await self._refuse(work, lane, changes, error)
            return 0.0
        if announcement := await self._schemas.seen(mask.schema if mask else schema, work.batch):
            work.pending.append(announcement)
            self._tell_of_losses(schema)
        if work.versions is None:
            versions = lane.clock.advance(change.time_us for change in changes)
        else:
            versions = [work.versions[change.index] for change in changes]

        started = time.perf_counter()
        held = await self._check(work, schema, changes, versions, mask)
        checking = time.perf_counter() - started
        if mask:  # rules have seen the original values, nothing after them does
            schema, changes = mask.schema, mask.changes(changes)

        rows: list[Row] = []
        times: list[int] = []
        passed: list[int] = []
        for position, change in enumerate(changes):
            if position in held:
                await self._hold_image(work, lane, schema, change, mask)
                continue
            if change.op is Op.TRUNCATE:
                self._log.warning(
                    "%s was truncated at the source (offset %d); the stores keep their rows, because truncates are "
                    "reported and not applied",
                    schema.table,
                    change.offset,
                )
                work.settle(Outcome.SKIPPED, change.offset)
                continue
            if lane.images:
                await self._fill(work, lane, schema, change)
            if change.unset and change.op is Op.CREATE:
                self._warn_of_lost_values(schema, change)
            rows.append(row_of(change, versions[position]))
            times.append(0 if change.op is Op.READ else change.time_us)
            passed.append(change.offset)
        if rows:
            await self._forward(work, schema, rows, times, changes)
        return checking

    def _tell_of_losses(self, schema: TableSchema) -> None:
        for column, loss in losses(schema, tuple(self._targets.sinks(schema.table))):
            self._log.info("%s: column %s, %s: %s", schema.table, column.name, loss.place.value, loss.what)

    async def _check(
        self,
        work: _Work,
        schema: TableSchema,
        changes: Sequence[Change],
        versions: Sequence[int],
        hides: TableMask | None,
    ) -> set[int]:
        """Return the positions of changes that rules held back, having sent or counted each."""
        compiled = self._rules.compiled(schema)
        if compiled is None:
            return set()
        held = set()
        for position, mask in compiled.scan(changes):
            change = changes[position]
            failures = compiled.explain(change, mask)
            for failure in failures:
                self._stats.rule_failed(
                    schema.table, failure.rule, failure.version, work.batch.partition, change.offset
                )
            action = compiled.action(mask)
            if action is Action.WARN:
                work.settle(Outcome.WARNED, change.offset)
                continue
            held.add(position)
            if action is Action.DROP:
                work.settle(Outcome.DROPPED, change.offset)
            else:
                work.settle(Outcome.QUARANTINED, change.offset)
                letter = self._quarantined(work.batch, change, failures, versions[position], hides)
                work.pending.append(await self._outbox.hold(letter))
        return held

    # -- values that the stores lack ---------------------------------------------------------------------------------

    async def _hold_image(
        self, work: _Work, lane: _Lane, schema: TableSchema, change: Change, mask: TableMask | None
    ) -> None:
        """Keep what a held change brought, for a later one that leaves it out."""
        if change.after is None:
            return
        masked = mask.columns if mask else ()
        absent = [name for position in change.unset for name in image_names(schema.columns[position].name)]
        if lane.images.hold(change.key, change.offset, long_values(schema, change, masked), absent):
            await self._store_image(work, lane, change.key)

    async def _fill(self, work: _Work, lane: _Lane, schema: TableSchema, change: Change) -> None:
        """Give a change that passes the values it left out and the stores lack."""
        lacking = lane.images.passing(change.key, change.offset)
        if lacking is None:
            return
        if change.after is not None and change.unset:
            after, unset = list(change.after), []
            for position in change.unset:
                name = schema.columns[position].name
                plain, masked = image_names(name)
                if masked in lacking:
                    after[position] = lacking[masked]
                elif plain in lacking:  # also what was kept before the column was masked
                    after[position] = self._masking.masked(schema.table, name, lacking[plain])
                else:
                    unset.append(position)
            change.after, change.unset = tuple(after), tuple(unset)
        await self._store_image(work, lane, change.key)

    async def _store_image(self, work: _Work, lane: _Lane, key: tuple[Any, ...]) -> None:
        batch = work.batch
        lane.images.forget(key, self._confirmed(batch.topic, batch.partition) or 0)
        work.pending.append(await self._images.store(batch.topic, batch.partition, key, lane.images))

    def _warn_of_lost_values(self, schema: TableSchema, change: Change) -> None:
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
        )

    async def _forward(
        self, work: _Work, schema: TableSchema, rows: Sequence[Row], times: Sequence[int], changes: Sequence[Change]
    ) -> None:
        batch, targets = work.batch, self._targets
        origin = Origin(batch.topic, batch.partition, batch.generation)
        partition = writes_partition(batch.topic, batch.partition, targets.partitions())
        sinks = targets.sinks(batch.topic)
        key = f"{batch.topic}/{batch.partition}".encode()
        packed = pack(origin, schema, rows, times, max_rows=targets.chunk_rows, max_bytes=targets.chunk_bytes)
        for chunk in packed:
            if chunk.data is None:
                change = next(change for change in changes if change.offset == chunk.rows[0].offset)
                error = RowTooLarge(schema.table, chunk.size, targets.chunk_bytes)
                text = error.of(key_text(schema.key, change.key))
                letter = self._dead(batch, change.index, type(error).__name__, text, chunk.rows[0].version)
                work.settle(Outcome.DEAD_LETTERED, change.offset)
                work.pending.append(await self._outbox.hold(letter))
                continue
            for row in chunk.rows:
                work.settle(Outcome.FORWARDED, row.offset)
            for sink in sinks:
                work.pending.append(
                    await self._outbox.send(self._names.writes(sink), chunk.data, key=key, partition=partition)
                )

    # -- what is held back -------------------------------------------------------------------------------------------

    async def _take_failures(self, work: _Work, decoded: Decoded) -> None:
        for failure in decoded.failures:
            name, text = type(failure.error).__name__, self._shown(work.batch.topic, failure.error)
            self._log.warning(
                "dead letter: %s[%d] offset %d: %s: %s",
                work.batch.topic,
                work.batch.partition,
                failure.offset,
                name,
                text,
            )
            work.settle(Outcome.DEAD_LETTERED, failure.offset)
            version = work.versions[failure.index] if work.versions else 0
            work.pending.append(await self._outbox.hold(self._dead(work.batch, failure.index, name, text, version)))

    async def _refuse(self, work: _Work, lane: _Lane, changes: Sequence[Change], error: TableRefused) -> None:
        """Nothing of these changes may pass."""
        self._log.warning("dead letters: %d changes of %s: %s", len(changes), work.batch, error)
        versions = work.versions or dict(
            zip(
                (change.index for change in changes),
                lane.clock.advance(change.time_us for change in changes),
                strict=True,
            )
        )
        for change in changes:
            work.settle(Outcome.DEAD_LETTERED, change.offset)
            letter = self._dead(work.batch, change.index, type(error).__name__, str(error), versions[change.index])
            work.pending.append(await self._outbox.hold(letter))

    def _shown(self, table: str, error: Exception) -> str:
        """An error's text as it may be shown: what a decoder says of a value may hold it."""
        if table not in self._masking or isinstance(error, TableRefused | UnknownSchema):
            return str(error)
        return "the text may hold values and is left out, because the table has masked columns"

    def _dead(self, batch: Batch, index: int, error: str, message: str, version: int) -> DeadLetter:
        record = batch.records[index]
        withheld = batch.topic in self._masking  # what can't be masked stays where it is: in the source topic
        return DeadLetter(
            topic=batch.topic,
            partition=batch.partition,
            offset=record.offset,
            key=None if withheld else record.key,
            value=self._masking.withheld(record.key, record.value) if withheld else record.value,
            withheld=withheld,
            stage=Stage.DECODE,
            error=error,
            message=message,
            timestamp_ms=record.timestamp,
            headers=() if withheld else tuple(record.headers),
            version=version,
        )

    def _quarantined(
        self, batch: Batch, change: Change, failures: Sequence[RuleFailure], version: int, mask: TableMask | None
    ) -> DeadLetter:
        record = batch.records[change.index]
        if mask:
            failures = mask.failures(failures)
        return DeadLetter(
            topic=batch.topic,
            partition=batch.partition,
            offset=record.offset,
            key=mask.record_key(change) if mask else record.key,
            value=mask.record(change) if mask else record.value,
            masked=mask.columns if mask else (),
            stage=Stage.CHECK,
            error="RuleFailed",
            message="; ".join(f"{failure.rule}: {failure.reason}" for failure in failures),
            timestamp_ms=record.timestamp,
            rule=",".join(failure.rule for failure in failures),
            rules_version=failures[0].version,
            headers=() if mask else tuple(record.headers),
            version=version,
        )

    # -- settling ----------------------------------------------------------------------------------------------------

    async def _confirmed_all(self, work: _Work) -> None:
        await self._outbox.confirm(work.pending)
        await self._before_settle()

    async def _settle(self, work: _Work, decoded: Decoded, note: str, before: asyncio.Task[bool] | None) -> bool:
        """Settle a batch in the order of `settle_changes`.

        Batches of a partition are settled in their order: what is counted is counted by a watermark. False when this
        one is not, and then none after it is.
        """
        records = work.batch.records

        def count() -> None:
            self._stats.source_batch(
                work.batch.topic,
                work.batch.partition,
                captured=[record.offset for record in records],
                tombstones=[record.offset for record in records if record.value is None] if decoded.tombstones else [],
                outcomes=work.outcomes,
            )

        try:
            return await settle_changes(
                confirmed=self._confirmed_all(work),
                before=before,
                count=count,
                done=lambda: work.batch.done(note),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing after this batch may be committed
            self._log.error("%r: the broker did not take what was made of it: %r", work.batch, error)
            self._fatal(error)
            return False


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

"""Fan-out: what the changes of a batch are sent as, to each store or to the dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.holding import dead_letter, shown
from agents.lanes import Lane
from agents.outbox import Outbox
from agents.work import Work
from models import Change, DeadLetter, Op, Row, TableSchema, key_text
from parrot_faust.codec import Decoded
from parrot_faust.delivery.chunks import Origin, pack, writes_partition
from parrot_faust.delivery.stats import Outcome
from parrot_faust.errors import RowTooLarge, TableRefused
from parrot_faust.logs import at, of_batch
from parrot_faust.masking import Masking
from parrot_faust.names import Names
from parrot_faust.schema import Placement


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the changes of a table go, and how large a chunk may be. `partitions` is that of every writes topic."""

    sinks: Callable[[str], Sequence[str]]
    partitions: Callable[[], int]
    chunk_rows: int
    chunk_bytes: int


class FanOut:
    """Sends, and adds to the work at hand what the broker has to confirm."""

    def __init__(self, outbox: Outbox, names: Names, targets: Targets, masking: Masking, log: Any) -> None:
        self._outbox, self._names, self._targets, self._masking, self._log = outbox, names, targets, masking, log

    async def forward(
        self,
        work: Work,
        placements: Mapping[str, Placement],
        rows: Sequence[Row],
        times: Sequence[int],
        changes: Sequence[Change],
    ) -> None:
        """Send rows to each store in its own shape, packed as chunks, and dead-letter a row too long for one.

        `times` (microseconds, 0 for rows of a snapshot) belong to `rows`, which came of some of `changes`.
        """
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
            await self.too_large(work, placed_schema, change, row.version, too_large[row.offset])

    async def too_large(
        self, work: Work, schema: TableSchema, change: Change, version: int, error: RowTooLarge
    ) -> None:
        """File a change whose row does not fit into a chunk."""
        text = error.of(key_text(schema.key, change.key))
        letter = self._dead(work, change.index, type(error).__name__, text, version)
        work.settle(Outcome.DEAD_LETTERED, change.offset)
        work.pending.append(await self._outbox.hold(letter))

    # -- what is held back -------------------------------------------------------------------------------------------

    async def failures(self, work: Work, decoded: Decoded) -> None:
        """File the records that could not be decoded."""
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

    async def refuse(self, work: Work, lane: Lane, changes: Sequence[Change], error: TableRefused) -> None:
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

    def _dead(self, work: Work, index: int, error: str, message: str, version: int) -> DeadLetter:
        return dead_letter(self._masking, work.batch, index, error, message, version)


def alike(placements: Mapping[str, Placement]) -> Iterable[tuple[Placement, list[str]]]:
    """The stores grouped by the shape that their rows have: nearly always all alike, so that rows are packed once."""
    groups: dict[str, tuple[Placement, list[str]]] = {}
    for sink, placement in placements.items():
        groups.setdefault(placement.schema.fingerprint, (placement, []))[1].append(sink)
    return groups.values()

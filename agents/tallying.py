"""What a batch means for its table's windows, shape and breaker, told to the place where all of a table come together.

A table without such rules costs a look-up a run of changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import msgspec

from agents.outbox import Outbox
from agents.rule_book import Log, RuleBook
from models import Change, ShapeVerdict, TableSchema, Tallied, WindowPart
from parrot_faust.logs import at
from parrot_faust.masking import Masking, TableMask
from parrot_faust.names import Names
from parrot_faust.quality.folding import Fold
from parrot_faust.quality.rules import RuleSet
from parrot_faust.quality.shapes import judge_shape
from parrot_faust.transport import Batch

#: Partitions of the topic of tallies: a table's messages all go to one, and so many workers share the tables.
PARTITIONS = 4


def place_of(table: str) -> int:
    """The partition of the topic of tallies that a table's messages go to."""
    return crc32(table.encode()) % PARTITIONS


@dataclass(slots=True)
class Seen:
    """What a run of changes comes to, as they came."""

    schema: TableSchema
    rules: RuleSet
    fold: Fold | None
    parts: list[WindowPart]
    newest_ms: int
    checked: int
    failed: int = 0


@dataclass(slots=True)
class _Shape:
    """A shape under a version of the rules: its windows made ready, and whether the verdict on it was sent."""

    key: tuple[str, str]
    fold: Fold | None
    told: bool = False


@dataclass(slots=True)
class Tallying:
    """Tallies batches and sends what they come to. Belongs to the agent `changes`."""

    rules: RuleBook
    masking: Masking
    outbox: Outbox
    names: Names
    confirmed: Callable[[str, int], int | None]
    partitions: Callable[[str], int]
    now_ms: Callable[[], int]
    log: Log
    _shapes: dict[str, _Shape] = field(default_factory=dict)

    def see(self, batch: Batch, schema: TableSchema, changes: Sequence[Change], mask: TableMask | None) -> Seen | None:
        """What changes come to, before anything is done to them; None where no rule asks."""
        rules = self.rules.in_force(schema.table)
        if rules is None or not (rules.windows or rules.breaker or rules.shape):
            return None
        fold = self._shape(rules, schema, mask).fold
        times = [change.time_us // 1000 or batch.records[change.index].timestamp for change in changes]
        parts = fold.take(changes, times, batch.partition) if fold else []
        return Seen(schema, rules, fold, parts, max(times), len(changes))

    def suspended(self) -> dict[str, list[tuple[str, str]]]:
        """By table the rules of windows in force that can't be judged, each with the reason."""
        return {
            table: [(rule.id, reason) for rule, reason in shape.fold.suspended]
            for table, shape in self._shapes.items()
            if shape.fold is not None
            and shape.fold.suspended
            and (rules := self.rules.in_force(table))
            and rules.version == shape.key[0]
        }

    def _shape(self, rules: RuleSet, schema: TableSchema, mask: TableMask | None) -> _Shape:
        key = (rules.version, schema.fingerprint)
        known = self._shapes.get(schema.table)
        if known is None or known.key != key:
            masked = frozenset(mask.columns) if mask else frozenset()
            fold = Fold(rules, schema, masked, self.masking.secret) if rules.windows else None
            for rule, reason in fold.suspended if fold else ():
                self.log.error(
                    "rule %s of %s is SUSPENDED, its windows are not judged: %s",
                    rule.id,
                    schema.table,
                    reason,
                    extra=at(schema.table, rule=rule.id),
                )
            known = self._shapes[schema.table] = _Shape(key, fold)
        return known

    async def send(self, batch: Batch, seen: Sequence[Seen]) -> Awaitable[Any]:
        """Queue what a batch comes to; the result completes when the broker has it."""
        last = seen[-1]
        shape = self._shapes[last.schema.table]
        told: tuple[ShapeVerdict, ...] = ()
        if last.rules.shape and not shape.told:
            shape.told = True
            columns = {column.name: column for column in last.schema.columns}
            told = tuple(ShapeVerdict(rule.id, *judge_shape(rule, columns)[:2]) for rule in last.rules.shape)
        named = {rule.column for window in last.rules.windows for rule in window.rules}
        confirmed = self.confirmed(batch.topic, batch.partition)
        message = Tallied(
            table=last.schema.table,
            at_ms=self.now_ms(),
            partition=batch.partition,
            partitions=self.partitions(batch.topic),
            generation=batch.generation,
            first=batch.first,
            last=batch.last,
            committed=-1 if confirmed is None else confirmed,
            newest_ms=max(one.newest_ms for one in seen),
            windows=last.rules.windows_version,
            parts=tuple(
                part for one in seen if one.rules.windows_version == last.rules.windows_version for part in one.parts
            ),
            checked=sum(one.checked for one in seen),
            failed=sum(one.failed for one in seen),
            kinds={column.name: column.kind for column in last.schema.columns if column.name in named},
            fingerprint=last.schema.fingerprint,
            shape=told,
        )
        return await self.outbox.send(
            self.names.tallies,
            msgspec.msgpack.encode(message),
            key=message.table.encode(),
            partition=place_of(message.table),
        )

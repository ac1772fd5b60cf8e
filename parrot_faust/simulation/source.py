"""A source partition: what a database commits and Debezium writes, at random, recreations of both included."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from models import Change, Op, TableSchema
from parrot_faust.simulation.shapes import NEW, NOTE, OLD, POISON, WIDTH, Key

KEYS = 5


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the source topic; a tombstone and a message without a row have no change."""

    offset: int
    schema: TableSchema
    change: Change | None = None
    tombstone: bool = False


class Source:
    """One partition. `topics` are the topics of that name that there were, each made anew after the one before."""

    def __init__(self, rng: random.Random, partition: int, *, poison: float) -> None:
        self._rng, self.partition, self._poison = rng, partition, poison
        self.topics: list[list[Record]] = [[]]
        self._rows: dict[Key, tuple[Any, ...]] = {}
        self._time, self._offset = 1_000_000, 0
        self._schema = OLD

    @property
    def records(self) -> list[Record]:
        """The records of the topic as it is now."""
        return self.topics[-1]

    def work(self, transactions: int) -> None:
        """Let the database commit transactions."""
        for _ in range(transactions):
            self._transaction()

    def snapshot(self) -> None:
        """Read every row that there is, as a snapshot does: events without a commit time."""
        for key, row in list(self._rows.items()):
            self._append(Change(Op.READ, 0, self._offset + 1, 0, key, None, row[: len(self._schema.columns)]))

    def recreate_topic(self) -> None:
        """Delete the topic and make it again: offsets begin anew."""
        self.topics.append([])
        self._offset = -1

    def recreate_database(self) -> None:
        """Replace the database by an empty one whose clock is behind."""
        self._rows.clear()
        self._time = max(1, self._time - self._rng.randrange(5_000))

    def _transaction(self) -> None:
        rng = self._rng
        if rng.random() < 0.02:
            self._schema = NEW
        self._offset += (rng.random() < 0.1) * rng.randrange(5)  # compaction leaves holes
        self._time += rng.choice((0, 1, 50, -40))  # all changes of a transaction share a time; clocks jump back
        if rng.random() < 0.05:
            self._offset += 1
            self.records.append(Record(self._offset, self._schema))
            return
        for _ in range(rng.choice((1, 1, 2, 3))):
            self._change()

    def _change(self) -> None:
        rng = self._rng
        key = (rng.randrange(KEYS), self.partition)
        chance = rng.random()
        if key not in self._rows:
            self._put(Op.CREATE, key)
        elif chance < 0.3:
            self._delete(key)
        elif chance < 0.4:  # a changed key comes as a delete and a create, which may lack long values
            other = (rng.randrange(KEYS), self.partition)
            self._delete(key)
            self._put(Op.CREATE if other not in self._rows else Op.UPDATE, other, part=True)
        else:
            self._put(Op.UPDATE, key)

    def _delete(self, key: Key) -> None:
        del self._rows[key]
        self._append(Change(Op.DELETE, 0, self._offset + 1, self._time, key, None, None))
        if self._rng.random() < 0.7:
            self._offset += 1
            self.records.append(Record(self._offset, self._schema, tombstone=True))

    def _put(self, op: Op, key: Key, *, part: bool = False) -> None:
        rng = self._rng
        offset = self._offset + 1
        unset = (NOTE,) if (op is Op.UPDATE or part) and rng.random() < 0.4 else ()
        old = self._rows.get(key, (None,) * WIDTH)
        note = old[NOTE] if unset else rng.choice((None, f"note {len(self.topics)}.{offset}"))
        number = POISON if rng.random() < self._poison else len(self.topics) * 1_000 + offset
        row = (note, key[1], key[0], number, number if self._schema is NEW else None)
        self._rows[key] = row
        carried = ((None, *row[1:]) if unset else row)[: len(self._schema.columns)]
        self._append(Change(op, 0, offset, self._time, key, None, carried, unset))

    def _append(self, change: Change) -> None:
        self._offset = change.offset
        self.records.append(Record(change.offset, self._schema, change))

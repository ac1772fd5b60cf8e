"""Two stores that forget nothing: one that takes every write as it comes, as Kudu does, one with versions, as HBase."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

from models import Row, RowFailure, RowOp, TableSchema, WriteResult
from parrot_faust.errors import RowRefused, SinkUnavailable
from parrot_faust.simulation.shapes import NEW, Key, key_of, poisoned

Rows = dict[Key, tuple[Any, ...]]


class Store(ABC):
    """What both have: rows that are refused, and faults.

    `refuse` holds keys of which nothing is taken. `faults` are what becomes of the next writes: "before" and "after"
    answer nothing, without and after applying the rows, "half" after applying some of them.
    """

    def __init__(self, name: str, rng: random.Random, *, refuse: Collection[Key], poison: bool) -> None:
        self.name, self._rng = name, rng
        self.refuse, self.poison = refuse, poison
        self.faults: deque[str] = deque()
        self.calls = 0

    def write(self, schema: TableSchema, rows: Sequence[Row]) -> WriteResult:
        """Apply rows of different keys and say which are refused."""
        keys = [key_of(row) for row in rows]
        assert len(keys) == len(set(keys)), f"{self.name}: a key twice in one write"
        self.calls += 1
        fault = self.faults.popleft() if self.faults else ""
        failures = []
        for index, row in enumerate(rows):
            if self.refuses(row):
                failures.append(RowFailure(index, False, RowRefused.__name__, "refused"))
            elif fault != "before" and (fault != "half" or self._rng.random() < 0.5):
                self.apply(schema, row)
        if fault:
            raise SinkUnavailable(self.name, fault)
        return WriteResult(len(rows), tuple(failures))

    def refuses(self, row: Row) -> bool:
        """Whether the row is never taken."""
        return key_of(row) in self.refuse or (self.poison and poisoned(row))

    @abstractmethod
    def apply(self, schema: TableSchema, row: Row) -> None:
        """Take one row."""

    @abstractmethod
    def rows(self) -> Rows:
        """What a reader sees, in the columns of the newer shape."""

    @abstractmethod
    def compact(self) -> None:
        """Throw away what nobody sees any more."""


class PlainStore(Store):
    """The last write of a row is what it holds, whatever came before."""

    def __init__(self, name: str, rng: random.Random, *, refuse: Collection[Key], poison: bool) -> None:
        super().__init__(name, rng, refuse=refuse, poison=poison)
        self._rows: dict[Key, dict[str, Any]] = {}

    def apply(self, schema: TableSchema, row: Row) -> None:
        """Replace the row but for what is unset, or remove it."""
        key = key_of(row)
        if row.op == RowOp.DELETE:
            self._rows.pop(key, None)
            return
        old = self._rows.get(key, {})
        self._rows[key] = {
            column.name: old.get(column.name) if position in row.unset else row.values[position]
            for position, column in enumerate(schema.columns)
        }

    def compact(self) -> None:
        """Nothing is kept that is hidden."""

    def rows(self) -> Rows:
        """As they were written last."""
        return {key: tuple(row.get(column.name) for column in NEW.columns) for key, row in self._rows.items()}


class VersionedStore(Store):
    """Every cell and every delete has a version. Of two puts of a cell the one with the newer version wins, of equal
    ones the last; a delete hides what has its version or an older one, also what is written after it.
    """

    def __init__(self, name: str, rng: random.Random, *, refuse: Collection[Key], poison: bool) -> None:
        super().__init__(name, rng, refuse=refuse, poison=poison)
        self._cells: dict[tuple[Key, str], tuple[int, Any]] = {}
        self._deleted: dict[Key, int] = {}
        self._nulled: dict[tuple[Key, str], int] = {}

    def apply(self, schema: TableSchema, row: Row) -> None:
        """Put the values and delete the nulls at the row's version, or delete the row up to it."""
        key, version = key_of(row), row.version
        if row.op == RowOp.DELETE:
            self._deleted[key] = max(version, self._deleted.get(key, 0))
            return
        for position, column in enumerate(schema.columns):
            cell = key, column.name
            if position in row.unset:
                continue
            if row.values[position] is None:
                self._nulled[cell] = max(version, self._nulled.get(cell, 0))
            elif version >= self._cells.get(cell, (0, None))[0]:
                self._cells[cell] = version, row.values[position]

    def rows(self) -> Rows:
        """What no delete hides; a row without a cell is none."""
        found: dict[Key, dict[str, Any]] = {}
        for (key, name), (_, value) in self._visible().items():
            found.setdefault(key, {})[name] = value
        return {key: tuple(row.get(column.name) for column in NEW.columns) for key, row in found.items()}

    def compact(self) -> None:
        """As a major compaction: what is hidden goes, and with it the memory of what was deleted."""
        self._cells = self._visible()
        self._deleted.clear()
        self._nulled.clear()

    def _visible(self) -> dict[tuple[Key, str], tuple[int, Any]]:
        return {
            cell: held
            for cell, held in self._cells.items()
            if held[0] > self._deleted.get(cell[0], 0) and held[0] > self._nulled.get(cell, 0)
        }

"""The reference sink: rows in memory, with switches for faults. For tests; nothing of it outlives the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from models import (
    AppliedDdl,
    Kind,
    PlannedDdl,
    Row,
    RowFailure,
    RowOp,
    StoreShape,
    TableSchema,
    WriteResult,
)
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.together import Made, together

#: kind -> the type of its values, where that is not int
TYPES: dict[Kind, type] = {
    Kind.FLOAT32: float,
    Kind.FLOAT64: float,
    Kind.BOOL: bool,
    Kind.STRING: str,
    Kind.DECIMAL: str,
    Kind.BYTES: bytes,
}
BITS = {Kind.INT8: 8, Kind.INT16: 16, Kind.INT32: 32, Kind.DATE: 32}


class MemorySink:
    """Keeps the promises of `parrot_faust.sinks.base.Sink` as plainly as can be.

    `fail_before` and `fail_after` count writes that will answer SinkUnavailable, without and after applying the rows;
    `refuse` holds keys whose rows are refused for good. Several threads may use it, as several processes use a store.
    """

    name = "memory"

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self.columns: dict[str, set[str]] = {}
        self.drops: dict[str, int] = {}
        self.fail_before = self.fail_after = 0
        self.refuse: set[tuple[Any, ...]] = set()
        self._lock = threading.Lock()

    def open(self) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to let go of."""

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        """Create the table or add its columns."""
        self._check(deadline)
        if not schema.key:
            raise TableRefused(schema.table, "it has no primary key")
        with self._lock:
            return self._fit(schema)

    def ensure_all(self, schemas: Iterable[TableSchema], deadline: float) -> Made:
        """Create the tables of those that are not there."""
        return together(
            schemas,
            target=_name,
            seen=lambda schema: _name(schema) in self.columns,
            ensure=lambda schema: self.ensure(schema, deadline),
        )

    def _fit(self, schema: TableSchema) -> Sequence[AppliedDdl]:
        names = {column.name for column in schema.columns}
        target = _name(schema)
        known = self.columns.get(target)
        late = schema.drops < self.drops.get(target, 0)
        self.drops[target] = max(schema.drops, self.drops.get(target, 0))
        if known is None:
            self.columns[target], self.tables[target] = names, {}
            return [AppliedDdl(schema.table, target, "CreateTable", ", ".join(sorted(names)), 0.0)]
        if late:
            return []
        gone = known.intersection(schema.without)
        self.columns[target] = (known | names) - gone
        for row in self.tables[target].values():
            for name in gone:
                row.pop(name, None)
        done = [AppliedDdl(schema.table, target, "AddColumn", name, 0.0) for name in sorted(names - known)]
        return done + [AppliedDdl(schema.table, target, "DropColumn", name, 0.0) for name in sorted(gone)]

    def plan(self, schema: TableSchema) -> Sequence[PlannedDdl]:
        """What `ensure` would do now."""
        if not schema.key:
            raise TableRefused(schema.table, "it has no primary key")
        names = {column.name for column in schema.columns}
        with self._lock:
            known = self.columns.get(_name(schema))
        if known is None:
            return [PlannedDdl(schema.table, _name(schema), "CreateTable", ", ".join(sorted(names)))]
        added = [PlannedDdl(schema.table, _name(schema), "AddColumn", name) for name in sorted(names - known)]
        gone = sorted(known.intersection(schema.without))
        return added + [PlannedDdl(schema.table, _name(schema), "DropColumn", name) for name in gone]

    def shape(self, schema: TableSchema) -> StoreShape | None:
        """The table's columns."""
        known = self.columns.get(_name(schema))
        return None if known is None else StoreShape(_name(schema), tuple((name, "") for name in sorted(known)))

    def write(self, schema: TableSchema, rows: Sequence[Row], deadline: float) -> WriteResult:
        """Apply the rows, but for refused keys."""
        self._check(deadline)
        if self.fail_before:
            self.fail_before -= 1
            raise SinkUnavailable(self.name, "switched off before writing")
        with self._lock:
            failures = self._apply(schema, rows)
        if self.fail_after:
            self.fail_after -= 1
            raise SinkUnavailable(self.name, "switched off after writing")
        return WriteResult(len(rows), tuple(failures))

    def _apply(self, schema: TableSchema, rows: Sequence[Row]) -> list[RowFailure]:
        failures = []
        table, positions = self.tables[_name(schema)], schema.key_positions()
        for index, row in enumerate(rows):
            expected = positions if row.op == RowOp.DELETE else schema.columns
            if len(row.values) != len(expected):
                reason = f"a row has {len(row.values)} values where {len(expected)} are expected"
                failures.append(RowFailure(index, False, "RowRefused", reason))
                continue
            key = row.values if row.op == RowOp.DELETE else tuple(row.values[position] for position in positions)
            if key in self.refuse:
                failures.append(RowFailure(index, False, "RowRefused", f"key {key} is refused"))
            elif None in key or not set(positions).isdisjoint(row.unset):
                failures.append(RowFailure(index, False, "ValueRefused", f"key {key} is not complete"))
            elif row.op == RowOp.UPSERT and (wrong := _misfits(schema, row)):
                failures.append(RowFailure(index, False, "ValueRefused", f"column {wrong}: the value does not fit"))
            elif row.op == RowOp.DELETE:
                table.pop(key, None)
            else:
                old = table.get(key, {})
                table[key] = {
                    column.name: old.get(column.name) if position in row.unset else row.values[position]
                    for position, column in enumerate(schema.columns)
                }
        return failures

    def read(self, schema: TableSchema) -> Iterator[tuple[Any, ...]]:
        """Every row in the column order of `schema`."""
        for row in self.tables.get(_name(schema), {}).values():
            yield tuple(row.get(column.name) for column in schema.columns)

    def _check(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise SinkUnavailable(self.name, "the deadline has passed; nothing was written")


def _name(schema: TableSchema) -> str:
    return schema.table if schema.generation == 1 else f"{schema.table}__g{schema.generation}"


def _misfits(schema: TableSchema, row: Row) -> str:
    """The names of columns whose kind the row's value is not of."""
    wrong = []
    for position, column in enumerate(schema.columns):
        value, limit = row.values[position], 1 << (BITS.get(column.kind, 64) - 1)
        if value is None or position in row.unset:
            continue
        if type(value) is not TYPES.get(column.kind, int) or (type(value) is int and not -limit <= value < limit):
            wrong.append(column.name)
    return ", ".join(wrong)

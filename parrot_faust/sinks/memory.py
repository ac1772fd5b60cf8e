"""The reference sink: rows in memory, with switches for faults. For tests; nothing of it outlives the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from models import AppliedDdl, Kind, Row, RowFailure, RowOp, TableSchema, WriteResult
from parrot_faust.errors import SinkUnavailable, TableRefused

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

    def _fit(self, schema: TableSchema) -> Sequence[AppliedDdl]:
        names = {column.name for column in schema.columns}
        known = self.columns.get(schema.table)
        self.columns[schema.table] = names | (known or set())
        if known is None:
            self.tables[schema.table] = {}
            return [AppliedDdl(schema.table, schema.table, "CreateTable", ", ".join(sorted(names)), 0.0)]
        return [AppliedDdl(schema.table, schema.table, "AddColumn", name, 0.0) for name in sorted(names - known)]

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
        table, positions = self.tables[schema.table], schema.key_positions()
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
        for row in self.tables.get(schema.table, {}).values():
            yield tuple(row.get(column.name) for column in schema.columns)

    def _check(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise SinkUnavailable(self.name, "the deadline has passed; nothing was written")


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

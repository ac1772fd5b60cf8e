"""The reference sink: rows in memory, with switches for faults. For tests; nothing of it outlives the process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from models import AppliedDdl, Row, RowFailure, RowOp, TableSchema, WriteResult
from parrot_faust.errors import SinkUnavailable


class MemorySink:
    """Keeps the promises of `parrot_faust.sinks.base.Sink` as plainly as can be.

    `fail_before` and `fail_after` count writes that will answer SinkUnavailable, without and after applying the rows;
    `refuse` holds keys whose rows are refused for good.
    """

    name = "memory"

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self.columns: dict[str, set[str]] = {}
        self.fail_before = self.fail_after = 0
        self.refuse: set[tuple[Any, ...]] = set()

    def open(self) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to let go of."""

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        """Create the table or add its columns."""
        self._check(deadline)
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
        failures = []
        table, positions = self.tables[schema.table], schema.key_positions()
        for index, row in enumerate(rows):
            key = row.values if row.op == RowOp.DELETE else tuple(row.values[position] for position in positions)
            if key in self.refuse:
                failures.append(RowFailure(index, False, "RowRefused", f"key {key} is refused"))
            elif row.op == RowOp.DELETE:
                table.pop(key, None)
            else:
                old = table.get(key, {})
                table[key] = {
                    column.name: old.get(column.name) if position in row.unset else row.values[position]
                    for position, column in enumerate(schema.columns)
                }
        if self.fail_after:
            self.fail_after -= 1
            raise SinkUnavailable(self.name, "switched off after writing")
        return WriteResult(len(rows), tuple(failures))

    def read(self, schema: TableSchema) -> Iterator[tuple[Any, ...]]:
        """Every row in the column order of `schema`."""
        for row in self.tables.get(schema.table, {}).values():
            yield tuple(row.get(column.name) for column in schema.columns)

    def _check(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise SinkUnavailable(self.name, "the deadline has passed; nothing was written")

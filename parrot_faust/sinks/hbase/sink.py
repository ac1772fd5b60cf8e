"""The HBase sink: tables through `happybase`, writes through the second Thrift API, which has a version a row.

The first API gives all rows of a call one timestamp. With it a batch would have to share a version, and a replay of
older rows in another batch could overwrite newer ones for a while; so writes go through the second.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from models import AppliedDdl, PlannedDdl, Row, RowFailure, StoreShape, TableSchema, WriteResult
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.hbase.cells import decoder
from parrot_faust.sinks.hbase.servers import NAME, HBaseIOError, Servers, unavailable
from parrot_faust.sinks.hbase.settings import HBaseSettings
from parrot_faust.sinks.hbase.shape import Shape, api
from parrot_faust.sinks.hbase.tables import fit, planned, wanted_of
from parrot_faust.sinks.together import Made, together

SCAN_BATCH = 1_000
SHAPE_ROWS = 1_000  # enough to have seen every column but one that is nearly always null
#: What a refused row looks like; anything else says nothing about the rows. That a table or a family is missing is no
#: row's fault: it is made again before the next write.
_ROW_AT_FAULT = ("IllegalArgument", "KeyValue size too large", "DoNotRetryIOException")
_TABLE_AT_FAULT = ("TableNotFound", "NoSuchColumnFamily")


class HBaseSink:
    """See `parrot_faust.sinks.base.Sink`."""

    name = NAME

    def __init__(self, settings: HBaseSettings) -> None:
        self.settings = settings
        self._servers = Servers(settings)
        self._shapes: dict[str, Shape] = {}
        self._columns: dict[str, set[str]] = {}

    def open(self) -> None:
        """Ask the server of the tables; the other one is connected to by the first write."""
        with self._servers.tables(time.monotonic() + self.settings.timeout_s) as connection:
            connection.tables()

    def close(self) -> None:
        """Let go of the connection."""
        self._servers.close()

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        """Create the table or family when it is missing. A new column is only reported, for the history."""
        return self._ensure(self._servers, schema, deadline)

    def ensure_all(self, schemas: Iterable[TableSchema], deadline: float) -> Made:
        """Create tables several at once, each over connections of its own: one serves one thread."""

        def ensure(schema: TableSchema) -> Sequence[AppliedDdl]:
            servers = Servers(self.settings)
            try:
                return self._ensure(servers, schema, deadline)
            finally:
                servers.close()

        return together(
            schemas,
            target=self.settings.target,
            seen=lambda schema: schema.fingerprint in self._shapes,
            ensure=ensure,
        )

    def _ensure(self, servers: Servers, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        if schema.fingerprint in self._shapes:
            return ()
        if not schema.key:
            raise TableRefused(schema.table, "it has no primary key; name `key:` columns for it in the settings")
        target, wanted = self.settings.target(schema), wanted_of(self.settings, schema)
        done = fit(servers, schema, target, wanted, deadline)
        names = {column.name for column in schema.columns}
        known = self._columns.get(target)
        if known is not None:
            gone = known.intersection(schema.without)
            done += [AppliedDdl(schema.table, target, "AddColumn", name, 0.0) for name in sorted(names - known)]
            done += [AppliedDdl(schema.table, target, "DropColumn", name, 0.0) for name in sorted(gone)]
        self._columns[target] = (names | (known or set())).difference(schema.without)
        self._shapes[schema.fingerprint] = Shape(
            schema, target, self.settings.families_of(schema), wanted.form, wanted.salt
        )
        return done

    def plan(self, schema: TableSchema) -> Sequence[PlannedDdl]:
        """What `ensure` would do now."""
        if not schema.key:
            raise TableRefused(schema.table, "it has no primary key; name `key:` columns for it in the settings")
        deadline = time.monotonic() + self.settings.timeout_s
        return planned(self._servers, schema, self.settings.target(schema), wanted_of(self.settings, schema), deadline)

    def shape(self, schema: TableSchema) -> StoreShape | None:
        """The columns of the table's first rows: HBase itself keeps neither names nor types."""
        target = self.settings.target(schema)
        with self._servers.tables(time.monotonic() + self.settings.timeout_s) as connection:
            if target.encode() not in connection.tables():
                return None
            rows = connection.table(target).scan(limit=SHAPE_ROWS, batch_size=SHAPE_ROWS)
            names = {cell.partition(b":")[2].decode() for _, cells in rows for cell in cells}
        return StoreShape(target, tuple((name, "") for name in sorted(names)))

    def write(self, schema: TableSchema, rows: Sequence[Row], deadline: float) -> WriteResult:
        """Send puts, then deletes; a call that HBase refuses for its rows is halved until the bad ones are found."""
        done = tuple(self.ensure(schema, deadline))
        made, failures = self._shapes[schema.fingerprint].mutations(rows)
        failures += self._send(self.settings.target(schema).encode(), made, deadline)
        return WriteResult(len(rows), tuple(sorted(failures, key=lambda failure: failure.index)), done)

    def _send(self, table: bytes, made: list[tuple[int, Any, Any]], deadline: float) -> list[RowFailure]:
        puts = [put for _, put, _ in made if put is not None]
        deletes = [delete for _, _, delete in made if delete is not None]
        try:
            if puts:
                self._servers.write("putMultiple", deadline, table, puts)
            if deletes and self._servers.write("deleteMultiple", deadline, table, deletes):
                raise SinkUnavailable(self.name, "some deletes were not confirmed")
        except api.TIOError as error:
            message = error.message or ""
            if any(sign in message for sign in _TABLE_AT_FAULT) or not any(sign in message for sign in _ROW_AT_FAULT):
                self._shapes.clear()  # the table may be gone: look again before the next write
                raise unavailable(error) from None
            if len(made) == 1:
                return [RowFailure(made[0][0], False, "RowRefused", message.splitlines()[0])]
            half = len(made) // 2
            return self._send(table, made[:half], deadline) + self._send(table, made[half:], deadline)
        return []

    def read(self, schema: TableSchema) -> Iterator[tuple[Any, ...]]:
        """Scan the whole table; no rows when it does not exist."""
        family_of = self.settings.families_of(schema)
        columns = [(family_of(column.name) + b":" + column.name.encode(), decoder(column)) for column in schema.columns]
        with self._servers.tables(time.monotonic() + self.settings.timeout_s) as connection:
            try:
                for _, cells in connection.table(self.settings.target(schema)).scan(batch_size=SCAN_BATCH):
                    yield tuple(decode(cells[name]) if name in cells else None for name, decode in columns)
            except HBaseIOError as error:
                if b"TableNotFoundException" not in bytes(error.message or b""):
                    raise

"""The HBase sink: tables through `happybase`, writes through the second Thrift API, which has a version a row.

The first API gives all rows of a call one timestamp. With it a batch would have to share a version, and a replay of
older rows in another batch could overwrite newer ones for a while; so writes go through the second.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import happybase
from Hbase_thrift import AlreadyExists, IllegalArgument
from Hbase_thrift import IOError as HBaseIOError
from thriftpy2.protocol import TCyBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.thrift import TApplicationException, TException
from thriftpy2.transport import TCyBufferedTransportFactory

from models import AppliedDdl, Row, RowFailure, TableSchema, WriteResult
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks.hbase.cells import decoder
from parrot_faust.sinks.hbase.settings import HBaseSettings, address
from parrot_faust.sinks.hbase.shape import Shape, api

SMALLEST_WAIT_S = 0.05
SCAN_BATCH = 1_000
#: What a refused row looks like; anything else says nothing about the rows.
_ROW_AT_FAULT = ("IllegalArgument", "NoSuchColumnFamily", "KeyValue size too large", "DoNotRetryIOException")


class HBaseSink:
    """See `parrot_faust.sinks.base.Sink`."""

    name = "hbase"

    def __init__(self, settings: HBaseSettings) -> None:
        self._settings = settings
        self._tables: happybase.Connection | None = None
        self._writer: Any = None
        self._shapes: dict[str, Shape] = {}
        self._columns: dict[str, set[str]] = {}

    def open(self) -> None:
        """Connect to both servers."""
        self._connect(time.monotonic() + self._settings.timeout_s)

    def close(self) -> None:
        """Let go of both connections."""
        tables, self._tables, writer, self._writer = self._tables, None, self._writer, None
        with suppress(OSError, TException):
            if tables is not None:
                tables.close()
        with suppress(OSError, TException):
            if writer is not None:
                writer.close()

    def ensure(self, schema: TableSchema, deadline: float) -> Sequence[AppliedDdl]:
        """Create the table when it is missing. Columns need no preparation: a new one is reported, for the history."""
        if schema.fingerprint in self._shapes:
            return ()
        began = time.monotonic()
        target, family = self._settings.target(schema), self._settings.family_of(schema.table)
        done = []
        names = {column.name for column in schema.columns}
        try:
            connection = self._connect(deadline)
            if target.encode() not in connection.tables():
                with suppress(AlreadyExists):
                    connection.create_table(target, {family.decode(): {"max_versions": 1}})
                    detail = f"family {family.decode()}"
                    done.append(AppliedDdl(schema.table, target, "CreateTable", detail, time.monotonic() - began))
        except (OSError, TException) as error:
            raise self._unavailable(error) from None
        known = self._columns.get(schema.table)
        if known is not None:
            done += [AppliedDdl(schema.table, target, "AddColumn", name, 0.0) for name in sorted(names - known)]
        self._columns[schema.table] = names | (known or set())
        self._shapes[schema.fingerprint] = Shape(schema, family)
        return done

    def write(self, schema: TableSchema, rows: Sequence[Row], deadline: float) -> WriteResult:
        """Send puts, then deletes; a call that HBase refuses for its rows is halved until the bad ones are found."""
        shape = self._shapes[schema.fingerprint]
        made, failures = shape.mutations(rows)
        failures += self._send(self._settings.target(schema).encode(), made, deadline)
        return WriteResult(len(rows), tuple(failures))

    def _send(self, table: bytes, made: list[tuple[int, Any, Any]], deadline: float) -> list[RowFailure]:
        if not made:
            return []
        puts = [put for _, put, _ in made if put is not None]
        deletes = [delete for _, _, delete in made if delete is not None]
        try:
            self._connect(deadline)
            if puts:
                self._writer.putMultiple(table, puts)
            if deletes and self._writer.deleteMultiple(table, deletes):
                raise SinkUnavailable(self.name, "some deletes were not confirmed")
        except api.TIOError as error:
            message = error.message or ""
            if "TableNotFound" in message or not any(sign in message for sign in _ROW_AT_FAULT):
                self._shapes.clear()  # the table may be gone: look again before the next write
                raise self._unavailable(error) from None
            if len(made) == 1:
                return [RowFailure(made[0][0], False, "RowRefused", message.splitlines()[0])]
            half = len(made) // 2
            return self._send(table, made[:half], deadline) + self._send(table, made[half:], deadline)
        except (OSError, TException) as error:
            raise self._unavailable(error) from None
        return []

    def read(self, schema: TableSchema) -> Iterator[tuple[Any, ...]]:
        """Scan the whole table."""
        family = self._settings.family_of(schema.table)
        columns = [(family + b":" + column.name.encode(), decoder(column)) for column in schema.columns]
        connection = self._connect(time.monotonic() + self._settings.timeout_s)
        table = connection.table(self._settings.target(schema))
        for _, cells in table.scan(batch_size=SCAN_BATCH):
            yield tuple(decode(cells[name]) if name in cells else None for name, decode in columns)

    def _connect(self, deadline: float) -> happybase.Connection:
        """Connect what is not connected, and bound what comes by the deadline."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise SinkUnavailable(self.name, "the deadline has passed; nothing was sent")
        wait_ms = int(max(SMALLEST_WAIT_S, min(left, self._settings.timeout_s)) * 1000)
        try:
            if self._tables is None:
                host, port = address(self._settings.thrift, "thrift")
                self._tables = happybase.Connection(host, port, timeout=wait_ms)
            if self._writer is None:
                host, port = address(self._settings.thrift2, "thrift2")
                self._writer = make_client(
                    api.THBaseService,
                    host,
                    port,
                    proto_factory=TCyBinaryProtocolFactory(),
                    trans_factory=TCyBufferedTransportFactory(),
                    timeout=wait_ms,
                )
        except (OSError, TException) as error:
            raise self._unavailable(error) from None
        return self._tables

    def _unavailable(self, error: Exception) -> SinkUnavailable:
        self.close()  # a connection that failed may hold half an answer
        message = getattr(error, "message", None) or str(error if not isinstance(error, TApplicationException) else "")
        if isinstance(message, bytes):
            message = message.decode("utf-8", "replace")
        if isinstance(error, (HBaseIOError, IllegalArgument)):
            message = str(message).splitlines()[0]
        return SinkUnavailable(self.name, f"{type(error).__name__}: {str(message).splitlines()[0] if message else ''}")

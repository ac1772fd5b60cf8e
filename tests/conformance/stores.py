"""The stores that the suite runs against: how each is connected to, and how what a test made is deleted again."""

from __future__ import annotations

import itertools
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import happybase
import msgspec

from models import Chunk, ChunkHeader, Column, Row, RowOp, TableSchema
from parrot_faust.distribution import Addresses
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks import host
from parrot_faust.sinks.base import Sink
from parrot_faust.sinks.hbase import HBaseSettings, HBaseSink
from parrot_faust.sinks.kudu import KuduSettings, KuduSink
from parrot_faust.sinks.memory import MemorySink

PATIENCE_S = 120.0  # a store's first table takes long where other servers start beside it
_versions = itertools.count(1_700_000_000_000_000)


class Store(Protocol):
    """A store of which any number of sinks may be had."""

    def sink(self) -> Sink:
        """A new sink, opened."""

    def reached_at(self, address: str) -> Sink:
        """A sink that looks for the store at another address, not opened, and waits for a second at most."""

    def drop(self, schema: TableSchema) -> None:
        """Delete the table of `schema`, if there is one."""


class MemoryStore:
    """All sinks are one: what is in memory is nowhere else."""

    def __init__(self) -> None:
        self.one = MemorySink()

    def sink(self) -> Sink:
        return self.one

    def reached_at(self, address: str) -> Sink:
        class Away(MemorySink):
            def open(self) -> None:
                from parrot_faust.errors import SinkUnavailable

                raise SinkUnavailable(self.name, f"nobody answers at {address}")

        return Away()

    def drop(self, schema: TableSchema) -> None:
        self.one.tables.pop(schema.table, None)


class KuduStore:
    """The Kudu of the distribution."""

    def __init__(self, addresses: Addresses) -> None:
        self._masters = addresses.kudu_masters

    def sink(self) -> Sink:
        sink = KuduSink(KuduSettings(masters=self._masters, buckets=2))
        sink.open()
        return sink

    def reached_at(self, address: str) -> Sink:
        return KuduSink(KuduSettings(masters=(address,), timeout_s=1.0))

    def drop(self, schema: TableSchema) -> None:
        from kudu.client import Client

        client, target = Client(list(self._masters)), KuduSettings(masters=self._masters).target(schema)
        if client.table_exists(target):
            client.delete_table(target)


class HBaseStore:
    """The HBase of the distribution."""

    def __init__(self, addresses: Addresses) -> None:
        self.settings = HBaseSettings(thrift=addresses.hbase_thrift, thrift2=addresses.hbase_thrift2)

    def sink(self) -> Sink:
        sink = HBaseSink(self.settings)
        sink.open()
        return sink

    def reached_at(self, address: str) -> Sink:
        return HBaseSink(HBaseSettings(thrift=address, thrift2=address, timeout_s=1.0))

    def drop(self, schema: TableSchema) -> None:
        host_name, port = self.settings.thrift.rsplit(":", 1)
        connection = happybase.Connection(host_name, int(port))
        target = self.settings.target(schema)
        if target.encode() in connection.tables():
            connection.delete_table(target, disable=True)
        connection.close()


class Tables:
    """Schemas of tables that no other test uses."""

    def __init__(self) -> None:
        self._relation = f"conformance_{uuid.uuid4().hex[:12]}"
        self.made: list[TableSchema] = []

    def of(self, *columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
        """A shape of the test's table."""
        relation = self._relation
        made = TableSchema.of(
            f"shop.public.{relation}", columns, key, database="shop", namespace="public", relation=relation
        )
        self.made.append(made)
        return made


def upserts(*records: tuple[Any, ...], unset: tuple[int, ...] = ()) -> list[Row]:
    """Rows with growing offsets and versions newer than all before."""
    return [Row(offset, next(_versions), RowOp.UPSERT, record, unset) for offset, record in enumerate(records)]


def deletes(*keys: tuple[Any, ...]) -> list[Row]:
    """Deletes of these keys, newer than all before."""
    return [Row(offset, next(_versions), RowOp.DELETE, key) for offset, key in enumerate(keys)]


def soon(seconds: float = 30.0) -> float:
    """A deadline that is far enough for a busy machine."""
    return time.monotonic() + seconds


def made(sink: Sink, schema: TableSchema) -> None:
    """Have the table made, as a writer does: a store that gives no answer yet is asked again."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            sink.ensure(schema, soon())
        except SinkUnavailable:
            if time.monotonic() > until:
                raise
        else:
            return


def write(sink: Sink, schema: TableSchema, rows: list[Row]) -> None:
    """Prepare the table and write rows, all of which must be taken."""
    made(sink, schema)
    result = sink.write(schema, rows, soon())
    assert (result.rows, result.failures) == (len(rows), ())


def write_chunks(schema: TableSchema, *chunks: list[Row], lease: float | None = None) -> host.Answer:
    """Hand chunks to the inside of the sink's process, whose sink the test has set."""
    encoded = []
    first = 0
    for rows in chunks:
        numbered = [Row(first + index, row.version, row.op, row.values, row.unset) for index, row in enumerate(rows)]
        header = ChunkHeader(
            schema.table, 0, first, first + len(rows) - 1, 1, rows[-1].version, rows[-1].version, len(rows)
        )
        encoded.append(msgspec.msgpack.encode(Chunk(header, schema, numbered)))
        first += len(rows)
    return msgspec.msgpack.decode(host.write(encoded, soon() if lease is None else lease), type=host.Answer)


@contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"127.0.0.1:{listener.getsockname()[1]}"

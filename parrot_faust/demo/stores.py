"""Reading the three stores for comparison, by code that shares nothing with the writers but the documented cells."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import happybase
import psycopg

from parrot_faust.distribution import Addresses

Rows = dict[tuple[Any, ...], tuple[Any, ...]]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Types of the shop's columns as information_schema names them -> how HBase's cell is read.
_CELLS: dict[str, Any] = {
    "integer": lambda data: struct.unpack(">i", data)[0],
    "bigint": lambda data: struct.unpack(">q", data)[0],
    "double precision": lambda data: struct.unpack(">d", data)[0],
    "boolean": lambda data: data == b"\x01",
    "numeric": lambda data: Decimal(data.decode()),
    "timestamp with time zone": lambda data: struct.unpack(">q", data)[0],
    "timestamp without time zone": lambda data: struct.unpack(">q", data)[0],
    "date": lambda data: struct.unpack(">i", data)[0],
}


def columns(connection: psycopg.Connection[Any], table: str, schema: str = "public") -> dict[str, str]:
    """A source table's columns with their types, in order."""
    found = connection.execute(
        "select column_name, data_type from information_schema.columns where table_schema = %s "
        "and table_name = %s order by ordinal_position",
        (schema, table),
    )
    return dict(found.fetchall())


def source_rows(
    connection: psycopg.Connection[Any], table: str, types: dict[str, str], key: Iterable[str], schema: str = "public"
) -> Rows:
    """The table at the source; moments as microseconds, dates as days, JSON as the database writes it."""
    parts = []
    for name, kind in types.items():
        if kind.startswith("timestamp"):
            parts.append(f'(extract(epoch from "{name}") * 1000000)::bigint')
        elif kind == "date":
            parts.append(f"\"{name}\" - date '1970-01-01'")
        elif kind in ("jsonb", "json"):
            parts.append(f'"{name}"::text')
        else:
            parts.append(f'"{name}"')
    rows = connection.execute(f'select {", ".join(parts)} from "{schema}"."{table}"').fetchall()  # noqa: S608 - names of our own
    return _by_key(rows, types, key)


def kudu_rows(addresses: Addresses, name: str, types: dict[str, str], key: Iterable[str]) -> Rows:
    """The table in Kudu."""
    import kudu  # loads 20 MB of libraries, needed only here

    host, port = addresses.kudu_masters[0].rsplit(":", 1)
    table = kudu.connect(host, int(port)).table(name)
    scanner = table.scanner()
    scanner.set_projected_column_names(list(types))
    kinds = list(types.values())
    rows = [
        tuple(_plain(value, kind) for value, kind in zip(row, kinds, strict=True))
        for row in scanner.open().read_all_tuples()
    ]
    return _by_key(rows, types, key)


def hbase_rows(addresses: Addresses, name: str, types: dict[str, str], key: Iterable[str]) -> Rows:
    """The table in HBase. Keys come from the key columns' cells, so row keys of any form will do; families too."""
    host, port = addresses.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port), timeout=60_000)
    try:
        rows = []
        for _, cells in connection.table(name).scan(batch_size=1_000):
            row = []
            by_name = {name.partition(b":")[2]: data for name, data in cells.items()}
            for column, kind in types.items():
                data = by_name.get(column.encode())
                row.append(None if data is None else _CELLS.get(kind, bytes.decode)(data))
            rows.append(tuple(row))
    finally:
        connection.close()
    return _by_key(rows, types, key)


def _by_key(rows: Iterable[tuple[Any, ...]], types: dict[str, str], key: Iterable[str]) -> Rows:
    names = list(types)
    positions = [names.index(name) for name in key]
    return {tuple(row[position] for position in positions): row for row in rows}


def _plain(value: Any, kind: str) -> Any:
    """A value as the source has it; in a process that has opened a Kudu sink the client gives plain numbers and text
    instead of moments, days and decimals.
    """
    if kind == "numeric" and isinstance(value, str):
        return Decimal(value)
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        span = moment - _EPOCH
        return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds
    return (value - _EPOCH.date()).days if isinstance(value, date) else value

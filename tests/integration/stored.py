"""What lies in Kudu and HBase, read raw and by the documented cells alone: nothing of the writers' mapping."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal
from typing import Any

import happybase
import kudu
import kudu.client

from models import Kind
from parrot_faust.distribution import Addresses

Row = dict[str, Any]
_EXACT = Context(prec=100)


def _packed(form: str) -> Callable[[bytes], Any]:
    return lambda data: struct.unpack(form, data)[0]


#: `docs/types.md`, once more.
CELLS: Mapping[Kind, Callable[[bytes], Any]] = {
    Kind.BOOL: lambda data: {b"\0": False, b"\1": True}[data],
    Kind.INT8: _packed(">b"),
    Kind.INT16: _packed(">h"),
    Kind.INT32: _packed(">i"),
    Kind.INT64: _packed(">q"),
    Kind.FLOAT32: _packed(">f"),
    Kind.FLOAT64: _packed(">d"),
    Kind.DECIMAL: lambda data: Decimal(data.decode()),
    Kind.STRING: bytes.decode,
    Kind.BYTES: bytes,
    Kind.DATE: _packed(">i"),
    Kind.TIME: _packed(">q"),
    Kind.TIMESTAMP: _packed(">q"),
}


@contextmanager
def _numbers() -> Iterator[None]:
    """Kudu's client gives timestamps and dates as the numbers they are, and decimals exactly."""
    names = ("from_unixtime_micros", "unix_epoch_days_to_date", "from_unscaled_decimal")
    kept = {name: getattr(kudu.client, name) for name in names}
    kudu.client.from_unixtime_micros = int
    kudu.client.unix_epoch_days_to_date = int
    kudu.client.from_unscaled_decimal = lambda unscaled, scale: Decimal(unscaled).scaleb(-scale, _EXACT)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(kudu.client, name, function)


def kudu_rows(addresses: Addresses, name: str, kinds: Mapping[str, Kind], key: str = "id") -> dict[Any, Row]:
    """The rows of a table by key; a column that the table does not have is in no row."""
    host, port = addresses.kudu_masters[0].rsplit(":", 1)
    client = kudu.connect(host, int(port))
    if not client.table_exists(name):
        return {}
    table = client.table(name)
    there = [column.name for column in table.schema]
    with _numbers():
        rows = [dict(zip(there, row, strict=True)) for row in table.scanner().open().read_all_tuples()]
    for row in rows:
        for column, kind in kinds.items():
            if kind is Kind.DECIMAL and isinstance(row.get(column), str):
                row[column] = Decimal(row[column])  # one that no decimal column of Kudu's holds
    return {row[key]: row for row in rows}


def kudu_types(addresses: Addresses, name: str) -> dict[str, str]:
    """Kudu's types of a table's columns."""
    host, port = addresses.kudu_masters[0].rsplit(":", 1)
    found = {}
    for column in kudu.connect(host, int(port)).table(name).schema:
        kind = column.type.name
        attributes = column.type_attributes
        found[column.name] = f"decimal({attributes.precision},{attributes.scale})" if kind == "decimal" else kind
    return found


def hbase_rows(addresses: Addresses, name: str, kinds: Mapping[str, Kind], key: str = "id") -> dict[Any, Row]:
    """The rows of a table by key; null is a column that a row does not have."""
    host, port = addresses.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port), timeout=60_000)
    try:
        if name.encode() not in connection.tables():
            return {}
        rows = []
        for _, cells in connection.table(name).scan(batch_size=1_000):
            named = {column.decode().removeprefix("d:"): data for column, data in cells.items()}
            rows.append({column: CELLS[kinds[column]](data) for column, data in named.items() if column in kinds})
    finally:
        connection.close()
    return {row[key]: row for row in rows}

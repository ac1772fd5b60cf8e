"""Turning rows into the mutations that HBase is sent. Pure but for the classes of the Thrift definition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import thriftpy2

from models import Row, RowFailure, RowOp, TableSchema
from parrot_faust.errors import RowTooLarge, ValueRefused
from parrot_faust.sinks.hbase.cells import CELL_LIMIT, ROW_KEY_LIMIT, Encode, encoder, row_key

api = thriftpy2.load(str(Path(__file__).with_name("write.thrift")), module_name="parrot_hbase_write_thrift")


class Shape:
    """How rows of one schema become puts and deletes, each at its row's version.

    An upsert is a put of the cells that have values and a delete, at the same version, of those that are null; what
    is unset is in neither. A delete takes the whole row up to its version.
    """

    def __init__(self, schema: TableSchema, family: bytes) -> None:
        self._table = schema.table
        self._names = [column.name for column in schema.columns]
        self._qualifiers = [name.encode() for name in self._names]
        self._encoders: list[Encode] = [encoder(column) for column in schema.columns]
        self._key = schema.key_positions()
        self._family = family

    def mutations(self, rows: Sequence[Row]) -> tuple[list[tuple[int, Any, Any]], list[RowFailure]]:
        """Return (index, put or None, delete or None) of each row that can be sent, and the failures of the others."""
        made, failures = [], []
        for index, row in enumerate(rows):
            try:
                made.append((index, *self._mutation(row)))
            except (ValueRefused, RowTooLarge) as error:
                failures.append(RowFailure(index, False, type(error).__name__, str(error)))
        return made, failures

    def _mutation(self, row: Row) -> tuple[Any, Any]:
        if row.op == RowOp.DELETE:
            return None, api.TDelete(row=self._row_key(row.values), timestamp=row.version)
        values, unset = row.values, row.unset
        key = self._row_key([values[position] for position in self._key])
        cells, nulls = [], []
        for position, qualifier in enumerate(self._qualifiers):
            if position in unset:
                continue
            value = values[position]
            if value is None:
                nulls.append(api.TColumn(family=self._family, qualifier=qualifier, timestamp=row.version))
            else:
                data = self._cell(position, value)
                cells.append(
                    api.TColumnValue(family=self._family, qualifier=qualifier, value=data, timestamp=row.version)
                )
        put = api.TPut(row=key, columnValues=cells, timestamp=row.version)
        return put, api.TDelete(row=key, columns=nulls, timestamp=row.version) if nulls else None

    def _cell(self, position: int, value: Any) -> bytes:
        try:
            data = self._encoders[position](value)
        except Exception as error:  # noqa: BLE001 - struct, codecs and decimal each have their own
            raise ValueRefused(self._table, self._names[position], f"{type(value).__name__}: {error}") from None
        if len(data) > CELL_LIMIT:
            raise ValueRefused(
                self._table, self._names[position], f"the cell has {len(data)} bytes, the limit is {CELL_LIMIT}"
            )
        return data

    def _row_key(self, values: Sequence[Any]) -> bytes:
        key = row_key(values)
        if not 0 < len(key) <= ROW_KEY_LIMIT:
            raise RowTooLarge(self._table, len(key), ROW_KEY_LIMIT)
        return key

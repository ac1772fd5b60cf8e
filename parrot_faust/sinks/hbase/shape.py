"""Turning rows into the mutations that HBase is sent. Pure but for the classes of the Thrift definition."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import thriftpy2

from models import Kind, Row, RowFailure, RowOp, TableSchema, key_text
from parrot_faust.creation import RowKeyForm
from parrot_faust.errors import RowRefused, RowTooLarge, ValueRefused
from parrot_faust.sinks.hbase.cells import (
    CELL_LIMIT,
    CELL_OVERHEAD,
    EXACT_FLOAT,
    REGION_NAME,
    ROW_KEY_LIMIT,
    TYPES,
    Encode,
    encoder,
    plain,
)
from parrot_faust.sinks.hbase.rowkeys import maker

api = thriftpy2.load(str(Path(__file__).with_name("write.thrift")), module_name="parrot_hbase_write_thrift")


class Shape:
    """How rows of one schema become puts and deletes, each at its row's version.

    An upsert is a put of the cells that have values and a delete, at the same version, of those that are null; what
    is unset is in neither. Cells of columns that the table is to have no more are deleted with it. A delete takes the
    whole row up to its version.
    """

    def __init__(
        self,
        schema: TableSchema,
        target: str,
        family_of: Callable[[str], bytes],
        form: RowKeyForm = "text",
        salt: int = 1,
    ) -> None:
        self._table = schema.table
        self._names = [column.name for column in schema.columns]
        self._kinds = [column.kind.value for column in schema.columns]
        self._qualifiers = [name.encode() for name in self._names]
        self._encoders: list[Encode] = [encoder(column) for column in schema.columns]
        self._types: list[type] = [TYPES.get(column.kind, int) for column in schema.columns]
        self._key = schema.key_positions()
        self._decimals = {position for position in self._key if schema.columns[position].kind is Kind.DECIMAL}
        self._families = [family_of(name) for name in self._names]
        self._row_keys = maker([schema.columns[position] for position in self._key], form, salt)
        #: Cells of columns that were dropped go when their row is written: HBase itself knows no columns to drop.
        self._without = [(family_of(name), name.encode()) for name in schema.without]
        self._key_limit = ROW_KEY_LIMIT - REGION_NAME - len(target)
        self._cell_limit = CELL_LIMIT - CELL_OVERHEAD - max(map(len, self._families))

    def mutations(self, rows: Sequence[Row]) -> tuple[list[tuple[int, Any, Any]], list[RowFailure]]:
        """Return (index, put or None, delete or None) of each row that can be sent, and the failures of the others."""
        made, failures = [], []
        for index, row in enumerate(rows):
            try:
                made.append((index, *self._mutation(row)))
            except RowRefused as error:
                failures.append(RowFailure(index, False, type(error).__name__, error.of(self._key_text(row))))
        return made, failures

    def _key_text(self, row: Row) -> str:
        values = row.values
        if row.op != RowOp.DELETE:
            values = tuple(values[position] for position in self._key if position < len(values))
        return key_text([self._names[position] for position in self._key], values)

    def _mutation(self, row: Row) -> tuple[Any, Any]:
        values, unset = row.values, row.unset
        expected = len(self._key) if row.op == RowOp.DELETE else len(self._names)
        if len(values) != expected:
            raise RowRefused(self._table, f"a row has {len(values)} values where {expected} are expected")
        if row.op == RowOp.DELETE:
            return None, api.TDelete(row=self._row_key(values), timestamp=row.version)
        key = self._row_key([None if position in unset else values[position] for position in self._key])
        cells = []
        nulls = [
            api.TColumn(family=family, qualifier=qualifier, timestamp=row.version)
            for family, qualifier in self._without
        ]
        for position, qualifier in enumerate(self._qualifiers):
            if position in unset:
                continue
            value, family = values[position], self._families[position]
            if value is None:
                nulls.append(api.TColumn(family=family, qualifier=qualifier, timestamp=row.version))
            else:
                data = self._cell(position, value)
                if len(data) + len(qualifier) + len(key) > self._cell_limit:
                    what = f"column {self._names[position]} ({self._kinds[position]}): the cell"
                    raise RowTooLarge(self._table, len(data), CELL_LIMIT, what=what)
                cells.append(api.TColumnValue(family=family, qualifier=qualifier, value=data, timestamp=row.version))
        put = api.TPut(row=key, columnValues=cells, timestamp=row.version)
        return put, api.TDelete(row=key, columns=nulls, timestamp=row.version) if nulls else None

    def _cell(self, position: int, value: Any) -> bytes:
        if type(value) is not self._types[position]:
            value = self._converted(position, value)
        try:
            return self._encoders[position](value)
        except Exception as error:  # noqa: BLE001 - struct, codecs and decimal each have their own
            raise self._refused(position, f"{type(value).__name__}: {error}") from None

    def _converted(self, position: int, value: Any) -> Any:
        """An integer where a float is expected is one without loss; nothing else is taken for another type."""
        expected = self._types[position]
        if expected is float and type(value) is int and abs(value) <= EXACT_FLOAT:
            return float(value)
        raise self._refused(position, f"a {type(value).__name__} where {expected.__name__} is expected")

    def _row_key(self, values: Sequence[Any]) -> bytes:
        texts = []
        for position, value in zip(self._key, values, strict=True):
            if value is None:
                raise self._refused(position, "no value, though it is of the key")
            if type(value) is not self._types[position]:
                value = self._converted(position, value)
            try:
                texts.append(plain(value) if position in self._decimals else value)
            except (ValueError, ArithmeticError) as error:
                raise self._refused(position, str(error)) from None
        try:
            key = self._row_keys(texts)
        except UnicodeEncodeError as error:
            raise RowRefused(self._table, f"the key is not valid Unicode: {error.reason}") from None
        except (ValueError, ArithmeticError, struct.error) as error:
            raise RowRefused(self._table, f"the key has no binary form: {error}") from None
        if len(key) > self._key_limit:
            raise RowTooLarge(self._table, len(key), self._key_limit, what="the row key")
        return key

    def _refused(self, position: int, reason: str) -> ValueRefused:
        return ValueRefused(self._table, self._names[position], self._kinds[position], reason)

"""Rows of a chunk, turned into operations for Kudu's client, with those that can't be written named. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from models import Row, RowFailure, RowOp, key_text
from parrot_faust.errors import RowRefused, RowTooLarge, ValueRefused
from parrot_faust.sinks.kudu.layout import Layout
from parrot_faust.sinks.kudu.values import Convert, Misfit, Values, converter, decimal_texts

MAX_KEY = 16 * 1024  # bytes of an encoded key, Kudu's --max_encoded_key_size_bytes
#: Bytes of a key column in the encoded key; text and bytes are counted each time.
KEY_WIDTH = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "unixtime_micros": 8, "date": 4, "decimal": 16}


class Operation(NamedTuple):
    """One row to send. `row` is its place among the rows handed over, `record` its values in Kudu's column order, the
    key's alone for a delete, `unset` the places in it that are left as they are.
    """

    row: int
    delete: bool
    record: tuple[Any, ...]
    unset: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be sent, and what can't."""

    operations: list[Operation]
    failures: list[RowFailure]


class Preparer:
    """Turns rows of one layout into operations, a column at a time."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        columns = layout.store.columns
        self._keys = layout.store.keys
        self._converters: tuple[Convert, ...] = tuple(
            decimal_texts if index in layout.texts else converter(column) for index, column in enumerate(columns)
        )
        self._required = tuple(index for index, column in enumerate(columns) if not column.nullable)
        variable = [index for index, column in enumerate(columns[: self._keys]) if column.type not in KEY_WIDTH]
        self._variable_keys = tuple(variable)
        self._fixed_key_bytes = sum(KEY_WIDTH.get(column.type, 0) for column in columns[: self._keys])

    def prepare(self, rows: Sequence[Row]) -> Prepared:
        """Operations for `rows`, each with its index, and a terminal failure for every row that has none."""
        upserts: list[tuple[int, Row]] = []
        deletes: list[tuple[int, Row]] = []
        for pair in enumerate(rows):
            (deletes if pair[1].op is RowOp.DELETE else upserts).append(pair)
        try:
            return Prepared(self._upserts(upserts) + self._deletes(deletes), [])
        except RowRefused:
            return self._one_by_one(upserts, deletes)

    def _one_by_one(self, upserts: list[tuple[int, Row]], deletes: list[tuple[int, Row]]) -> Prepared:
        prepared = Prepared([], [])
        for convert, pairs in ((self._upserts, upserts), (self._deletes, deletes)):
            for pair in pairs:
                try:
                    prepared.operations.extend(convert([pair]))
                except RowRefused as error:
                    failure = RowFailure(pair[0], False, type(error).__name__, error.of(self._key_text(pair[1])))
                    prepared.failures.append(failure)
        return prepared

    def _key_text(self, row: Row) -> str:
        layout = self.layout
        places = layout.key_positions if row.op is RowOp.DELETE else layout.positions[: self._keys]
        names = [column.name for column in layout.store.columns[: self._keys]]
        return key_text(names, [row.values[place] for place in places if place is not None and place < len(row.values)])

    def _upserts(self, pairs: list[tuple[int, Row]]) -> list[Operation]:
        if not pairs:
            return []
        layout = self.layout
        columns = self._transposed([row.values for _, row in pairs], layout.width)
        empty: Values = (None,) * len(pairs)
        wanted = [empty if position is None else columns[position] for position in layout.positions]
        unset = self._unset(pairs)
        for index in self._required:
            if None in wanted[index] and not (index >= self._keys and unset):
                raise self._refused(index, "null, which Kudu's column does not take")
        records = self._records(wanted)
        if not unset:
            return [Operation(index, False, record) for (index, _), record in zip(pairs, records, strict=True)]
        none: frozenset[int] = frozenset()
        return [
            Operation(index, False, record, unset.get(index, none))
            for (index, _), record in zip(pairs, records, strict=True)
        ]

    def _deletes(self, pairs: list[tuple[int, Row]]) -> list[Operation]:
        if not pairs:
            return []
        columns = self._transposed([row.values for _, row in pairs], self._keys)
        wanted = [columns[position] for position in self.layout.key_positions]
        for index, values in enumerate(wanted):
            if None in values:
                raise self._refused(index, "null, which no key holds")
        records = self._records(wanted)
        return [Operation(index, True, record) for (index, _), record in zip(pairs, records, strict=True)]

    def _transposed(self, rows: list[tuple[Any, ...]], width: int) -> list[Values]:
        if set(map(len, rows)) != {width}:
            raise RowRefused(self.layout.table, f"a row has {len(rows[0])} values where {width} are expected")
        return list(zip(*rows, strict=True))

    def _records(self, columns: list[Values]) -> list[tuple[Any, ...]]:
        converted = []
        for index, (convert, values) in enumerate(zip(self._converters, columns, strict=False)):
            try:
                converted.append(convert(values))
            except Misfit as misfit:
                raise self._refused(index, str(misfit)) from misfit
        self._check_keys(converted)
        return list(zip(*converted, strict=True))

    def _check_keys(self, columns: list[Values]) -> None:
        """Raise RowTooLarge when an encoded key is too long. Text within it doubles its zero bytes and ends in two."""
        if not self._variable_keys:
            return
        variable = [columns[index] for index in self._variable_keys]
        longest = self._fixed_key_bytes + sum(2 * max(map(len, values)) + 2 for values in variable)
        if longest <= MAX_KEY:
            return
        last = self._keys - 1
        for row in zip(*columns[: self._keys], strict=True):
            size = self._fixed_key_bytes + sum(
                len(row[index]) + (0 if index == last else row[index].count(0) + 2) for index in self._variable_keys
            )
            if size > MAX_KEY:
                raise RowTooLarge(self.layout.table, size, MAX_KEY, what="the key")

    def _unset(self, pairs: list[tuple[int, Row]]) -> dict[int, frozenset[int]]:
        """Places in the record to leave, by the row's index; only of rows that have any."""
        found = {}
        for index, row in pairs:
            if row.unset:
                places = [place for place, position in enumerate(self.layout.positions) if position in row.unset]
                if places[0] < self._keys:
                    raise self._refused(places[0], "no value, though it is of the key")
                found[index] = frozenset(places)
        return found

    def _refused(self, index: int, reason: str) -> ValueRefused:
        column = self.layout.store.columns[index]
        return ValueRefused(self.layout.table, column.name, column.shape, reason)

"""Where the columns of a source table lie in a store's tables, over all shapes it has had. Pure.

A store's table keeps one type for each of its columns. So a source column whose type changed has several columns there:
the first type has the column's own name, a later one ``<column>__<type>``, for example ``price__string`` or
``price__decimal_12_2``, with a number behind it when another column has that name already. In a row, at most one of
them has a value: that of the type in which the row was last written.

A source table whose key changed has several tables: the first has the table's own name, the next ones end in ``__g2``,
``__g3`` and so on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec

from models import Column, Row, RowOp, TableSchema
from parrot_faust.schema.stores import Store

Key = tuple[tuple[str, str], ...]


class StoredColumn(msgspec.Struct, frozen=True, array_like=True):
    """A column of a store's table: the source column and type that it is for, and its name there."""

    column: Column
    name: str


class Generation(msgspec.Struct, frozen=True, array_like=True):
    """One of the store's tables: its number, its key's columns with their types there, its columns, the names of
    columns that it has had and is to have no more, and how often columns were dropped.
    """

    number: int
    key: Key
    columns: tuple[StoredColumn, ...]
    dropped: tuple[str, ...] = ()
    drops: int = 0


class Layout(msgspec.Struct, frozen=True, array_like=True):
    """All tables that a store has for one source table, oldest first."""

    generations: tuple[Generation, ...] = ()

    def find(self, store: Store, schema: TableSchema) -> Generation | None:
        """The table whose key is that of `schema`; the newest, should there be several."""
        key = key_of(store, schema)
        return next((each for each in reversed(self.generations) if each.key == key), None)

    def replaced(self, generation: Generation) -> Layout:
        """The layout with another one of that number, or one more."""
        others = [each for each in self.generations if each.number != generation.number]
        return Layout((*others, generation))


def key_of(store: Store, schema: TableSchema) -> Key:
    """The key as a store's table has it."""
    by_name = {column.name: column for column in schema.columns}
    return tuple((name, store.type_of(by_name[name])) for name in schema.key)


def free_name(store: Store, column: Column, taken: Container[str], *, plain: bool) -> str:
    """The name of a new column in the store: its own where `plain` and free, else with the type behind it."""
    if plain and column.name not in taken:
        return column.name
    kind = re.sub(r"\W+", "_", store.type_of(column)).strip("_")
    name, number = f"{column.name}__{kind}", 2
    while name in taken:
        name, number = f"{column.name}__{kind}_{number}", number + 1
    return name


@dataclass(frozen=True, slots=True)
class Placement:
    """How rows of one shape go into a store: `schema` is the shape there. `take` turns a row of the source's shape
    into one of that shape, and is None where both are alike. `left_out` names source columns that have no place.
    """

    schema: TableSchema
    take: Callable[[Row], Row] | None = None
    left_out: tuple[str, ...] = ()


def place(store: Store, layout: Layout, shape: TableSchema, latest: TableSchema) -> Placement | None:
    """Where rows of `shape` go; None when there is no table of their key.

    `latest` is the newest shape of the source. A column of the store's that `shape` does not have is null in the row
    when `latest` does not have it either: it was dropped. When `latest` has it, the row is a late one of an older shape
    and leaves it as it is.
    """
    generation = layout.find(store, shape)
    if generation is None:
        return None
    places = {(each.column.name, store.type_of(each.column)): each for each in generation.columns}
    positions = {column.name: position for position, column in enumerate(shape.columns)}
    active: list[int] = []
    columns: list[Column] = []
    left_out: list[str] = []
    used = set()
    for position, column in enumerate(shape.columns):
        stored = places.get((column.name, store.type_of(column)))
        if stored is None:
            left_out.append(column.name)
            continue
        used.add(stored.name)
        active.append(position)
        columns.append(_named(column, stored.name))
    current = {column.name for column in latest.columns}
    rest: list[int | None] = []  # for each column that the shape does not fill: what its being unset follows
    late: list[int] = []
    for stored in generation.columns:
        if stored.name in used:
            continue
        name = stored.column.name
        rest.append(positions.get(name))
        if name not in positions and name in current:
            late.append(len(columns))
        columns.append(msgspec.structs.replace(_named(stored.column, stored.name), nullable=True))
    if generation.number == 1 and not generation.drops and tuple(columns) == shape.columns:
        return Placement(shape)
    placed = TableSchema.of(
        shape.table,
        tuple(columns),
        shape.key,
        database=shape.database,
        namespace=shape.namespace,
        relation=shape.relation,
        generation=generation.number,
        without=generation.dropped,
        drops=generation.drops,
    )
    alike = active == list(range(len(shape.columns))) and not rest
    return Placement(placed, None if alike else _taker(active, rest, late), tuple(left_out))


def _named(column: Column, name: str) -> Column:
    return column if column.name == name else msgspec.structs.replace(column, name=name)


def _taker(active: list[int], rest: list[int | None], late: list[int]) -> Callable[[Row], Row]:
    """What brings a row to the store's columns. It runs for every row of a table that has changed."""
    nulls, sources, always = (None,) * len(rest), (*active, *rest), tuple(late)
    pick = _picker(active)

    def take(row: Row) -> Row:
        if row.op == RowOp.DELETE:
            return row
        if not row.unset:
            return Row(row.offset, row.version, row.op, pick(row.values) + nulls, always)
        # A value that was not touched may be in any of the column's places: all are left.
        untouched = [place for place, position in enumerate(sources) if position in row.unset]
        return Row(row.offset, row.version, row.op, pick(row.values) + nulls, tuple(sorted({*late, *untouched})))

    return take


def _picker(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """The values at places, as a tuple also where there is one or none."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)

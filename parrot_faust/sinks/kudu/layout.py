"""How the rows of a source table lie in a Kudu table that exists. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from models import Kind, TableSchema
from parrot_faust.errors import TableRefused
from parrot_faust.sinks.kudu.mapping import TYPES, StoreColumn, store_columns


@dataclass(frozen=True, slots=True)
class StoreTable:
    """A table as Kudu has it: its columns in Kudu's order, the first `keys` of them its key."""

    name: str
    columns: tuple[StoreColumn, ...]
    keys: int


@dataclass(frozen=True, slots=True)
class Layout:
    """For every column of `store`, in Kudu's order, where its value comes from.

    `positions` are places in a source row, None for a column that the source does not have (any more). `key_positions`
    are places in a row's key, for Kudu's key columns. `texts` are the places in `store` of decimals kept as text.
    """

    table: str
    width: int
    store: StoreTable
    positions: tuple[int | None, ...]
    key_positions: tuple[int, ...]
    texts: frozenset[int]


def missing_columns(schema: TableSchema, store: StoreTable) -> tuple[StoreColumn, ...]:
    """The columns that `store` lacks for rows of `schema`.

    Raise TableRefused, naming every difference, when adding columns can't make it fit: Kudu alters neither types nor
    keys.
    """
    wanted = store_columns(schema)
    found = {column.name: column for column in store.columns}
    reasons = [
        f"column {column.name} is {found[column.name].shape} there and {column.shape} here"
        for column in wanted
        if column.name in found and found[column.name].shape != column.shape
    ]
    there = [column.name for column in store.columns[: store.keys]]
    if set(there) != set(schema.key):
        reasons.append(f"its key there is {', '.join(there)} and here {', '.join(schema.key)}")
    here = {column.name for column in wanted}
    reasons += [
        f"column {column.name} there takes no nulls and is not in the source"
        for column in store.columns[store.keys :]
        if column.name not in here and not column.nullable
    ]
    if reasons:
        raise TableRefused(schema.table, f"Kudu's table {store.name} does not fit: {'; '.join(reasons)}")
    return tuple(column for column in wanted if column.name not in found)


def lay_out(schema: TableSchema, store: StoreTable) -> Layout:
    """The layout of rows of `schema` in `store`, which has every column of theirs."""
    place = {column.name: index for index, column in enumerate(schema.columns)}
    decimals = {column.name for column in schema.columns if column.kind is Kind.DECIMAL}
    return Layout(
        table=schema.table,
        width=len(schema.columns),
        store=store,
        positions=tuple(place.get(column.name) for column in store.columns),
        key_positions=tuple(schema.key.index(column.name) for column in store.columns[: store.keys]),
        texts=frozenset(
            index
            for index, column in enumerate(store.columns)
            if column.name in decimals and column.type == TYPES[Kind.STRING]
        ),
    )

"""The table of the simulation: what its rows look like, and which of them a store refuses."""

from __future__ import annotations

from typing import Any

from models import Column, Kind, Row, RowOp, TableSchema

TABLE = "shop.public.t"
_COLUMNS = (
    Column("note", Kind.STRING),
    Column("part", Kind.INT32, False),
    Column("id", Kind.INT32, False),
    Column("n", Kind.INT32),
)
KEY = ("id", "part")
#: The shape at first, and after a column was added.
OLD = TableSchema.of(TABLE, _COLUMNS, KEY)
NEW = TableSchema.of(TABLE, (*_COLUMNS, Column("more", Kind.INT32)), KEY)
NOTE, PART, ID, NUMBER, MORE = range(5)
WIDTH = len(NEW.columns)

#: A value that a store of the simulation takes for no number: the row is refused for good.
POISON = -1

Key = tuple[int, int]


def key_of(row: Row) -> tuple[Any, ...]:
    """The key of a row to write, in key order."""
    return row.values if row.op == RowOp.DELETE else (row.values[ID], row.values[PART])


def poisoned(row: Row) -> bool:
    """Whether the row holds the value that is refused."""
    return row.op == RowOp.UPSERT and row.values[NUMBER] == POISON

"""What each store can hold and alter, as data. Nothing here speaks to a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models import Column, Kind

#: kind -> Kudu's name of the type; DECIMAL depends on its precision, see `kudu_type`.
KUDU_TYPES = {
    Kind.BOOL: "bool",
    Kind.INT8: "int8",
    Kind.INT16: "int16",
    Kind.INT32: "int32",
    Kind.INT64: "int64",
    Kind.FLOAT32: "float",
    Kind.FLOAT64: "double",
    Kind.STRING: "string",
    Kind.BYTES: "binary",
    Kind.DATE: "date",
    Kind.TIME: "int64",
    Kind.TIMESTAMP: "unixtime_micros",
}
KUDU_PRECISION = 38


def kudu_type(column: Column) -> str:
    """The type that Kudu's column has for `column`."""
    if column.kind is not Kind.DECIMAL:
        return KUDU_TYPES[column.kind]
    precision, scale = column.precision or 0, column.scale or 0
    fits = 1 <= precision <= KUDU_PRECISION and 0 <= scale <= precision
    return f"decimal({precision},{scale})" if fits else "string"


def hbase_type(column: Column) -> str:
    """How HBase's cells of `column` are to be read: the kind says it, decimals are text of any size."""
    return column.kind.value


@dataclass(frozen=True, slots=True)
class Store:
    """A store's limits. `max_name` is in bytes, of a column; None is no limit.

    `alters` are the kinds of change that the store's tables can follow as they are.
    """

    name: str
    type_of: Callable[[Column], str]
    max_columns: int | None
    max_name: int | None
    not_in_key: frozenset[str]
    limits: str

    def column_problem(self, name: str, others: int) -> str:
        """Why a table of `others` columns can't have one of this name; empty when it can."""
        if self.max_columns is not None and others >= self.max_columns:
            return f"{self.name} takes {self.max_columns} columns, and it would be number {others + 1}"
        if self.max_name is not None and not 1 <= len(name.encode()) <= self.max_name:
            return f"{self.name} takes column names of 1 to {self.max_name} bytes"
        return ""

    def table_problems(self, columns: Sequence[Column], key: Sequence[str]) -> list[str]:
        """Why the store can't have a table of these columns and this key; empty when it can."""
        if not key:
            return ["it has no primary key"]
        problems = [
            f"key column {column.name} is {self.type_of(column)}, which {self.name} allows in no key"
            for column in columns
            if column.name in key and self.type_of(column) in self.not_in_key
        ]
        if self.max_columns is not None and len(columns) > self.max_columns:
            problems.append(f"it has {len(columns)} columns and {self.name} takes {self.max_columns}")
        problems += [
            f"column {column.name[:40]}: {problem}"
            for column in columns
            if (problem := self.column_problem(column.name, 0))
        ]
        return problems


KUDU = Store(
    "kudu",
    kudu_type,
    max_columns=300,
    max_name=256,
    not_in_key=frozenset({"bool", "float", "double"}),
    limits="can't alter a column's type, precision or nullability, nor a key; 300 columns, names of 256 bytes, cells "
    "of 64 KiB, keys of 16 KiB",
)
HBASE = Store(
    "hbase",
    hbase_type,
    max_columns=None,
    max_name=None,
    not_in_key=frozenset(),
    limits="has neither columns nor types to alter, but cells of two types in one column could not be told apart, "
    "and a row's key can't be altered; cells of 10 MiB, row keys of 32 KiB",
)
STORES = {store.name: store for store in (KUDU, HBASE)}

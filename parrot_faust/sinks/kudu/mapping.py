"""Which Kudu type holds which kind of column. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from models import Column, Kind, TableSchema
from parrot_faust.errors import TableRefused
from parrot_faust.sinks.kudu.settings import MAX_NAME

MAX_COLUMNS = 300
MAX_PRECISION = 38
MAX_COMMENT = 256  # bytes, the master's --max_column_comment_length

#: kind -> Kudu's name of the type; DECIMAL depends on its precision, see `store_type`.
TYPES = {
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
NOT_IN_KEY = frozenset({"bool", "float", "double"})


@dataclass(frozen=True, slots=True)
class StoreColumn:
    """A column as Kudu has it, or is to have it. `precision` and `scale` are of a decimal, 0 for every other type."""

    name: str
    type: str
    nullable: bool
    precision: int = 0
    scale: int = 0
    comment: str = ""

    @property
    def shape(self) -> str:
        """Its type in words, for example ``decimal(12,2)``: equal exactly when the types are."""
        return f"decimal({self.precision},{self.scale})" if self.type == "decimal" else self.type


def store_column(column: Column, *, key: bool) -> StoreColumn:
    """The column that Kudu is to have. Outside the key it takes nulls whatever the source says today: the source may
    drop its NOT NULL, or the column, and Kudu can alter neither later.
    """
    comment = column.comment.encode()[:MAX_COMMENT].decode(errors="ignore")
    if column.kind is not Kind.DECIMAL:
        return StoreColumn(column.name, TYPES[column.kind], not key, comment=comment)
    precision, scale = column.precision or 0, column.scale or 0
    if 1 <= precision <= MAX_PRECISION and 0 <= scale <= precision:
        return StoreColumn(column.name, "decimal", not key, precision, scale, comment)
    return StoreColumn(column.name, "string", not key, comment=comment)


def store_columns(schema: TableSchema) -> tuple[StoreColumn, ...]:
    """All columns in Kudu's order: the key first, in key order, then the others in theirs.

    Raise TableRefused, naming every cause, when Kudu can't hold the table.
    """
    if not schema.key:
        raise TableRefused(schema.table, "it has no primary key; name `key:` columns for it in the settings")
    by_name = {column.name: column for column in schema.columns}
    found = [store_column(by_name[name], key=True) for name in schema.key]
    found += [store_column(column, key=False) for column in schema.columns if column.name not in schema.key]
    reasons = [
        f"key column {column.name} is {column.shape}, which Kudu allows in no key"
        for column in found[: len(schema.key)]
        if column.type in NOT_IN_KEY
    ]
    if len(found) > MAX_COLUMNS:
        reasons.append(f"it has {len(found)} columns and Kudu takes {MAX_COLUMNS}")
    reasons += [
        f"the column name {column.name!r} is not of 1 to {MAX_NAME} bytes"
        for column in found
        if not 1 <= len(column.name.encode()) <= MAX_NAME
    ]
    if reasons:
        raise TableRefused(schema.table, "; ".join(reasons))
    return tuple(found)

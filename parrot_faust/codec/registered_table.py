"""A table's shape from the schemas that a registry has of its topic, without reading a record."""

from __future__ import annotations

from models import TableSchema
from parrot_faust.codec.avro import schema
from parrot_faust.codec.columns import column_of
from parrot_faust.codec.event import row_shape
from parrot_faust.codec.shape import Base
from parrot_faust.errors import DecodeError


def registered_table(topic: str, value: str, key: str | None) -> TableSchema:
    """The shape of the rows that `value`, the Avro schema of a topic's values, describes; `key` is that of its keys.

    Raise DecodeError when it is no schema of Debezium's changes.
    """
    shape = schema.parse(value)
    row = row_shape(shape)
    if row is None:
        raise DecodeError("its messages carry no rows")
    columns = tuple(column_of(name, field) for name, field in row.fields)
    keys = schema.parse(key) if key else None
    names = tuple(name for name, _ in keys.fields) if keys and keys.base is Base.STRUCT else ()
    known = {column.name for column in columns}
    return TableSchema.of(topic, columns, tuple(name for name in names if name in known))

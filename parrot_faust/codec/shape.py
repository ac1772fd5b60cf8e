"""The type of a Kafka Connect field, whether an Avro or a JSON schema said it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from parrot_faust.errors import DecodeError

# Debezium's deepest structures (arrays of structs in a row) are six levels; more than this is an attack or a mistake.
MAX_DEPTH = 32
# A table of 1,600 columns, PostgreSQL's limit, gives about 3,300 fields.
MAX_FIELDS = 20_000


class Base(StrEnum):
    """Connect's own types, and two that only Avro has: null and a union of several types."""

    BOOLEAN = "boolean"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    BYTES = "bytes"
    ARRAY = "array"
    MAP = "map"
    STRUCT = "struct"
    UNION = "union"
    NULL = "null"


#: Bits of each integer type.
INTEGER_BITS: Mapping[Base, int] = {Base.INT8: 8, Base.INT16: 16, Base.INT32: 32, Base.INT64: 64}


class Shape(msgspec.Struct, frozen=True, eq=False):
    """A type. `name` is Connect's semantic name (``io.debezium.time.Date``), empty for a plain type.

    `optional` says that null is a value; `null_tag` is Avro's branch number of it. `fields` belong to STRUCT, `items`
    to ARRAY and MAP (its values), `branches` to UNION, `symbols` to an Avro enumeration and `size` to an Avro fixed.
    `weight` counts the fields below and including this one. `doc` is what the schema says of a field, for people.
    """

    base: Base
    name: str = ""
    optional: bool = False
    null_tag: int = 0
    precision: int | None = None
    scale: int | None = None
    fields: tuple[tuple[str, Shape], ...] = ()
    items: Shape | None = None
    branches: tuple[Shape, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = -1
    weight: int = 1
    doc: str = ""

    def field(self, name: str) -> Shape | None:
        """The type of a struct's field, None where there is none of that name."""
        return next((shape for field, shape in self.fields if field == name), None)


def weigh(*shapes: Shape) -> int:
    """The weight of a type made of `shapes`. Raise DecodeError when it is more than any table can have."""
    weight = 1 + sum(shape.weight for shape in shapes)
    if weight > MAX_FIELDS:
        raise DecodeError(f"the schema has more than {MAX_FIELDS} fields")
    return weight

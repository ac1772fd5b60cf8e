"""Which column a Connect type makes, and how its raw value becomes the canonical one: tables, no cleverness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from models import Column, Kind
from parrot_faust.codec import values
from parrot_faust.codec.nested import text_maker
from parrot_faust.codec.shape import INTEGER_BITS, Base, Shape
from parrot_faust.errors import DecodeError

#: From a raw value that is not null to the canonical one.
Converter = Callable[[Any], Any]


class How(StrEnum):
    """The way from the raw value to the canonical one."""

    AS_IS = "as is"
    DAYS = "days"
    ISO_DAY = "iso date"
    ISO_TIME = "iso time"
    ISO_TIMESTAMP = "iso timestamp"
    MICROS = "micros"
    MILLIS = "millis"
    NANOS = "nanos"
    ZONED = "zoned"
    DECIMAL = "decimal"
    VARIABLE_DECIMAL = "variable decimal"
    FLOAT32 = "float32"
    TEXT = "text"


class Meaning(NamedTuple):
    """What a semantic name stands for, and the Connect types it may sit on."""

    bases: frozenset[Base]
    kind: Kind
    how: How = How.AS_IS
    semantic: str = ""


_INTEGER = frozenset(INTEGER_BITS)
_STRING = frozenset({Base.STRING})
_BYTES = frozenset({Base.BYTES})
_STRUCT = frozenset({Base.STRUCT})
_ARRAY = frozenset({Base.ARRAY})

_PLAIN: Mapping[Base, Meaning] = {
    Base.BOOLEAN: Meaning(frozenset(), Kind.BOOL),
    Base.INT8: Meaning(frozenset(), Kind.INT8),
    Base.INT16: Meaning(frozenset(), Kind.INT16),
    Base.INT32: Meaning(frozenset(), Kind.INT32),
    Base.INT64: Meaning(frozenset(), Kind.INT64),
    Base.FLOAT: Meaning(frozenset(), Kind.FLOAT32, How.FLOAT32),
    Base.DOUBLE: Meaning(frozenset(), Kind.FLOAT64),
    Base.STRING: Meaning(frozenset(), Kind.STRING),
    Base.BYTES: Meaning(frozenset(), Kind.BYTES),
    Base.ARRAY: Meaning(frozenset(), Kind.STRING, How.TEXT, "array"),
    Base.MAP: Meaning(frozenset(), Kind.STRING, How.TEXT, "map"),
    Base.STRUCT: Meaning(frozenset(), Kind.STRING, How.TEXT, "struct"),
    Base.UNION: Meaning(frozenset(), Kind.STRING, How.TEXT, "union"),
}

_NAMED: Mapping[str, Meaning] = {
    "org.apache.kafka.connect.data.Decimal": Meaning(_BYTES, Kind.DECIMAL, How.DECIMAL),
    "org.apache.kafka.connect.data.Date": Meaning(_INTEGER, Kind.DATE, How.DAYS),
    "org.apache.kafka.connect.data.Time": Meaning(_INTEGER, Kind.TIME, How.MILLIS),
    "org.apache.kafka.connect.data.Timestamp": Meaning(_INTEGER, Kind.TIMESTAMP, How.MILLIS),
    "io.debezium.data.VariableScaleDecimal": Meaning(_STRUCT, Kind.DECIMAL, How.VARIABLE_DECIMAL),
    "io.debezium.time.Date": Meaning(_INTEGER, Kind.DATE, How.DAYS),
    "io.debezium.time.IsoDate": Meaning(_STRING, Kind.DATE, How.ISO_DAY),
    "io.debezium.time.IsoTime": Meaning(_STRING, Kind.TIME, How.ISO_TIME),
    "io.debezium.time.IsoTimestamp": Meaning(_STRING, Kind.TIMESTAMP, How.ISO_TIMESTAMP),
    "io.debezium.time.Time": Meaning(_INTEGER, Kind.TIME, How.MILLIS),
    "io.debezium.time.MicroTime": Meaning(_INTEGER, Kind.TIME),
    "io.debezium.time.NanoTime": Meaning(_INTEGER, Kind.TIME, How.NANOS, "nanos"),
    "io.debezium.time.Timestamp": Meaning(_INTEGER, Kind.TIMESTAMP, How.MILLIS),
    "io.debezium.time.MicroTimestamp": Meaning(_INTEGER, Kind.TIMESTAMP, How.MICROS),
    "io.debezium.time.NanoTimestamp": Meaning(_INTEGER, Kind.TIMESTAMP, How.NANOS, "nanos"),
    "io.debezium.time.ZonedTimestamp": Meaning(_STRING, Kind.TIMESTAMP, How.ZONED, "zoned"),
    "io.debezium.time.ZonedTime": Meaning(_STRING, Kind.STRING, How.AS_IS, "zonedtime"),
    "io.debezium.time.Interval": Meaning(_STRING, Kind.STRING, How.AS_IS, "interval"),
    "io.debezium.time.MicroDuration": Meaning(_INTEGER, Kind.INT64, How.AS_IS, "microduration"),
    "io.debezium.time.NanoDuration": Meaning(_INTEGER, Kind.INT64, How.AS_IS, "nanoduration"),
    "io.debezium.time.Year": Meaning(_INTEGER, Kind.INT32, How.AS_IS, "year"),
    "io.debezium.data.Json": Meaning(_STRING, Kind.STRING, How.AS_IS, "json"),
    "io.debezium.data.Uuid": Meaning(_STRING, Kind.STRING, How.AS_IS, "uuid"),
    "io.debezium.data.Enum": Meaning(_STRING, Kind.STRING, How.AS_IS, "enum"),
    "io.debezium.data.EnumSet": Meaning(_STRING, Kind.STRING, How.AS_IS, "enumset"),
    "io.debezium.data.Xml": Meaning(_STRING, Kind.STRING, How.AS_IS, "xml"),
    "io.debezium.data.Ltree": Meaning(_STRING, Kind.STRING, How.AS_IS, "ltree"),
    "io.debezium.data.Tsvector": Meaning(_STRING, Kind.STRING, How.AS_IS, "tsvector"),
    "io.debezium.data.Bits": Meaning(_BYTES, Kind.BYTES, How.AS_IS, "bits"),
    "io.debezium.data.FloatVector": Meaning(_ARRAY, Kind.STRING, How.TEXT, "vector"),
    "io.debezium.data.DoubleVector": Meaning(_ARRAY, Kind.STRING, How.TEXT, "vector"),
    "io.debezium.data.SparseDoubleVector": Meaning(_STRUCT, Kind.STRING, How.TEXT, "vector"),
    "io.debezium.data.geometry.Geometry": Meaning(_STRUCT, Kind.STRING, How.TEXT, "geometry"),
    "io.debezium.data.geometry.Geography": Meaning(_STRUCT, Kind.STRING, How.TEXT, "geometry"),
    "io.debezium.data.geometry.Point": Meaning(_STRUCT, Kind.STRING, How.TEXT, "geometry"),
}

#: Avro's own logical types, for writers other than Connect, by the Connect name that means the same.
AVRO_LOGICAL: Mapping[str, str] = {
    "decimal": "org.apache.kafka.connect.data.Decimal",
    "date": "org.apache.kafka.connect.data.Date",
    "time-millis": "org.apache.kafka.connect.data.Time",
    "time-micros": "io.debezium.time.MicroTime",
    "timestamp-millis": "org.apache.kafka.connect.data.Timestamp",
    "timestamp-micros": "io.debezium.time.MicroTimestamp",
    "timestamp-nanos": "io.debezium.time.NanoTimestamp",
    "local-timestamp-millis": "org.apache.kafka.connect.data.Timestamp",
    "local-timestamp-micros": "io.debezium.time.MicroTimestamp",
    "local-timestamp-nanos": "io.debezium.time.NanoTimestamp",
    "uuid": "io.debezium.data.Uuid",
}


def meaning_of(name: str, shape: Shape) -> Meaning:
    """What the field `name` is. An unknown semantic name counts as its plain type; a known one on a wrong type is an
    error of the schema, and so is a field of nothing but null."""
    meaning = _NAMED.get(shape.name)
    if meaning is None:
        plain = _PLAIN.get(shape.base)
        if plain is None:
            raise DecodeError(f"field {name}: a column can't be of type {shape.base}")
        return plain
    if shape.base not in meaning.bases:
        raise DecodeError(f"field {name}: {shape.name} can't be carried by {shape.base}")
    if meaning.how is How.DECIMAL and shape.scale is None:
        raise DecodeError(f"field {name}: a decimal without scale")
    return meaning


# What Java makes of a byte above 127 that is taken for a character with its sign.
_SIGNED_BYTES = 0xFF80


def column_name(field: str) -> str:
    """The column that a field is named after.

    Debezium 3.3.2 has names right in a snapshot. From PostgreSQL's log it takes every byte of their UTF-8 for a
    character of its own, those above 127 with their sign: U+FFC3 U+FFB8 stand for the two bytes of one letter.
    """
    if field.isascii() or not any(ord(letter) >= _SIGNED_BYTES for letter in field):
        return field
    try:
        return bytes(_byte(ord(letter)) for letter in field).decode()
    except ValueError:
        return field  # it is really named so


def _byte(code: int) -> int:
    if code < 0x80 or _SIGNED_BYTES <= code <= 0xFFFF:
        return code & 0xFF
    raise ValueError(code)


#: Characters of a column's comment that are taken along: it travels with every chunk.
MAX_COMMENT = 1_000


def column_of(name: str, shape: Shape) -> Column:
    """The column that a field makes."""
    column = _column_of(name, shape)
    return msgspec.structs.replace(column, comment=shape.doc[:MAX_COMMENT]) if shape.doc else column


def _column_of(name: str, shape: Shape) -> Column:
    name = column_name(name)
    meaning = meaning_of(name, shape)
    if meaning.how is How.DECIMAL:
        if (zeros := whole_digits(shape)) is not None:
            precision = None if shape.precision is None else shape.precision + zeros
            return Column(name, Kind.DECIMAL, shape.optional, precision, 0)
        return Column(name, Kind.DECIMAL, shape.optional, shape.precision, shape.scale)
    semantic = meaning.semantic or ("enum" if shape.symbols else "")
    return Column(name, meaning.kind, shape.optional, semantic=semantic)


def converter_of(name: str, shape: Shape) -> Converter | None:
    """The way from the field's raw value to the canonical one, None where they are the same.

    The raw value is what Avro or a typed JSON decoder gives: `bytes` for BYTES in both, dicts and lists below TEXT.
    """
    how = meaning_of(name, shape).how
    if how is How.DECIMAL:
        scale = shape.scale or 0
        if whole_digits(shape) is not None:
            return lambda raw: values.whole(values.decimal_of_bytes(raw, scale))
        return lambda raw: values.decimal_of_bytes(raw, scale)
    if how is How.TEXT:
        return text_maker(shape)
    return _CONVERTERS[how]


def whole_digits(shape: Shape) -> int | None:
    """How many zeros end every number of a column like numeric(5,-2); None for all others.

    Debezium reads the scale's 11 bits without their sign: 2046 stands for -2. PostgreSQL's scales end at 1,000.
    """
    scale = shape.scale or 0
    if scale < 0:
        return -scale
    return 2048 - scale if 1000 < scale < 2048 else None


_CONVERTERS: Mapping[How, Converter | None] = {
    How.AS_IS: None,
    How.DAYS: values.day,
    How.ISO_DAY: values.day_of_text,
    How.ISO_TIME: values.time_of_text,
    How.ISO_TIMESTAMP: values.local_timestamp,
    How.MICROS: values.micros,
    How.MILLIS: values.micros_of_millis,
    How.NANOS: values.micros_of_nanos,
    How.ZONED: values.zoned_timestamp,
    How.VARIABLE_DECIMAL: values.variable_decimal,
    How.FLOAT32: values.float32,
}

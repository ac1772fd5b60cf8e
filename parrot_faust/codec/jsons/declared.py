"""Types that a user declares for columns of JSON without schema: ``decimal(10,2)``, ``timestamp(ms)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from models import Column, Kind
from parrot_faust.codec import values
from parrot_faust.codec.columns import Converter
from parrot_faust.codec.jsons.typed import INT64, WIRE
from parrot_faust.codec.shape import Base
from parrot_faust.errors import DecodeError, SettingsError

_DECLARATION = re.compile(r"\s*([a-z0-9]+)\s*(?:\(\s*(\w+)\s*(?:,\s*(\d+)\s*)?\))?\s*(base64|variable)?\s*")
_MAX_DIGITS = 1000  # what PostgreSQL lets one declare for NUMERIC


class Declared(msgspec.Struct, frozen=True):
    """A column whose type is known: the column, the JSON type of its values, and the way to the canonical ones."""

    column: Column
    wire: Any
    convert: Converter | None


def parse(name: str, text: str) -> Declared:
    """The column `name` of the declared type `text`. Raise SettingsError, naming what there is, for any other text."""
    match = _DECLARATION.fullmatch(text.lower())
    if match is None:
        raise _refused(name, text)
    word, first, second, sent_as = match.groups()
    if word == "decimal" and sent_as == "variable" and first is None:
        return Declared(Column(name, Kind.DECIMAL), dict[str, Any], values.variable_decimal)
    if word == "decimal" and sent_as != "variable":
        return _decimal(name, text, first, second, bool(sent_as))
    if word in _UNITS and not sent_as and second is None:
        kind, of_text = _UNITS[word]
        scaled = _SCALES[word].get(first or "")
        if scaled is None:
            raise _refused(name, text)
        semantic = "nanos" if first == "ns" else ""
        return Declared(Column(name, kind, semantic=semantic), INT64 | str, _either(scaled, of_text))
    if word not in _SIMPLE or first or sent_as:
        raise _refused(name, text)
    kind, wire, convert, semantic = _SIMPLE[word]
    return Declared(Column(name, kind, semantic=semantic), wire, convert)


def json_text(raw: Any) -> str | None:
    """A nested value as its JSON text; `raw` is its bytes, unread."""
    text = bytes(raw)
    if text == b"null":
        return None
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"no UTF-8 text: {error.reason}") from None


def _decimal(name: str, text: str, first: str | None, second: str | None, base64: bool) -> Declared:
    if first is not None and not (first.isdecimal() and 0 < int(first) <= _MAX_DIGITS):
        raise _refused(name, text)
    precision = int(first) if first else None
    scale = int(second or 0) if first else None
    column = Column(name, Kind.DECIMAL, precision=precision, scale=scale)
    if not base64:
        return Declared(column, Decimal, _finite)
    if scale is None or precision is None or scale > precision:
        raise _refused(name, text)
    return Declared(column, bytes, lambda raw: values.decimal_of_bytes(raw, scale))


def _finite(value: Decimal) -> Decimal:
    if not value.is_finite():
        raise DecodeError(f"a decimal can't be {value}")
    return value


def _either(of_number: Callable[[int], int], of_text: Callable[[str], int]) -> Converter:
    def convert(value: int | str) -> int:
        return of_text(value) if isinstance(value, str) else of_number(value)

    return convert


def _refused(name: str, text: str) -> SettingsError:
    decimals = ("decimal(P,S)", "decimal(P,S) base64", "decimal variable")
    known = ", ".join([*_SIMPLE, *_UNITS, *decimals, "time(ms)", "timestamp(ms)"])
    return SettingsError(f"column {name}: {text!r} is no type that can be declared; known are {known}")


_SIMPLE: Mapping[str, tuple[Kind, Any, Converter | None, str]] = {
    "bool": (Kind.BOOL, bool, None, ""),
    "int8": (Kind.INT8, WIRE[Base.INT8], None, ""),
    "int16": (Kind.INT16, WIRE[Base.INT16], None, ""),
    "int32": (Kind.INT32, WIRE[Base.INT32], None, ""),
    "int64": (Kind.INT64, INT64, None, ""),
    "float32": (Kind.FLOAT32, float | str, values.float32, ""),
    "float64": (Kind.FLOAT64, float | str, values.float_of_text, ""),
    "string": (Kind.STRING, str, None, ""),
    "bytes": (Kind.BYTES, bytes, None, ""),
    "uuid": (Kind.STRING, str, None, "uuid"),
    "json": (Kind.STRING, str, None, "json"),
    "array": (Kind.STRING, msgspec.Raw, json_text, "array"),
}
_UNITS: Mapping[str, tuple[Kind, Callable[[str], int]]] = {
    "date": (Kind.DATE, values.day_of_text),
    "time": (Kind.TIME, values.time_of_text),
    "timestamp": (Kind.TIMESTAMP, values.local_timestamp),
}
#: What a number means by the unit in parentheses; microseconds are what Debezium sends by default.
_SCALES: Mapping[str, Mapping[str, Callable[[int], int]]] = {
    "date": {"": values.day, "d": values.day},
    "time": {
        "": values.integer,
        "us": values.integer,
        "ms": values.micros_of_millis,
        "ns": values.micros_of_nanos,
    },
    "timestamp": {
        "": values.micros,
        "us": values.micros,
        "ms": values.micros_of_millis,
        "ns": values.micros_of_nanos,
    },
}

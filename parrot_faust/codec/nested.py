"""Arrays, maps and structs as JSON text, the same text from Avro and from JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import msgspec

from parrot_faust.codec import values
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.errors import DecodeError

_encode = msgspec.json.Encoder().encode

_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_VARIABLE = "io.debezium.data.VariableScaleDecimal"


def text_maker(shape: Shape) -> Callable[[Any], str]:
    """Return what turns a value of `shape` into compact JSON text.

    Decimals are text in it, bytes base64, floats that JSON can't say are their names, all others the raw values.
    """
    plain = _plain(shape)

    def make(value: Any) -> str:
        return _encode(plain(value)).decode()

    return make


def _plain(shape: Shape) -> Callable[[Any], Any]:
    """The way from a raw value to one that JSON can say; raw bytes may already be base64 text."""
    if shape.name == _VARIABLE:
        return _nullable(lambda value: f"{values.variable_decimal(value):f}")
    if shape.name == _DECIMAL and shape.base is Base.BYTES:
        scale = shape.scale or 0
        return _nullable(lambda value: f"{values.decimal_of_bytes(_bytes(value), scale):f}")
    if shape.base is Base.BYTES:
        return _nullable(lambda value: b64encode(_bytes(value)).decode())
    if shape.base is Base.FLOAT:
        return _nullable(_single)
    if shape.base is Base.DOUBLE:
        return _nullable(_float)
    if shape.base is Base.ARRAY and shape.items is not None:
        return _array(_plain(shape.items))
    if shape.base is Base.MAP and shape.items is not None:
        return _map(_plain(shape.items))
    if shape.base is Base.STRUCT:
        return _struct({name: _plain(field) for name, field in shape.fields})
    if shape.base is Base.UNION:
        return _loose
    return lambda value: value


def _nullable(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else make(value)


def _array(item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def make(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, list):
            raise DecodeError(f"an array was expected, not {type(value).__name__}")
        return [item(each) for each in value]

    return make


def _map(item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def make(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, list):  # Connect writes a map whose keys are no strings as a list of pairs
            return [_loose(pair) for pair in value]
        if not isinstance(value, dict):
            raise DecodeError(f"a map was expected, not {type(value).__name__}")
        return {key: item(each) for key, each in value.items()}

    return make


def _struct(fields: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def make(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict):
            raise DecodeError(f"a struct was expected, not {type(value).__name__}")
        return {name: field(value.get(name)) for name, field in fields.items()}

    return make


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return values.unbase64(value)
    if not isinstance(value, bytes):
        raise DecodeError(f"bytes were expected, not {type(value).__name__}")
    return value


def _float(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def _single(value: Any) -> Any:
    """Avro carries four bytes and JSON the digits that Java shortened: both become the shortest digits."""
    return _float(values.shortest_float32(values.float32(value)))


def _loose(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, list):
        return [_loose(each) for each in value]
    if isinstance(value, dict):
        return {key: _loose(each) for key, each in value.items()}
    return _float(value)

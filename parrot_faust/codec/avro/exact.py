"""Avro read step by step, with every bound checked: what the generated reader is measured against, and what names the
field when something is wrong."""

from __future__ import annotations

import struct
from typing import Any

from parrot_faust.codec.shape import INTEGER_BITS, Base, Shape
from parrot_faust.errors import DecodeError

# 64 bits take at most ten groups of seven.
_LONGEST = 10


def varint(data: bytes, at: int, path: str, bits: int = 64) -> tuple[int, int]:
    """Return a zigzag integer of at most `bits` bits, and where it ends."""
    number = shift = 0
    for position in range(at, at + _LONGEST):
        if position >= len(data):
            raise DecodeError(f"{path}: the Avro record ends within a number")
        byte = data[position]
        number |= (byte & 127) << shift
        if byte < 128:
            value = (number >> 1) ^ -(number & 1)
            if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
                raise DecodeError(f"{path}: {value} does not fit {bits} bits")
            return value, position + 1
        shift += 7
    raise DecodeError(f"{path}: a number longer than {_LONGEST} bytes")


def read(shape: Shape, data: bytes, at: int, path: str) -> tuple[Any, int]:
    """Return the raw value at position `at` and where it ends. Raise DecodeError that begins with the field's path.

    Structs and maps are dicts, arrays lists, enumerations their symbol, decimals their bytes.
    """
    if shape.optional:
        tag, at = varint(data, at, path)
        if tag == shape.null_tag:
            return None, at
        if tag != 1 - shape.null_tag:
            raise DecodeError(f"{path}: branch {tag} of a union of two")
    return _READERS[shape.base](shape, data, at, path)


def _raw(data: bytes, at: int, size: int, path: str) -> tuple[bytes, int]:
    if size < 0:
        raise DecodeError(f"{path}: a length of {size} bytes")
    end = at + size
    if end > len(data):
        raise DecodeError(f"{path}: the Avro record ends {end - len(data)} bytes too early")
    return data[at:end], end


def _integer(shape: Shape, data: bytes, at: int, path: str) -> tuple[int, int]:
    return varint(data, at, path, INTEGER_BITS[shape.base])


def _boolean(_shape: Shape, data: bytes, at: int, path: str) -> tuple[bool, int]:
    raw, at = _raw(data, at, 1, path)
    if raw[0] > 1:
        raise DecodeError(f"{path}: a boolean of {raw[0]}")
    return raw[0] == 1, at


def _float(_shape: Shape, data: bytes, at: int, path: str) -> tuple[float, int]:
    raw, at = _raw(data, at, 4, path)
    return struct.unpack("<f", raw)[0], at


def _double(_shape: Shape, data: bytes, at: int, path: str) -> tuple[float, int]:
    raw, at = _raw(data, at, 8, path)
    return struct.unpack("<d", raw)[0], at


def _bytes(shape: Shape, data: bytes, at: int, path: str) -> tuple[bytes, int]:
    size = shape.size
    if size < 0:
        size, at = varint(data, at, path)
    return _raw(data, at, size, path)


def _string(shape: Shape, data: bytes, at: int, path: str) -> tuple[str, int]:
    if shape.symbols:
        index, at = varint(data, at, path, 32)
        if not 0 <= index < len(shape.symbols):
            raise DecodeError(f"{path}: symbol {index} of an enumeration of {len(shape.symbols)}")
        return shape.symbols[index], at
    size, at = varint(data, at, path)
    raw, at = _raw(data, at, size, path)
    try:
        return raw.decode(), at
    except UnicodeDecodeError as error:
        raise DecodeError(f"{path}: no UTF-8 text: {error.reason} at byte {error.start}") from None


def _count(data: bytes, at: int, path: str) -> tuple[int, int]:
    """The number of items in the next block of an array or map."""
    count, at = varint(data, at, path)
    if count < 0:
        count = -count
        _, at = varint(data, at, path)  # the block's size in bytes, for readers that skip
    if count > len(data) - at:  # every item takes a byte at least
        raise DecodeError(f"{path}: {count} items in {len(data) - at} bytes")
    return count, at


def _array(shape: Shape, data: bytes, at: int, path: str) -> tuple[list[Any], int]:
    assert shape.items is not None
    items: list[Any] = []
    while True:
        count, at = _count(data, at, path)
        if not count:
            return items, at
        for _ in range(count):
            item, at = read(shape.items, data, at, path)
            items.append(item)


def _map(shape: Shape, data: bytes, at: int, path: str) -> tuple[dict[str, Any], int]:
    assert shape.items is not None
    entries: dict[str, Any] = {}
    while True:
        count, at = _count(data, at, path)
        if not count:
            return entries, at
        for _ in range(count):
            key, at = _string(_KEY, data, at, path)
            entries[key], at = read(shape.items, data, at, path)


def _struct(shape: Shape, data: bytes, at: int, path: str) -> tuple[dict[str, Any], int]:
    value = {}
    for name, field in shape.fields:
        value[name], at = read(field, data, at, f"{path}.{name}" if path else name)
    return value, at


def _union(shape: Shape, data: bytes, at: int, path: str) -> tuple[Any, int]:
    tag, at = varint(data, at, path)
    if not 0 <= tag < len(shape.branches):
        raise DecodeError(f"{path}: branch {tag} of a union of {len(shape.branches)}")
    return read(shape.branches[tag], data, at, path)


def _null(_shape: Shape, _data: bytes, at: int, _path: str) -> tuple[None, int]:
    return None, at


_KEY = Shape(Base.STRING)
_READERS = {
    Base.BOOLEAN: _boolean,
    Base.INT8: _integer,
    Base.INT16: _integer,
    Base.INT32: _integer,
    Base.INT64: _integer,
    Base.FLOAT: _float,
    Base.DOUBLE: _double,
    Base.STRING: _string,
    Base.BYTES: _bytes,
    Base.ARRAY: _array,
    Base.MAP: _map,
    Base.STRUCT: _struct,
    Base.UNION: _union,
    Base.NULL: _null,
}

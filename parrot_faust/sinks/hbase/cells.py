"""How values lie in HBase. Pure, and documented here for readers of the tables.

A cell is named by its column and holds

=================  ==========================================================================
INT8 to INT64      big-endian two's complement of that width (1, 2, 4, 8 bytes)
FLOAT32, FLOAT64   big-endian IEEE 754 (4, 8 bytes)
BOOL               one byte, 0 or 1
STRING             UTF-8
BYTES              as they are
DECIMAL            plain decimal notation as text, without an exponent
DATE               days since 1970-01-01, 4 bytes big-endian
TIME, TIMESTAMP    microseconds since midnight, or since 1970-01-01T00:00:00Z, 8 bytes big-endian
=================  ==========================================================================

A null has no cell. Key columns have cells too, so that every row has one. The row key is the key columns' text in key
order, joined with ``|``; a ``|`` or a backslash within a value is preceded by a backslash. Keys sort as text does.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from models import Column, Kind

ROW_KEY_LIMIT = 32_767  # HBase's own: a row key's length is two bytes
CELL_LIMIT = 10 << 20  # hbase.client.keyvalue.maxsize as it comes

_PACKED = {
    Kind.INT8: ">b",
    Kind.INT16: ">h",
    Kind.INT32: ">i",
    Kind.INT64: ">q",
    Kind.FLOAT32: ">f",
    Kind.FLOAT64: ">d",
    Kind.BOOL: ">?",
    Kind.DATE: ">i",
    Kind.TIME: ">q",
    Kind.TIMESTAMP: ">q",
}

Encode = Callable[[Any], bytes]


def plain(text: str) -> str:
    """A decimal's text without an exponent; what is no finite number stays as it is."""
    if "E" not in text and "e" not in text:
        return text
    number = Decimal(text)
    return format(number, "f") if number.is_finite() else text


def encoder(column: Column) -> Encode:
    """The function that makes a value of this column the bytes of its cell; it raises when the value does not fit."""
    if column.kind in _PACKED:
        return struct.Struct(_PACKED[column.kind]).pack
    if column.kind is Kind.STRING:
        return lambda value: value.encode()
    if column.kind is Kind.DECIMAL:
        return lambda value: plain(str(value)).encode()
    return bytes


def decoder(column: Column) -> Callable[[bytes], Any]:
    """The function that makes a cell's bytes the value again, DECIMAL as text."""
    if column.kind in _PACKED:
        unpack = struct.Struct(_PACKED[column.kind]).unpack
        return lambda data: unpack(data)[0]
    if column.kind in (Kind.STRING, Kind.DECIMAL):
        return lambda data: data.decode()
    return bytes


def row_key(values: Sequence[Any]) -> bytes:
    """The row key of a key's values, in key order."""
    return "|".join([_text(value) for value in values]).encode()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    text = "true" if value is True else "false" if value is False else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|") if "|" in text or "\\" in text else text

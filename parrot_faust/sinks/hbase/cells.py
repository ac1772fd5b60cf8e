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

A null has no cell. Key columns have cells too, so that every row has one.

The row key is the key columns' text in key order, joined with ``|``: numbers in decimal (dates and times as the numbers
above), bytes in hexadecimal, booleans as true and false. A ``|`` or a backslash within a value is preceded by a
backslash, so that no two keys are written alike; a key that is one empty text, which HBase has no row for, is ``\\e``.
Row keys sort as their bytes do: a key of one text without ``|`` and backslash in the order of its code points, bytes in
their own order, numbers not by value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from models import Column, Kind

#: HBase's own limit is 32,767, of which looking for a row's region takes the table's name and 16 bytes more.
ROW_KEY_LIMIT = 32_767
REGION_NAME = 16
CELL_LIMIT = 10 << 20  # hbase.client.keyvalue.maxsize as it comes, of everything that a cell is stored with
CELL_OVERHEAD = 24  # lengths, timestamp, type and sequence number; the row key, family and column come on top
EMPTY_KEY = b"\\e"
EXACT_FLOAT = 2**53  # integers up to here are floats without loss

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

#: The one type that a kind's values have.
TYPES: dict[Kind, type] = {
    Kind.FLOAT32: float,
    Kind.FLOAT64: float,
    Kind.BOOL: bool,
    Kind.STRING: str,
    Kind.DECIMAL: str,
    Kind.BYTES: bytes,
}

Encode = Callable[[Any], bytes]


def plain(text: str) -> str:
    """A decimal's text without an exponent; what is no finite number stays as it is. Raise ValueError when it would be
    longer than a cell.
    """
    if "E" not in text and "e" not in text:
        return text
    number = Decimal(text)
    if not number.is_finite():
        return text
    if abs(number.adjusted()) >= CELL_LIMIT:
        raise ValueError(f"{text[:50]} has more digits than a cell holds")
    return format(number, "f")


def encoder(column: Column) -> Encode:
    """The function that makes a value of this column the bytes of its cell; it raises when the value does not fit.

    It is given values of the kind's own type only, see `TYPES`: what merely converts to it is refused before.
    """
    if column.kind in _PACKED:
        return struct.Struct(_PACKED[column.kind]).pack
    if column.kind is Kind.STRING:
        return str.encode
    if column.kind is Kind.DECIMAL:
        return lambda value: plain(value).encode()
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
    return "|".join([_text(value) for value in values]).encode() or EMPTY_KEY


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    text = "true" if value is True else "false" if value is False else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|") if "|" in text or "\\" in text else text

"""Row keys of HBase: text for people, or bytes that sort as the values do. Pure, and documented here for readers.

``text`` is `cells.row_key`. ``binary`` is the key columns one after the other, as `FORMS` says: the bytes of each
compare as its values do, and none begins with another one.

A salted key has a number before it, that of the part it falls into: the CRC-32 of the key modulo the number of parts,
one byte before a binary key, two hexadecimal digits and ``|`` before a text.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from models import Column, Kind
from parrot_faust.sinks.hbase.cells import row_key

#: What a key column becomes in a binary row key, for readers.
FORMS = (
    ("INT8 to INT64", "big-endian in 1, 2, 4, 8 bytes with the sign bit turned over: -1 is before 0"),
    ("DATE, TIME, TIMESTAMP", "as the integers that they are: 4, 8, 8 bytes"),
    ("BOOL", "one byte, 0 or 1"),
    (
        "FLOAT32, FLOAT64",
        "big-endian IEEE 754; of a negative number all bits turned over, of others the sign bit. -0.0 is before 0.0, "
        "and every NaN is one, after infinity",
    ),
    ("STRING", "UTF-8, so in the order of code points; a zero byte is `00 01`, and `00 00` ends it"),
    ("BYTES", "as STRING"),
    (
        "DECIMAL",
        "by value, whatever its scale. `02` is 0. A positive number is `03`, then E as a 4-byte integer with the sign "
        "bit turned over, where the number is 0.d1d2d3... times 10^E and d1 is not 0; then two digits a byte, each "
        "byte plus 1; then `00`. A negative number is `01` and, with all bits turned over, what follows the `03` of "
        "its opposite",
    ),
)
#: kind -> the packed form and the bit that makes it sort
_INTEGERS = {
    Kind.INT8: (">B", 1 << 7),
    Kind.INT16: (">H", 1 << 15),
    Kind.INT32: (">I", 1 << 31),
    Kind.INT64: (">Q", 1 << 63),
    Kind.DATE: (">I", 1 << 31),
    Kind.TIME: (">Q", 1 << 63),
    Kind.TIMESTAMP: (">Q", 1 << 63),
}
_FLOATS = {Kind.FLOAT32: (">f", ">I", 1 << 31), Kind.FLOAT64: (">d", ">Q", 1 << 63)}
_TURN = bytes.maketrans(bytes(range(256)), bytes(range(255, -1, -1)))
END = b"\0\0"

Part = Callable[[Any], bytes]


def binary_key(columns: Sequence[Column]) -> Callable[[Sequence[Any]], bytes]:
    """What makes the values of these key columns, in key order, a row key that sorts as they do."""
    parts = [_part(column.kind) for column in columns]
    return lambda values: b"".join([part(value) for part, value in zip(parts, values, strict=True)])


def salted(key: bytes, parts: int, *, binary: bool) -> bytes:
    """The key with the number of its part before it, where there are several."""
    if parts <= 1:
        return key
    number = zlib.crc32(key) % parts
    return bytes([number]) + key if binary else b"%02x|%s" % (number, key)


def cuts(parts: int, *, binary: bool) -> list[bytes]:
    """The row keys at which a salted table is cut."""
    return [bytes([number]) if binary else b"%02x" % number for number in range(1, parts)]


def maker(columns: Sequence[Column], form: str, parts: int) -> Callable[[Sequence[Any]], bytes]:
    """What makes the values of key columns a row key, decimals as their text."""
    binary = form == "binary"
    made = binary_key(columns) if binary else row_key
    if parts <= 1:
        return made
    return lambda values: salted(made(values), parts, binary=binary)


def _part(kind: Kind) -> Part:
    if kind in _INTEGERS:
        return _integer(*_INTEGERS[kind])
    if kind in _FLOATS:
        return _float(*_FLOATS[kind])
    return _OTHERS[kind]


def _integer(form: str, bit: int) -> Part:
    pack = struct.Struct(form).pack
    return lambda value: pack(value + bit)


def _float(form: str, whole: str, bit: int) -> Part:
    def part(value: float) -> bytes:
        if value != value:
            value = float("nan")  # one of the many there are
        (bits,) = struct.unpack(whole, struct.pack(form, value))
        return struct.pack(whole, bits ^ (2 * bit - 1) if bits & bit else bits | bit)

    return part


def _bool(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _bytes(value: bytes) -> bytes:
    return (value.replace(b"\0", b"\0\1") if b"\0" in value else value) + END


def decimal(text: str) -> bytes:
    """A decimal's text as bytes that sort by its value. Raise ValueError for what is no finite number."""
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(f"{text} has no place in the order of numbers")
    sign, digits, exponent = number.as_tuple()
    if not any(digits):
        return b"\x02"
    whole = "".join(map(str, digits)).lstrip("0")
    point = len(whole) + int(exponent)
    whole = whole.rstrip("0")
    whole += "0" * (len(whole) % 2)
    pairs = bytes(int(whole[at : at + 2]) + 1 for at in range(0, len(whole), 2))
    rest = struct.pack(">I", point + (1 << 31)) + pairs + b"\0"
    return b"\x01" + rest.translate(_TURN) if sign else b"\x03" + rest


_OTHERS: dict[Kind, Part] = {Kind.BOOL: _bool, Kind.STRING: _text, Kind.BYTES: _bytes, Kind.DECIMAL: decimal}

"""HBase's binary and salted row keys, for reading. Pure, and written from `docs/autocreation.md` alone.

A key becomes bytes and bytes become a key; bytes that stand for no key become one of a single `Malformed`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from parrot_faust.verify.stored import Logical, Malformed, row_key, row_key_column

_WIDTHS = {
    Logical.INT16: 2,
    Logical.INT32: 4,
    Logical.INT64: 8,
    Logical.DATE: 4,
    Logical.TIME: 8,
    Logical.MOMENT: 8,
}
_EXPONENT = 1 << 31
Key = tuple[Any, ...]


class RowKeys:
    """The row keys of a table: `types` and `scales` (None where none is declared) are those of its key columns."""

    def __init__(self, types: Sequence[Logical], scales: Sequence[int | None], form: str, salt: int) -> None:
        self._types, self._scales, self._salt = tuple(types), tuple(scales), salt
        self._binary = form == "binary"
        self._texts = row_key_column(types)

    def written(self, key: Key) -> bytes:
        """The row key of a key, also of one that a row key of another form was made into."""
        if isinstance(key[0], tuple | Malformed):
            return bytes.fromhex(str(key[0][-1] if isinstance(key[0], tuple) else key[0].shown).rpartition(" ")[2])
        data = b"".join(map(_bytes_of, self._types, key)) if self._binary else row_key(key)
        if self._salt <= 1:
            return data
        part = zlib.crc32(data) % self._salt
        return bytes([part]) + data if self._binary else f"{part:02x}|".encode() + data

    def read(self, keys: Sequence[bytes]) -> Sequence[Key]:
        """The keys of row keys."""
        if self._salt <= 1 and not self._binary:
            return self._texts(keys)
        return [self._one(key) for key in keys]

    def _one(self, data: bytes) -> Key:
        skipped = 0 if self._salt <= 1 else 1 if self._binary else 3
        key: Key | None
        try:
            key = self._values(data[skipped:]) if self._binary else self._texts([data[skipped:]])[0]
            # Written back it must be the same bytes: another part, or another spelling, is no key of the table.
            if not isinstance(key[0], Malformed) and self.written(key) == data:
                return key
        except (ValueError, IndexError, ArithmeticError):
            pass
        return (Malformed(f"row key in hexadecimal {data.hex()}"),)

    def _values(self, data: bytes) -> Key:
        values = []
        for logical, scale in zip(self._types, self._scales, strict=True):
            value, data = _taken(logical, scale, data)
            values.append(value)
        if data:
            raise ValueError("more than a key")
        return tuple(values)


def _taken(logical: Logical, scale: int | None, data: bytes) -> tuple[Any, bytes]:
    """The first value in the data, and what is left."""
    if width := _WIDTHS.get(logical):
        if len(data) < width:
            raise ValueError("too short")
        return int.from_bytes(data[:width], "big") - (1 << (8 * width - 1)), data[width:]
    if logical is Logical.BOOL:
        return {0: False, 1: True}[data[0]] if data[0] < 2 else Malformed("bool"), data[1:]
    if logical is Logical.DECIMAL:
        return _decimal(data, scale)
    raw, data = _ended(data)
    return (raw if logical is Logical.BYTES else raw.decode()), data


def _ended(data: bytes) -> tuple[bytes, bytes]:
    """Bytes up to 00 00, in which 00 01 is a zero byte."""
    end = data.index(b"\0")
    found = data[:end]
    while data[end + 1] == 1:
        begin = end + 2
        end = data.index(b"\0", begin)
        found += b"\0" + data[begin:end]
    if data[end + 1] != 0:
        raise ValueError("no end")
    return found, data[end + 2 :]


def _decimal(data: bytes, scale: int | None) -> tuple[str, bytes]:
    if data[0] == 2:
        return _plain(Decimal(0), scale), data[1:]
    negative = {1: True, 3: False}.get(data[0])
    if negative is None:
        raise ValueError("no decimal")
    body = bytes(255 - byte for byte in data[1:]) if negative else data[1:]
    end = body.index(b"\0", 4)
    digits = "".join(f"{byte - 1:02d}" for byte in body[4:end])
    point = int.from_bytes(body[:4], "big") - _EXPONENT
    number = Decimal((int(negative), tuple(map(int, digits)), point - len(digits)))
    return _plain(number, scale), data[1 + end + 1 :]


def _plain(number: Decimal, scale: int | None) -> str:
    """Plain notation, with the declared scale or without zeros at the end."""
    text = format(number, "f")
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    if scale is not None:
        part = part.ljust(scale, "0")
    return f"{whole}.{part}" if part else whole


def _bytes_of(logical: Logical, value: Any) -> bytes:
    if width := _WIDTHS.get(logical):
        return int(value + (1 << (8 * width - 1))).to_bytes(width, "big")
    if logical is Logical.BOOL:
        return bytes([value])
    if logical is Logical.DECIMAL:
        return _decimal_bytes(Decimal(value))
    data = value if isinstance(value, bytes) else value.encode()
    return data.replace(b"\0", b"\0\1") + b"\0\0"


def _decimal_bytes(number: Decimal) -> bytes:
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    if not text:
        return b"\2"
    point = len(text) + int(exponent)
    text = text.rstrip("0")
    text += "0" * (len(text) % 2)
    body = (point + _EXPONENT).to_bytes(4, "big")
    body += bytes(int(text[at : at + 2]) + 1 for at in range(0, len(text), 2)) + b"\0"
    return b"\1" + bytes(255 - byte for byte in body) if sign else b"\3" + body


def of_plan(key: Sequence[Any], form: str, salt: int) -> RowKeys:
    """The row keys of a table whose key columns these are."""
    return RowKeys([column.logical for column in key], [column.scale for column in key], form, salt)

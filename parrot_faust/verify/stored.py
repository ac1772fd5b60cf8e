"""How each logical type lies in HBase, and in Kudu where its client gives something else. Pure.

This is the reading half of `docs/stored-types.md`, written from that table alone: it shares no line with the writers,
so that a mistake of theirs is not made here again. What a store holds in another form than the table says becomes
`Malformed`, which is equal to nothing a source has.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import msgspec

#: A column of many rows.
Values = Sequence[Any]
Column = Callable[[Values], Values]


class Logical(StrEnum):
    """What a column holds, and the value that stands for it when stores are compared.

    BOOL: bool. INT*: int. FLOAT*: float, every NaN the same, -0.0 other than 0.0. DECIMAL: text in plain notation, with
    its scale. TEXT: str. BYTES: bytes. DATE: days since 1970-01-01. TIME, MOMENT: microseconds since midnight, since
    1970-01-01T00:00:00Z. ARRAY: its elements as compact JSON text.
    """

    BOOL = "bool"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    TEXT = "text"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    MOMENT = "moment"
    ARRAY = "array"


class Malformed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Bytes or a value that the documented form does not allow; `shown` is for people. Never equal to a value."""

    shown: str

    def __str__(self) -> str:
        return f"malformed: {self.shown}"


class Earlier(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Stands for a value that a store has only in a column of an earlier type: the row was not written since the type
    changed. Never equal to a value.
    """

    column: str

    def __str__(self) -> str:
        return f"{EARLIER}{self.column}"


EARLIER = "in the older column "
NAN = float("nan")

_NUMBERS = {
    Logical.INT16: ("h", 2),
    Logical.INT32: ("i", 4),
    Logical.INT64: ("q", 8),
    Logical.FLOAT32: ("f", 4),
    Logical.FLOAT64: ("d", 8),
    Logical.DATE: ("i", 4),
    Logical.TIME: ("q", 8),
    Logical.MOMENT: ("q", 8),
}


def hbase_column(logical: Logical, element: Logical | None = None, *, scaled: bool = True) -> Column:
    """What turns the cells of a column, None where there is none, into values. `scaled` says that a decimal's scale is
    declared.
    """
    if logical is Logical.DECIMAL and not scaled:
        return each(lambda cell: without_zeros(text) if isinstance(text := _decimal(cell), str) else text)
    if logical in _NUMBERS:
        return _numbers(*_NUMBERS[logical], floats=logical in (Logical.FLOAT32, Logical.FLOAT64))
    if logical is Logical.ARRAY:
        texts, arrays = each(_text), each(array_reader(element))
        return lambda cells: arrays(texts(cells))
    return each(_CELLS[logical])


def kudu_column(logical: Logical, element: Logical | None = None, *, scaled: bool = True) -> Column | None:
    """What turns values from Kudu's client (moments, days and decimals as the reader asks for them) into values here.
    `scaled` says that a decimal's scale is declared.
    """
    if logical is Logical.DECIMAL and not scaled:
        return each(lambda text: without_zeros(_plain(text)))
    if logical in (Logical.FLOAT32, Logical.FLOAT64):
        return each(_one_nan)
    if logical is Logical.ARRAY:
        return each(array_reader(element))
    if logical is Logical.DECIMAL:
        return each(_plain)
    return None


def each(convert: Callable[[Any], Any]) -> Column:
    """`convert` for every value that is there."""
    return lambda values: [None if value is None else convert(value) for value in values]


def _numbers(code: str, width: int, *, floats: bool) -> Column:
    one = struct.Struct(f">{code}").unpack

    def slow(cells: Values) -> Values:
        return [
            None
            if cell is None
            else one(cell)[0]
            if len(cell) == width
            else Malformed(f"{len(cell)} bytes {cell[:16].hex()}")
            for cell in cells
        ]

    def convert(cells: Values) -> Values:
        try:
            joined = b"".join(cells)
        except TypeError:
            values = slow(cells)
        else:
            # All at once where every cell has its width, which the sum of lengths alone does not say.
            same = len(joined) == width * len(cells) and set(map(len, cells)) <= {width}
            values = struct.unpack(f">{len(cells)}{code}", joined) if same else slow(cells)
        if floats:
            return [NAN if value != value else value for value in values]
        return values

    return convert


def _one_nan(value: float) -> float:
    return NAN if value != value else value


def _text(cell: bytes) -> str | Malformed:
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return Malformed(f"no UTF-8: {cell[:32].hex()}")


def _bool(cell: bytes) -> bool | Malformed:
    return True if cell == b"\x01" else False if cell == b"\x00" else Malformed(f"{len(cell)} bytes {cell[:16].hex()}")


def _decimal(cell: bytes) -> str | Malformed:
    text = _text(cell)
    if isinstance(text, str) and ("E" in text or "e" in text):
        return Malformed(text[:50])  # HBase's are plain
    return text


def without_zeros(text: str) -> str:
    """A decimal's plain text without zeros at the end after the point: a connector leaves them out where no scale is
    declared.
    """
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(text: str) -> str:
    """A decimal's text without an exponent, its digits as they are."""
    if "E" not in text:
        return text
    try:
        return format(Decimal(text), "f")
    except InvalidOperation:
        return text


_CELLS: dict[Logical, Callable[[bytes], Any]] = {
    Logical.BOOL: _bool,
    Logical.TEXT: _text,
    Logical.BYTES: bytes,
    Logical.DECIMAL: _decimal,
}


# -- arrays ----------------------------------------------------------------------------------------------------------

_WORDS = {"NaN": NAN, "Infinity": float("inf"), "-Infinity": float("-inf")}
_encode = msgspec.json.Encoder().encode


def array_text(elements: Sequence[Any], element: Logical | None) -> str:
    """An array as compact JSON text: floats that JSON has no number for are words."""
    if element in (Logical.FLOAT32, Logical.FLOAT64):
        elements = [_float_word(value) for value in elements]
    elif element is Logical.DECIMAL:
        elements = [without_zeros(value) if isinstance(value, str) else value for value in elements]
    return _encode(elements).decode()


def array_reader(element: Logical | None) -> Callable[[Any], Any]:
    """What turns a stored array's JSON text into the same text for the same elements."""
    expected: tuple[type, ...] = _ELEMENT_TYPES.get(element or Logical.TEXT, (str,))

    def read(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        try:
            found = msgspec.json.decode(text, type=list)
        except msgspec.MsgspecError:
            return Malformed(text[:50])
        if any(value is not None and type(value) not in expected for value in found):
            return Malformed(text[:50])
        if float in expected:
            found = [_WORDS.get(value, value) if isinstance(value, str) else value for value in found]
            found = [float(value) if type(value) is int else value for value in found]
        return array_text(found, element)

    return read


_ELEMENT_TYPES: dict[Logical, tuple[type, ...]] = {
    Logical.BOOL: (bool,),
    Logical.INT16: (int,),
    Logical.INT32: (int,),
    Logical.INT64: (int,),
    Logical.FLOAT32: (float, int, str),
    Logical.FLOAT64: (float, int, str),
    Logical.DECIMAL: (str,),
    Logical.TEXT: (str,),
    Logical.DATE: (int,),
}


def _float_word(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


# -- HBase's row keys --------------------------------------------------------------------------------------------------

_EMPTY_KEY = b"\\e"
_INTEGERS = frozenset({Logical.INT16, Logical.INT32, Logical.INT64, Logical.DATE, Logical.TIME, Logical.MOMENT})
#: What a key may be made of here.
KEY_TYPES = _INTEGERS | {Logical.TEXT, Logical.BYTES, Logical.DECIMAL, Logical.BOOL}


def row_key(values: Sequence[Any]) -> bytes:
    """The row key of a key's values."""
    parts = []
    for value in values:
        if isinstance(value, bytes):
            parts.append(value.hex())
        elif isinstance(value, bool):
            parts.append("true" if value else "false")
        else:
            parts.append(str(value).replace("\\", "\\\\").replace("|", "\\|"))
    return "|".join(parts).encode() or _EMPTY_KEY


def row_key_column(types: Sequence[Logical]) -> Callable[[Sequence[bytes]], Sequence[tuple[Any, ...]]]:
    """What turns row keys into keys. A row key that stands for no key becomes a key of one `Malformed`."""
    if len(types) == 1 and types[0] in _INTEGERS:
        return _integer_keys

    def convert(keys: Sequence[bytes]) -> Sequence[tuple[Any, ...]]:
        return [_key(key, types) for key in keys]

    return convert


def _integer_keys(keys: Sequence[bytes]) -> Sequence[tuple[Any, ...]]:
    try:
        found = list(map(int, keys))
    except ValueError:
        found = []
    # "01" and "+1" are numbers too, but no row keys: written back, they must be the same bytes.
    if found and "|".join(map(str, found)).encode() == b"|".join(keys):
        return [(value,) for value in found]
    return [_key(key, (Logical.INT64,)) for key in keys]


def _key(key: bytes, types: Sequence[Logical]) -> tuple[Any, ...]:
    try:
        parts = _split(key.decode())
        if len(parts) == len(types):
            values = tuple(_part(part, kind) for part, kind in zip(parts, types, strict=True))
            if row_key(values) == key:
                return values
    except ValueError:  # UnicodeDecodeError is one
        pass
    return (Malformed(f"row key in hexadecimal {key.hex()}"),)


def _split(text: str) -> list[str]:
    if text == "\\e":
        return [""]
    parts, current, escaped = [], [], False
    for letter in text:
        if escaped:
            current.append(letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == "|":
            parts.append("".join(current))
            current = []
        else:
            current.append(letter)
    return [*parts, "".join(current)]


def _part(text: str, logical: Logical) -> Any:
    if logical in _INTEGERS:
        return int(text)
    if logical is Logical.BYTES:
        return bytes.fromhex(text)
    if logical is Logical.BOOL:
        return {"true": True, "false": False}.get(text, text)
    return text

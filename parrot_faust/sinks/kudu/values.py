"""A column's values, turned into what Kudu's client takes, or refused. Pure.

Every function takes the values of one column for a whole batch and raises `Misfit` when any does not fit: never is one
rounded, cut or wrapped round. Which row it was is found by giving the rows one by one, which only a bad batch pays for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from types import NoneType
from typing import Any

from parrot_faust.sinks.kudu.mapping import StoreColumn

MAX_CELL = 64 * 1024  # bytes, Kudu's --max_cell_size_bytes
#: Days since 1970 of the first and last date Kudu takes: 0001-01-01 and 9999-12-31.
FIRST_DATE, LAST_DATE = -719_162, 2_932_896
MAX_DIGITS = 1_000  # far beyond what Kudu holds: longer numbers are not worth multiplying out
SHOWN = 50  # characters of a number in a message
EXACT_FLOAT = 2**53  # integers up to here are floats without loss

Values = Sequence[Any]
Convert = Callable[[Values], Values]


class Misfit(ValueError):
    """A value does not fit its column; the text says which and why. It never leaves the sink."""


def converter(column: StoreColumn) -> Convert:
    """What turns values of a row into values for `column`."""
    return decimals(column.precision, column.scale) if column.type == "decimal" else CONVERT[column.type]


def integers(low: int, high: int) -> Convert:
    """Integers from `low` to `high`, and nothing that only converts to one."""

    def convert(values: Values) -> Values:
        present = _present(values, int)
        if present and (min(present) < low or max(present) > high):
            wrong = next(value for value in present if not low <= value <= high)
            raise Misfit(f"{wrong} is not within {low} and {high}")
        return values

    return convert


def booleans(values: Values) -> Values:
    """True and False only: Kudu's client takes 3 as well."""
    _present(values, bool)
    return values


def doubles(values: Values) -> Values:
    """Floats, and integers that are one without loss."""
    for value in _present(values, float, int):
        if type(value) is int and abs(value) > EXACT_FLOAT:
            raise Misfit(f"{value} is no floating-point number without loss")
    return values


def singles(values: Values) -> Values:
    """Floats within the range of 32 bits. Their last digits are those of 32 bits, as in the source."""
    present = doubles([value for value in values if value is not None])
    try:
        struct.pack(f"<{len(present)}f", *present)  # with native byte order it would not mind
    except OverflowError as error:
        raise Misfit("a number is beyond the range of 32 bits") from error
    return values


def texts(values: Values) -> Values:
    """UTF-8 of at most a cell's size."""
    try:
        if len(_present(values, str)) == len(values):
            encoded: Values = list(map(str.encode, values))
        else:
            encoded = [None if value is None else value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise Misfit(f"the text is not valid Unicode: {error.reason}") from error
    return blobs(encoded)


def blobs(values: Values) -> Values:
    """Bytes of at most a cell's size."""
    present = _present(values, bytes)
    if present and (size := max(map(len, present))) > MAX_CELL:
        raise Misfit(f"{size} bytes are more than the {MAX_CELL} that Kudu takes in a cell")
    return values


def decimals(precision: int, scale: int) -> Convert:
    """Decimals as text, turned into integers of the unit 10^-scale."""
    limit = 10**precision
    point = -scale - 1

    def unscaled(text: str) -> int:
        # Nearly every text has exactly `scale` digits after its point; the rest goes the long way.
        if scale and text[point : point + 1] == ".":
            try:
                return int(text[:point] + text[point + 1 :])
            except ValueError:
                return exact_unscaled(text, scale)
        return exact_unscaled(text, scale)

    def convert(values: Values) -> Values:
        present = _present(values, str)
        numbers = [None if value is None else unscaled(value) for value in values]
        if present and max(abs(number) for number in numbers if number is not None) >= limit:
            wrong = next(
                value for value, number in zip(values, numbers, strict=True) if number and abs(number) >= limit
            )
            raise Misfit(f"{shortened(wrong)} has more digits than decimal({precision},{scale}) holds")
        return numbers

    return convert


def decimal_texts(values: Values) -> Values:
    """Decimals that no decimal column of Kudu holds: their plain notation as text, without an exponent."""
    return texts([None if value is None else plain_decimal(value) for value in values])


def plain_decimal(text: str) -> str:
    """`text` without an exponent; what is no finite number stays as it is."""
    if "E" not in text and "e" not in text:
        return text
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Misfit(f"{shortened(text)} is no decimal number") from error
    if number.is_finite() and abs(number.adjusted()) > MAX_CELL:
        raise Misfit(f"{shortened(text)} has more digits than the {MAX_CELL} bytes that Kudu takes in a cell")
    return format(number, "f") if number.is_finite() else text


def shortened(text: str) -> str:
    """The beginning of a number that may have thousands of digits."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def exact_unscaled(text: str, scale: int) -> int:
    """`text` times 10^scale. Raise Misfit when that is no whole number, or `text` no finite number."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Misfit(f"{text[:50]!r} is no decimal number") from error
    sign, digits, exponent = number.as_tuple()
    if isinstance(exponent, str):
        raise Misfit(f"{shortened(text)} is a number that no decimal column of Kudu can hold")
    if len(digits) > MAX_DIGITS:
        raise Misfit(f"a number has {len(digits)} digits")
    unsigned = int("".join(map(str, digits)))
    shift = exponent + scale
    if unsigned == 0:
        return 0
    if shift > MAX_DIGITS:
        raise Misfit(f"{text[:50]} has more digits than Kudu holds")
    if shift < 0:
        # A number with fewer digits than must go is below the last place and can't come out whole.
        unsigned, rest = divmod(unsigned, 10**-shift) if -shift < len(digits) else (0, unsigned)
        if rest:
            raise Misfit(f"{text[:50]} has more than {scale} digits after the point")
    else:
        unsigned *= 10**shift
    return -unsigned if sign else unsigned


def decimal_text(unscaled: int, scale: int) -> str:
    """The inverse of `decimals`: plain digits, `scale` of them after the point."""
    digits = str(abs(unscaled)).zfill(scale + 1)
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else f"{sign}{digits}"


def _present(values: Values, *types: type) -> Values:
    """The values that are not None. Raise Misfit when one is of another type: a bool is no int here."""
    found = set(map(type, values))
    if NoneType in found:
        values = [value for value in values if value is not None]
        found.discard(NoneType)
    if wrong := found.difference(types):
        names = " or ".join(one.__name__ for one in types)
        raise Misfit(f"a value is of type {min(one.__name__ for one in wrong)} where {names} is expected")
    return values


#: Kudu's name of a type -> its converter
CONVERT: dict[str, Convert] = {
    "bool": booleans,
    "int8": integers(-(2**7), 2**7 - 1),
    "int16": integers(-(2**15), 2**15 - 1),
    "int32": integers(-(2**31), 2**31 - 1),
    "int64": integers(-(2**63), 2**63 - 1),
    "float": singles,
    "double": doubles,
    "string": texts,
    "binary": blobs,
    "date": integers(FIRST_DATE, LAST_DATE),
    "unixtime_micros": integers(-(2**63), 2**63 - 1),
}

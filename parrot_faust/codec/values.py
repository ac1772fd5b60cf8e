"""Connect's raw values made into the canonical values of `models.Kind`. Raise DecodeError, never round or cut."""

from __future__ import annotations

import math
import re
import struct
from binascii import Error as Base64Error
from binascii import a2b_base64
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any

from parrot_faust.errors import DecodeError

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

# Before these no database has a date or a moment: Julian day 0, 4714-11-24 BC. What is below was wrapped round.
FIRST_DAY, FIRST_US = -2_440_588, -2_440_588 * 86_400_000_000
# PostgreSQL's infinite dates, as it keeps them itself.
INFINITY_DAY, MINUS_INFINITY_DAY = 2**31 - 1, -(2**31)
# What Debezium makes of them when it reads a snapshot and when it follows the log, as 32 bits and, read from its ISO
# texts, as the days that it meant.
_DAYS_OF_INFINITIES = {
    -622_191_234: INFINITY_DAY,
    -2_147_472_692: INFINITY_DAY,
    106_751_991_166: INFINITY_DAY,
    -625_821_272: MINUS_INFINITY_DAY,
    -2_147_472_691: MINUS_INFINITY_DAY,
    106_748_361_128: MINUS_INFINITY_DAY,
}

# PostgreSQL's infinities as Debezium's microsecond timestamps carry them (the driver's values, which it means as
# milliseconds). A coarser timestamp or an ISO text that stands for them becomes these, so that they compare equal.
INFINITY_US, MINUS_INFINITY_US = 9223372036825200000, -9223372036832400000
_INFINITIES = {"infinity": INFINITY_US, "-infinity": MINUS_INFINITY_US}
# The years that those values make when they are read as milliseconds.
_INFINITE_YEAR = 290_000_000

# Precise enough for any NUMERIC of PostgreSQL (131,072 digits before the point, 16,383 after), so nothing is rounded.
EXACT = Context(prec=200_000)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Years outside 1..9999 are beyond datetime: they are counted by hand.
_ISO_DATE = re.compile(r"([+-]?\d{4,9})-(\d\d)-(\d\d)Z?")
_ISO = re.compile(
    r"([+-]?\d{4,9})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)"
)
_DAYS_OF_400_YEARS = 146_097
_SINGLE = struct.Struct("<f")
_FLOAT32_DIGITS = (6, 7, 8, 9)  # six are always kept by single precision, nine always suffice


def integer(value: int) -> int:
    """Return `value`, which must fit 64 bits."""
    if not INT64_MIN <= value <= INT64_MAX:
        raise DecodeError(f"{value} does not fit 64 bits")
    return value


def micros(value: int) -> int:
    """Microseconds since the epoch that no overflow has made.

    Debezium makes a moment beyond 64 bits the greatest number, or wraps it round if it has a fraction of a second.
    """
    if not FIRST_US <= value < INT64_MAX and value != MINUS_INFINITY_US:
        raise DecodeError(f"{value} us is in no calendar: it stands for a moment beyond 64 bits of microseconds")
    return value


def day(value: int) -> int:
    """Days since the epoch, PostgreSQL's infinities told from what Debezium makes of them."""
    if value in _DAYS_OF_INFINITIES:
        return _DAYS_OF_INFINITIES[value]
    if not FIRST_DAY <= value <= INFINITY_DAY and value != MINUS_INFINITY_DAY:
        raise DecodeError(f"day {value} is in no calendar: a date from {FIRST_DAY} days on was expected")
    return value


def micros_of_millis(value: int) -> int:
    """Milliseconds as microseconds."""
    micros = value * 1000
    if not INT64_MIN <= micros <= INT64_MAX:
        if value == INFINITY_US:
            return INFINITY_US
        if value == MINUS_INFINITY_US:
            return MINUS_INFINITY_US
        raise DecodeError(f"{value} ms is beyond what 64 bits of microseconds hold")
    return micros


def micros_of_nanos(value: int) -> int:
    """Nanoseconds as microseconds, the rest cut towards the past: no store has room for it."""
    return value // 1000


def decimal_of_bytes(unscaled: bytes, scale: int) -> Decimal:
    """The number whose big-endian two's complement digits are `unscaled`, exactly."""
    return Decimal(int.from_bytes(unscaled, "big", signed=True)).scaleb(-scale, EXACT)


def whole(number: Decimal) -> Decimal:
    """The same number without digits after the point, which must be zeros."""
    integral = number.to_integral_value(context=EXACT)
    if integral != number:
        raise DecodeError("a decimal of negative scale has digits after the point")
    return Decimal(int(integral))


def unbase64(text: str) -> bytes:
    """The bytes that `text` stands for."""
    try:
        return a2b_base64(text, strict_mode=True)
    except (Base64Error, ValueError):
        raise DecodeError(f"{text[:60]!r} is no base64") from None


def variable_decimal(value: Any) -> Decimal:
    """io.debezium.data.VariableScaleDecimal: a struct of scale and unscaled bytes (base64 text in JSON)."""
    if not isinstance(value, dict):
        raise DecodeError("a decimal of variable scale must be a struct of scale and value")
    scale, unscaled = value.get("scale"), value.get("value")
    if isinstance(unscaled, str):
        unscaled = unbase64(unscaled)
    # PostgreSQL allows scales of -1,000 to 16,383; a larger exponent is a way to fill memory.
    if type(scale) is not int or not isinstance(unscaled, bytes) or abs(scale) > 20_000:
        raise DecodeError("a decimal of variable scale must be a struct of scale and value")
    return decimal_of_bytes(unscaled, scale)


def float_of_text(value: float | str) -> float:
    """A float, or one of the words that stand for what JSON has no number for."""
    if isinstance(value, str):
        if value not in ("NaN", "Infinity", "-Infinity"):
            raise DecodeError(f"{value[:60]!r} is no number")
        return float(value)
    return value


def float32(value: float | str) -> float:
    """The number of single precision that is nearest, which is what shortened text like 0.1 stands for."""
    number = float_of_text(value)
    try:
        return float(_SINGLE.unpack(_SINGLE.pack(number))[0])
    except OverflowError:
        raise DecodeError(f"{value} is beyond single precision") from None


def shortest_float32(value: float) -> float:
    """The number with the fewest digits that in single precision is `value`: 0.1, not 0.10000000149011612."""
    if not math.isfinite(value):
        return value
    single = _SINGLE.pack(value)
    for digits in _FLOAT32_DIGITS:
        short = float(f"{value:.{digits}g}")
        try:
            if _SINGLE.pack(short) == single:
                return short
        except OverflowError:
            continue  # rounded up beyond the greatest number
    return value


def zoned_timestamp(text: str) -> int:
    """Microseconds since the epoch of an ISO timestamp with its offset, any year. Nanoseconds are cut."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _far_timestamp(text)
    if moment.tzinfo is None:
        raise DecodeError(f"{text!r} has no time zone")
    return (moment - _EPOCH) // _MICROSECOND


def local_timestamp(text: str) -> int:
    """Microseconds of an ISO timestamp; one without an offset is taken as UTC, which is how Debezium means it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _far_timestamp(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def day_of_text(text: str) -> int:
    """Days since the epoch of an ISO date, any year."""
    try:
        return date.fromisoformat(text.removesuffix("Z")).toordinal() - _EPOCH_DAY
    except ValueError:
        match = _ISO_DATE.fullmatch(text)
    if match is None:
        raise DecodeError(f"{text[:60]!r} is no date")
    return day(_far_day(match, text, "no date"))


def time_of_text(text: str) -> int:
    """Microseconds since midnight of an ISO time."""
    try:
        moment = time.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise DecodeError(f"{text[:60]!r} is no time of day") from None
    return ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond


def _far_timestamp(text: str) -> int:
    if text in _INFINITIES:
        return _INFINITIES[text]
    match = _ISO.fullmatch(text)
    if match is None:
        raise DecodeError(f"{text[:60]!r} is no timestamp with a time zone")
    year = int(match[1])
    if abs(year) > _INFINITE_YEAR:
        return INFINITY_US if year > 0 else MINUS_INFINITY_US
    days = _far_day(match, text, "no timestamp with a time zone")
    seconds = (int(match[4]) * 60 + int(match[5])) * 60 + int(match[6] or 0) - _offset_seconds(match[8])
    fraction = int((match[7] or "0").ljust(6, "0")[:6])
    return integer((days * 86_400 + seconds) * 1_000_000 + fraction)


def _far_day(match: re.Match[str], text: str, otherwise: str) -> int:
    cycle, within = divmod(int(match[1]) - 2000, 400)  # the calendar repeats itself every 400 years
    try:
        days = date(2000 + within, int(match[2]), int(match[3])).toordinal() - _EPOCH_DAY
    except ValueError:
        raise DecodeError(f"{text[:60]!r} is {otherwise}") from None
    return cycle * _DAYS_OF_400_YEARS + days


def _offset_seconds(text: str) -> int:
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "").ljust(6, "0")
    seconds = (int(digits[:2]) * 60 + int(digits[2:4])) * 60 + int(digits[4:])
    return -seconds if text[0] == "-" else seconds

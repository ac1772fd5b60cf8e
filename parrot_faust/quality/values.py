"""Values as rows carry them (see `models.Kind`), and what a rule file writes in their place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from models import Kind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400 * 1_000_000
MOMENTS = {Kind.DATE, Kind.TIME, Kind.TIMESTAMP}

#: Names of types as Python and Great Expectations have them -> kinds that satisfy them. A bool is an int, as
#: isinstance has it.
TYPES: dict[str, set[Kind]] = {
    "int": {Kind.INT8, Kind.INT16, Kind.INT32, Kind.INT64, Kind.BOOL},
    "float": {Kind.FLOAT32, Kind.FLOAT64},
    "str": {Kind.STRING},
    "bytes": {Kind.BYTES},
    "bool": {Kind.BOOL},
    "Decimal": {Kind.DECIMAL},
    "date": {Kind.DATE},
    "datetime": {Kind.TIMESTAMP},
    "time": {Kind.TIME},
    "list": set(),
    "dict": set(),
}

#: The same names -> Python's types, for values whose column has no kind.
PYTHON_TYPES: dict[str, type] = {
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "bool": bool,
    "Decimal": Decimal,
    "date": date,
    "datetime": datetime,
    "time": time,
    "list": list,
    "dict": dict,
}


def is_null(value: Any) -> bool:
    """Null as Great Expectations has it: None, and what is not a number."""
    return value is None or (isinstance(value, float) and value != value) or (
        isinstance(value, Decimal) and value.is_nan()
    )  # fmt: skip


def moment_of(text: Any, kind: Kind) -> int:
    """The number that a row holds for a written date, time or timestamp. Raise ValueError."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a {kind}, which is written as text, for example '2000-01-01'")
    if kind is Kind.DATE:
        return (date.fromisoformat(text) - _EPOCH.date()).days
    if kind is Kind.TIME:
        clock = time.fromisoformat(text)
        return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond
    moment = datetime.fromisoformat(text)
    passed = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return passed.days * _DAY_US + passed.seconds * 1_000_000 + passed.microseconds


def comparable(value: Any, kind: Kind) -> Any:
    """What a row's value of that kind is compared with where a rule says `value`. Raise ValueError when nothing is."""
    if kind in MOMENTS:
        return moment_of(value, kind)
    if kind is Kind.BYTES:
        raise ValueError("bytes have no order and no written form here")
    if (kind is Kind.STRING) is not isinstance(value, str):
        raise ValueError(f"{value!r} can't be compared with a column of kind {kind}")
    if kind is Kind.DECIMAL:
        return exactly(value)
    return value


def exactly(value: Any) -> Decimal:
    """A number as it is written. Raise ValueError."""
    try:
        return Decimal(str(int(value) if isinstance(value, bool) else value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None


def text_of(kind: Kind | None) -> Callable[[Any], str] | None:
    """How a value becomes the text that patterns and lengths are about; None when it is text already.

    A column without a kind may hold any value: bytes are decoded, all else is what `str` makes of it.

    Raise ValueError for kinds whose text depends on who writes it.
    """
    if kind is None:
        return lambda value: value.decode() if isinstance(value, bytes) else str(value)
    if kind in MOMENTS:
        raise ValueError(f"a {kind} has no text to look at: use be_between")
    if kind is Kind.STRING:
        return None
    return bytes.decode if kind is Kind.BYTES else str

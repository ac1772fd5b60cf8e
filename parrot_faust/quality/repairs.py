"""What the actions `default` and `null` put in the place of a bad value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from models import Action, Column, Kind
from parrot_faust.quality.rules import Rule
from parrot_faust.quality.values import MOMENTS, exactly, moment_of

_BITS = {Kind.INT8: 7, Kind.INT16: 15, Kind.INT32: 31, Kind.INT64: 63}


def replacement(rule: Rule, column: Column | None, key: tuple[str, ...]) -> Any:
    """The value as a row holds it. Raise ValueError when the column can't have it: the row is quarantined then."""
    if rule.column in key:
        raise ValueError(f"{rule.column} is part of the key, which names the row: no other value can take its place")
    if rule.action is Action.NULL:
        if column is not None and not column.nullable:
            raise ValueError(f"{rule.column} can't be null")
        return None
    if column is None:
        return rule.default
    return fitting(rule.default, column, "the default ")


def fitting(written: Any, column: Column, what: str = "") -> Any:
    """A written value as a row holds it. Raise ValueError when it is not of the column's type, or too long for it."""
    value = value_for(written, column)
    if column.kind is Kind.DECIMAL and isinstance(value, Decimal) and column.scale is not None:
        exponent = value.as_tuple().exponent
        digits = len(value.as_tuple().digits)
        if not isinstance(exponent, int) or -exponent > column.scale:
            raise ValueError(f"{what}{value} has more decimals than {column.name}, which has {column.scale}")
        if column.precision is not None and digits + exponent > column.precision - column.scale:
            raise ValueError(f"{what}{value} is too large for {column.name}")
        return value.quantize(Decimal(1).scaleb(-column.scale))
    return value


def value_for(value: Any, column: Column) -> Any:
    """A written value as a row holds it. Raise ValueError when it is not of the column's type."""
    kind = column.kind
    if kind in MOMENTS:
        return moment_of(value, kind)
    if kind is Kind.DECIMAL and isinstance(value, int | float | str | Decimal) and not isinstance(value, bool):
        return exactly(value)
    if kind in (Kind.FLOAT32, Kind.FLOAT64) and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    fits = (
        (kind is Kind.STRING and isinstance(value, str))
        or (kind is Kind.BOOL and isinstance(value, bool))
        or (
            kind in _BITS
            and isinstance(value, int)
            and not isinstance(value, bool)
            and -(1 << _BITS[kind]) <= value < 1 << _BITS[kind]
        )
    )
    if kind is Kind.BYTES and isinstance(value, str):
        return value.encode()
    if not fits:
        raise ValueError(f"{value!r} is no value of {column.name}, whose kind is {kind}")
    return value

"""The expectations by name: their arguments, and what a row needs to pass. Names and semantics are GE's.

Every factory takes the rule's arguments and the kinds of its columns and returns a function of values that says
whether they pass. Null values never reach a column check but that of nullness.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from models import Kind

Check = Callable[..., bool]
_EPOCH = date(1970, 1, 1)

#: Python and common type names -> kinds that satisfy them. A bool is an int, as isinstance has it.
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
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """`arguments` are allowed beside the columns, `required` must be there; `nulls` says the check sees nulls itself.

    `columns` are the argument names that hold columns: one for a column rule, two for a pair.
    """

    make: Callable[[Mapping[str, Any], tuple[Kind, ...]], Check]
    arguments: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("column",)
    nulls: bool = False


def bound_of(value: Any, kind: Kind, exact: bool) -> Any:
    """A bound as the column's values are: dates and times become numbers, numbers floats unless `exact`."""
    if value is None:
        return None
    if kind is Kind.DATE:
        return (date.fromisoformat(str(value)) - _EPOCH).days
    if kind is Kind.TIMESTAMP:
        moment = datetime.fromisoformat(str(value))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
    if kind is Kind.STRING:
        return str(value)
    if exact:
        return Decimal(str(value))
    return float(value)


def _between(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    exact = bool(kwargs.get("exact"))
    low = bound_of(kwargs.get("min_value"), kinds[0], exact)
    high = bound_of(kwargs.get("max_value"), kinds[0], exact)
    if low is None and high is None:
        raise ValueError("needs min_value, max_value or both")
    if any(bound is not None and bound != bound for bound in (low, high)):
        raise ValueError("a bound is not a number")
    if low is not None and high is not None and not low <= high:
        raise ValueError(f"min_value {low} is not below max_value {high}")
    above: Check = (lambda value: value > low) if kwargs.get("strict_min") else (lambda value: value >= low)
    below: Check = (lambda value: value < high) if kwargs.get("strict_max") else (lambda value: value <= high)
    convert = kinds[0] is Kind.DECIMAL and not exact
    if high is None:
        check = above
    elif low is None:
        check = below
    elif not kwargs.get("strict_min") and not kwargs.get("strict_max"):
        check = lambda value: low <= value <= high  # noqa: E731 - one of several shapes of the same check
    else:
        check = lambda value: above(value) and below(value)  # noqa: E731
    return (lambda value: check(float(value))) if convert else check


def _in_set(kwargs: Mapping[str, Any], _: tuple[Kind, ...]) -> Check:
    return frozenset(kwargs["value_set"]).__contains__


def _not_in_set(kwargs: Mapping[str, Any], _: tuple[Kind, ...]) -> Check:
    members = frozenset(kwargs["value_set"])
    return lambda value: value not in members


def _text(kind: Kind) -> Callable[[Any], str] | None:
    return None if kind is Kind.STRING else str


def _regex(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    search, text = re.compile(kwargs["regex"]).search, _text(kinds[0])
    if text is None:
        return lambda value: search(value) is not None
    return lambda value: search(text(value)) is not None


def _not_regex(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    found = _regex(kwargs, kinds)
    return lambda value: not found(value)


def _lengths(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    low, high, text = kwargs.get("min_value"), kwargs.get("max_value"), _text(kinds[0]) or str
    if low is None and high is None:
        raise ValueError("needs min_value, max_value or both")
    low, high = low if low is not None else 0, high if high is not None else float("inf")
    if low > high:
        raise ValueError(f"min_value {low} is not below max_value {high}")
    return lambda value: low <= len(text(value)) <= high


def _length(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    wanted, text = kwargs["value"], _text(kinds[0]) or str
    return lambda value: len(text(value)) == wanted


def _types(names: Any, kinds: tuple[Kind, ...]) -> Check:
    unknown = [name for name in names if name not in TYPES]
    if unknown:
        raise ValueError(f"type {unknown[0]!r} is not known; there is {', '.join(TYPES)}")
    passes = any(kinds[0] in TYPES[name] for name in names)
    return lambda _value: passes


def _pair_equal(_: Mapping[str, Any], __: tuple[Kind, ...]) -> Check:
    return lambda a, b: bool(a == b)


def _pair_greater(kwargs: Mapping[str, Any], _: tuple[Kind, ...]) -> Check:
    if kwargs.get("or_equal"):
        return lambda a, b: bool(a >= b)
    return lambda a, b: bool(a > b)


_PAIR = ("column_A", "column_B")
EXPECTATIONS: dict[str, Expectation] = {
    "expect_column_values_to_not_be_null": Expectation(lambda _k, _t: lambda value: value is not None, nulls=True),
    "expect_column_values_to_be_null": Expectation(lambda _k, _t: lambda value: value is None, nulls=True),
    "expect_column_values_to_be_between": Expectation(
        _between, ("min_value", "max_value", "strict_min", "strict_max", "exact")
    ),
    "expect_column_values_to_be_in_set": Expectation(_in_set, ("value_set",), ("value_set",)),
    "expect_column_values_to_not_be_in_set": Expectation(_not_in_set, ("value_set",), ("value_set",)),
    "expect_column_values_to_match_regex": Expectation(_regex, ("regex",), ("regex",)),
    "expect_column_values_to_not_match_regex": Expectation(_not_regex, ("regex",), ("regex",)),
    "expect_column_value_lengths_to_be_between": Expectation(_lengths, ("min_value", "max_value")),
    "expect_column_value_lengths_to_equal": Expectation(_length, ("value",), ("value",)),
    "expect_column_values_to_be_of_type": Expectation(
        lambda kwargs, kinds: _types([kwargs["type_"]], kinds), ("type_",), ("type_",)
    ),
    "expect_column_values_to_be_in_type_list": Expectation(
        lambda kwargs, kinds: _types(kwargs["type_list"], kinds), ("type_list",), ("type_list",)
    ),
    "expect_column_pair_values_to_be_equal": Expectation(_pair_equal, columns=_PAIR),
    "expect_column_pair_values_a_to_be_greater_than_b": Expectation(_pair_greater, ("or_equal",), columns=_PAIR),
}

#: A rule that is written as ``name: value`` gives this argument.
SHORT_ARGUMENT = {
    "expect_column_values_to_be_in_set": "value_set",
    "expect_column_values_to_not_be_in_set": "value_set",
    "expect_column_values_to_match_regex": "regex",
    "expect_column_values_to_not_match_regex": "regex",
    "expect_column_value_lengths_to_equal": "value",
    "expect_column_values_to_be_of_type": "type_",
    "expect_column_values_to_be_in_type_list": "type_list",
}

#: Known, and refused with the reason.
NOT_HERE = {
    "expect_column_values_to_be_unique": "it needs a window over rows, which this version does not have",
    "expect_column_values_to_be_increasing": "it needs a window over rows, which this version does not have",
    "expect_column_values_to_be_decreasing": "it needs a window over rows, which this version does not have",
    "expect_column_mean_to_be_between": "it needs a window over rows, which this version does not have",
    "expect_table_row_count_to_be_between": "it needs a window over rows, which this version does not have",
    "expect_table_row_count_to_equal_other_table": "it needs another table, which a stream of changes does not have",
    "unexpected_rows_expectation": "it needs SQL, and a rule file runs no code",
}


def full_name(name: str) -> str:
    """The full name of an expectation whose prefix may have been left out."""
    for candidate in (name, f"expect_column_values_to_{name}", f"expect_column_{name}"):
        if candidate in EXPECTATIONS or candidate in NOT_HERE:
            return candidate
    return name


def short_name(name: str) -> str:
    """A readable name: the full one without its prefix."""
    for prefix in ("expect_column_values_to_", "expect_column_", "expect_"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name

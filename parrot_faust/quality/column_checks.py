"""What a value of one column needs to pass. Semantics are Great Expectations' (pandas engine, columns of objects).

Every factory takes the rule's arguments and the column's kind (None: any value) and returns the check; it raises
ValueError when the rule does not fit such a column. No null reaches these checks but that of nullness.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from models import Kind
from parrot_faust.quality.json_schemas import json_schema_check
from parrot_faust.quality.regexes import searcher
from parrot_faust.quality.values import MOMENTS, PYTHON_TYPES, exactly, moment_of, text_of
from parrot_faust.quality.values import TYPES as KINDS_OF

Check = Callable[..., bool]
Kwargs = Mapping[str, Any]
Kinds = tuple[Kind | None, ...]


def bound_of(value: Any, kind: Kind | None, exact: bool) -> Any:
    """A bound as the column's values are: dates and times become numbers, numbers floats unless `exact`."""
    if value is None:
        return None
    if kind is None:
        return _any_bound(value, exact)
    if kind in MOMENTS:
        return moment_of(value, kind)
    if kind is Kind.BYTES:
        raise ValueError("bytes have no order here")
    if kind is Kind.STRING:
        if not isinstance(value, str):
            raise ValueError(f"the number {value!r} can't be compared with a text")
        return value
    return exactly(value) if exact else float(value)


def _any_bound(value: Any, exact: bool) -> Any:
    """A bound as Great Expectations reads it: a float, else a date, else a moment; here also another text."""
    for read in (exactly if exact else float, date.fromisoformat, datetime.fromisoformat):
        try:
            return read(value)
        except ValueError:
            continue
    return value


def between(kwargs: Kwargs, kinds: Kinds) -> Check:
    """`min_value` <= value <= `max_value`, either may be missing, `strict_min` and `strict_max` leave out the bound."""
    kind, exact = kinds[0], bool(kwargs.get("exact"))
    low = bound_of(kwargs.get("min_value"), kind, exact)
    high = bound_of(kwargs.get("max_value"), kind, exact)
    ordered(low, high)
    if (low is not None and low != low) or (high is not None and high != high):
        raise ValueError("a bound is not a number")
    above: Check = (lambda value: value > low) if kwargs.get("strict_min") else (lambda value: value >= low)
    below: Check = (lambda value: value < high) if kwargs.get("strict_max") else (lambda value: value <= high)
    if high is None:
        check = above
    elif low is None:
        check = below
    elif not kwargs.get("strict_min") and not kwargs.get("strict_max"):
        check = lambda value: low <= value <= high  # noqa: E731 - one of several shapes of the same check
    else:
        check = lambda value: above(value) and below(value)  # noqa: E731
    if kind is Kind.DECIMAL and not exact:
        return lambda value: check(float(value))
    return _any_between(check, low if low is not None else high, exact) if kind is None else check


def _any_between(check: Check, bound: Any, exact: bool) -> Check:
    text = isinstance(bound, str)

    def judged(value: Any) -> bool:
        if isinstance(value, str) is not text:
            raise TypeError(f"{type(value).__name__} can't be compared with the bound {bound!r}")
        return check(float(value) if isinstance(value, Decimal) and not exact else value)

    return judged


def ordered(low: Any, high: Any) -> None:
    """Raise ValueError when bounds are reversed or can't be compared."""
    try:
        if low is not None and high is not None and not low <= high:
            raise ValueError(f"min_value {low} is not below max_value {high}")
    except TypeError:
        raise ValueError(f"min_value {low!r} and max_value {high!r} can't be compared") from None


def members_of(values: list[Any], kind: Kind | None) -> frozenset[Any]:
    """The members of a set as the column's values are."""
    return frozenset(moment_of(value, kind) for value in values) if kind in MOMENTS else frozenset(values)


def in_set(kwargs: Kwargs, kinds: Kinds) -> Check:
    """Python's equality and hash: 1, True and 1.0 are the same, "1" is another. What has no hash is in no set."""
    members = members_of(kwargs["value_set"], kinds[0])
    return _hashed(members) if kinds[0] is None else members.__contains__


def not_in_set(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The opposite of `in_set`."""
    found = in_set(kwargs, kinds)
    return lambda value: not found(value)


def _hashed(members: frozenset[Any]) -> Check:
    def found(value: Any) -> bool:
        try:
            return value in members
        except TypeError:
            return False

    return found


def regex(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The pattern is found somewhere in the value's text."""
    return _searching(kwargs["regex"], kinds[0])


def not_regex(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The pattern is found nowhere in the value's text."""
    found = regex(kwargs, kinds)
    return lambda value: not found(value)


def regex_list(kwargs: Kwargs, kinds: Kinds) -> Check:
    """Any of the patterns is found, or all where `match_on` says so."""
    found = [_searching(pattern, kinds[0]) for pattern in kwargs["regex_list"]]
    if kwargs.get("match_on", "any") == "all":
        return lambda value: all(one(value) for one in found)
    return lambda value: any(one(value) for one in found)


def not_regex_list(kwargs: Kwargs, kinds: Kinds) -> Check:
    """None of the patterns is found."""
    found = regex_list(kwargs, kinds)
    return lambda value: not found(value)


def _searching(pattern: str, kind: Kind | None) -> Check:
    found, text = searcher(pattern), text_of(kind)
    return found if text is None else lambda value: found(text(value))


def lengths(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The text has so many characters."""
    low, high, text = kwargs.get("min_value", -math.inf), kwargs.get("max_value", math.inf), text_of(kinds[0])
    ordered(low, high)
    low += bool(kwargs.get("strict_min"))
    high -= bool(kwargs.get("strict_max"))
    if text is None:
        return lambda value: low <= len(value) <= high
    return lambda value: low <= len(text(value)) <= high


def length(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The text has exactly so many characters."""
    return lengths({"min_value": kwargs["value"], "max_value": kwargs["value"]}, kinds)


def of_type(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The value is of the type."""
    return in_types({"type_list": [kwargs["type_"]]}, kinds)


def in_types(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The value is of one of the types. A column with a kind has one type, so it is known before any value."""
    names, kind = kwargs["type_list"], kinds[0]
    if kind is None:
        types = tuple(PYTHON_TYPES[name] for name in names)
        return lambda value: isinstance(value, types)
    passes = any(kind in KINDS_OF[name] for name in names)
    return lambda _value: passes


def strftime(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The text is a date or time written in the format. What is no text raises, as it does there."""
    form = kwargs["strftime_format"]
    if kinds[0] not in (None, Kind.STRING):
        raise ValueError(f"a {kinds[0]} is not written in a format: this needs a column of texts")

    def parses(value: Any) -> bool:
        try:
            datetime.strptime(value, form)  # noqa: DTZ007 - only whether it can be read counts
        except ValueError:
            return False
        return True

    try:
        datetime.strptime("", form)  # noqa: DTZ007
    except ValueError as error:
        if "bad directive" in str(error) or "stray" in str(error) or "bad format" in str(error):
            raise ValueError(f"{form!r} is no format: {error}") from None
    return parses


def json_parseable(_: Kwargs, kinds: Kinds) -> Check:
    """The text is JSON, as Python reads it."""
    if kinds[0] not in (None, Kind.STRING, Kind.BYTES):
        raise ValueError(f"a {kinds[0]} holds no JSON: this needs a column of texts")

    def parses(value: Any) -> bool:
        try:
            json.loads(value)
        except (ValueError, TypeError, RecursionError):
            return False
        return True

    return parses


def json_schema(kwargs: Kwargs, kinds: Kinds) -> Check:
    """The text is JSON that the schema allows. What is no JSON raises, as it does there."""
    if kinds[0] not in (None, Kind.STRING, Kind.BYTES):
        raise ValueError(f"a {kinds[0]} holds no JSON: this needs a column of texts")
    return json_schema_check(kwargs["json_schema"])

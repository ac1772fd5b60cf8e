"""What the arguments of expectations may be: one table, for reading rule files and for the editors' schema."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parrot_faust.quality.regexes import MAX_LENGTH
from parrot_faust.quality.values import TYPES as KINDS_OF

TYPE_NAMES = tuple(KINDS_OF)


@dataclass(frozen=True, slots=True)
class Argument:
    """`says` completes "must be"; `schema` is JSON Schema's word for it; `holds` decides."""

    says: str
    schema: Mapping[str, Any]
    holds: Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Whether this is a number that a float can hold, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _is_value(value: Any) -> bool:
    return isinstance(value, str | bool) or is_number(value)


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


def _list_of(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(holds(item) for item in value)


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and value in TYPE_NAMES


_TYPES = f"one of {', '.join(TYPE_NAMES)}"
BOUND = Argument(
    "a number, or a text such as '2000-01-01'",
    {"type": ["number", "string"]},
    lambda value: is_number(value) or isinstance(value, str),
)
LENGTH = Argument("a whole number from 0 on", {"type": "integer", "minimum": 0, "maximum": (1 << 31) - 1}, _is_length)
FLAG = Argument("true or false", {"type": "boolean"}, lambda value: isinstance(value, bool))
VALUES = Argument(
    "a list of texts, numbers, true or false",
    {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}},
    _list_of(_is_value),
)
PATTERN = Argument(
    "a regular expression as text",
    {"type": "string", "maxLength": MAX_LENGTH},
    lambda value: isinstance(value, str),
)
TYPE = Argument(_TYPES, {"enum": list(TYPE_NAMES)}, _is_type)
TYPES = Argument(
    f"a list with some of {', '.join(TYPE_NAMES)}",
    {"type": "array", "minItems": 1, "items": {"enum": list(TYPE_NAMES)}},
    _list_of(_is_type),
)
COLUMN = Argument("the name of a column", {"type": "string", "minLength": 1}, lambda v: isinstance(v, str) and bool(v))

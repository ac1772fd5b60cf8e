"""What the arguments of expectations may be: one table, for reading rule files and for the editors' schema."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models import Kind
from parrot_faust.quality.regexes import MAX_LENGTH
from parrot_faust.quality.values import TYPES as KINDS_OF

TYPE_NAMES = tuple(KINDS_OF)


@dataclass(frozen=True, slots=True)
class Argument:
    """`says` completes "must be"; `schema` is JSON Schema's word for it; `holds` decides."""

    says: str
    schema: Mapping[str, Any]
    holds: Callable[[Any], bool]


DURATION_PATTERN = r"^[0-9]+(ms|s|m|h|d)$"
_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: Any) -> int:
    """Milliseconds of a time such as ``30s``; 0 for what is none."""
    match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", text) if isinstance(text, str) else None
    return int(match[1]) * _UNITS_MS[match[2]] if match else 0


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
    return is_number(value) and value == int(value) and 0 <= value < 1 << 31


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
COLUMN_TYPE = Argument(
    f"one of {', '.join(map(str, Kind))}, or {', '.join(TYPE_NAMES)}",
    {"enum": [*map(str, Kind), *(name for name in TYPE_NAMES if name not in set(Kind))]},
    lambda value: isinstance(value, str) and (value in set(Kind) or value in TYPE_NAMES),
)
COLUMN = Argument("the name of a column", {"type": "string", "minLength": 1}, lambda v: isinstance(v, str) and bool(v))
NUMBER = Argument("a number", {"type": "number"}, is_number)
SHARE = Argument(
    "a share between 0 and 1", {"type": "number", "minimum": 0, "maximum": 1}, lambda v: is_number(v) and 0 <= v <= 1
)
TEXT = Argument("a text", {"type": "string", "minLength": 1}, lambda v: isinstance(v, str) and bool(v))
PATTERNS = Argument(
    "a list of regular expressions as text",
    {"type": "array", "minItems": 1, "items": {"type": "string", "maxLength": MAX_LENGTH}},
    _list_of(lambda value: isinstance(value, str)),
)
MATCH_ON = Argument("any or all", {"enum": ["any", "all"]}, lambda value: value in ("any", "all"))
COLUMNS = Argument(
    "a list of at least two columns",
    {"type": "array", "minItems": 2, "items": {"type": "string", "minLength": 1}},
    lambda value: _list_of(lambda one: isinstance(one, str) and bool(one))(value) and len(value) >= 2,
)
NAMES = Argument(
    "a list of columns",
    {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    _list_of(lambda one: isinstance(one, str) and bool(one)),
)
PAIRS = Argument(
    "a list of pairs such as [[1, a], [2, b]]",
    {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": {"type": ["string", "number", "boolean", "null"]},
        },
    },
    _list_of(lambda pair: isinstance(pair, list) and len(pair) == 2 and all(v is None or _is_value(v) for v in pair)),
)
JSON_SCHEMA = Argument("a JSON Schema", {"type": "object"}, lambda value: isinstance(value, dict))
CONDITION = Argument("a condition", {"type": "string", "minLength": 1}, lambda v: isinstance(v, str) and bool(v))
DURATION = Argument(
    "a time such as 30s, 5m, 2h or 1d", {"type": "string", "pattern": DURATION_PATTERN}, lambda v: duration_ms(v) > 0
)
STATES = Argument(
    "states, each with a list of those that may follow",
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}},
    },
    lambda value: (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(to, list) and all(v is None or _is_value(v) for v in to) for to in value.values())
    ),
)
QUANTILE_RANGES = Argument(
    "quantiles and value_ranges, lists of equal length",
    {
        "type": "object",
        "required": ["quantiles", "value_ranges"],
        "additionalProperties": False,
        "properties": {
            "quantiles": {"type": "array", "minItems": 1, "items": {"type": "number", "minimum": 0, "maximum": 1}},
            "value_ranges": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": ["number", "null"]}},
            },
        },
    },
    lambda value: _are_quantile_ranges(value),
)


def _are_quantile_ranges(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) != {"quantiles", "value_ranges"}:
        return False
    quantiles, ranges = value["quantiles"], value["value_ranges"]
    return (
        _list_of(SHARE.holds)(quantiles)
        and _list_of(lambda pair: isinstance(pair, list) and len(pair) == 2)(ranges)
        and all(bound is None or is_number(bound) for pair in ranges for bound in pair)
        and len(quantiles) == len(ranges)
    )


def one_of(*words: str) -> Argument:
    """An argument that is one of some words."""
    return Argument(f"one of {', '.join(words)}", {"enum": list(words)}, lambda value: value in words)

"""The expectations by name: their arguments, and what a row needs to pass. Names and semantics are GE's.

Every factory takes the rule's arguments and the kinds of its columns and returns a function of values that says
whether they pass; it raises ValueError when the rule does not fit such columns. Null values never reach a column check
but that of nullness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from models import Kind
from parrot_faust.quality.arguments import BOUND, COLUMN, FLAG, LENGTH, PATTERN, TYPE, TYPES, VALUES, Argument
from parrot_faust.quality.refused import NOT_HERE
from parrot_faust.quality.regexes import searcher
from parrot_faust.quality.values import MOMENTS, exactly, moment_of, text_of
from parrot_faust.quality.values import TYPES as KINDS_OF

Check = Callable[..., bool]


@dataclass(frozen=True, slots=True)
class Expectation:
    """`arguments` are allowed beside the columns, `required` must be there, of `some` at least one; `nulls` says the
    check sees nulls itself. `short` is the argument that ``name: value`` gives.

    `columns` are the argument names that hold columns: one for a column rule, two for a pair.
    """

    make: Callable[[Mapping[str, Any], tuple[Kind, ...]], Check]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("column",)
    nulls: bool = False
    short: str = ""

    @property
    def pair(self) -> bool:
        """Whether it compares two columns, and so stands below `rows:`."""
        return len(self.columns) > 1

    def named(self) -> dict[str, Argument]:
        """All arguments a rule may name, with the columns of a pair."""
        return {**self.arguments, **dict.fromkeys(self.columns if self.pair else (), COLUMN)}

    def needed(self) -> tuple[str, ...]:
        """The arguments without which there is no rule."""
        return (*(self.columns if self.pair else ()), *self.required)


def bound_of(value: Any, kind: Kind, exact: bool) -> Any:
    """A bound as the column's values are: dates and times become numbers, numbers floats unless `exact`."""
    if value is None:
        return None
    if kind in MOMENTS:
        return moment_of(value, kind)
    if kind is Kind.BYTES:
        raise ValueError("bytes have no order here")
    if kind is Kind.STRING:
        if not isinstance(value, str):
            raise ValueError(f"the number {value!r} can't be compared with a text")
        return value
    return exactly(value) if exact else float(value)


def _between(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    exact = bool(kwargs.get("exact"))
    low = bound_of(kwargs.get("min_value"), kinds[0], exact)
    high = bound_of(kwargs.get("max_value"), kinds[0], exact)
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


def _members(kwargs: Mapping[str, Any], kind: Kind) -> frozenset[Any]:
    values = kwargs["value_set"]
    return frozenset(moment_of(value, kind) for value in values) if kind in MOMENTS else frozenset(values)


def _in_set(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    return _members(kwargs, kinds[0]).__contains__


def _not_in_set(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    members = _members(kwargs, kinds[0])
    return lambda value: value not in members


def _regex(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    found, text = searcher(kwargs["regex"]), text_of(kinds[0])
    return found if text is None else lambda value: found(text(value))


def _not_regex(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    found = _regex(kwargs, kinds)
    return lambda value: not found(value)


def _lengths(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    low, high, text = kwargs.get("min_value", 0), kwargs.get("max_value", float("inf")), text_of(kinds[0])
    if low > high:
        raise ValueError(f"min_value {low} is not below max_value {high}")
    if text is None:
        return lambda value: low <= len(value) <= high
    return lambda value: low <= len(text(value)) <= high


def _length(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    return _lengths({"min_value": kwargs["value"], "max_value": kwargs["value"]}, kinds)


def _types(names: list[str], kinds: tuple[Kind, ...]) -> Check:
    passes = any(kinds[0] in KINDS_OF[name] for name in names)
    return lambda _value: passes


def _alike(kinds: tuple[Kind, ...]) -> None:
    apart = {Kind.STRING, Kind.BYTES} | MOMENTS
    if kinds[0] is not kinds[1] and apart & set(kinds):
        raise ValueError(f"a {kinds[0]} can't be compared with a {kinds[1]}")


def _pair_equal(_: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    _alike(kinds)
    return lambda a, b: bool(a == b)


def _pair_greater(kwargs: Mapping[str, Any], kinds: tuple[Kind, ...]) -> Check:
    _alike(kinds)
    if kwargs.get("or_equal"):
        return lambda a, b: bool(a >= b)
    return lambda a, b: bool(a > b)


_PAIR = ("column_A", "column_B")
_LENGTHS = {"min_value": LENGTH, "max_value": LENGTH}
_BOUNDS = {"min_value": BOUND, "max_value": BOUND, "strict_min": FLAG, "strict_max": FLAG, "exact": FLAG}
_EITHER = ("min_value", "max_value")


def _of(make: Callable[..., Check], name: str, argument: Argument) -> Expectation:
    """An expectation of one argument, that a rule may write without naming it."""
    return Expectation(make, {name: argument}, required=(name,), short=name)


EXPECTATIONS: dict[str, Expectation] = {
    "expect_column_values_to_not_be_null": Expectation(lambda _k, _t: lambda value: value is not None, nulls=True),
    "expect_column_values_to_be_null": Expectation(lambda _k, _t: lambda value: value is None, nulls=True),
    "expect_column_values_to_be_between": Expectation(_between, _BOUNDS, some=_EITHER),
    "expect_column_values_to_be_in_set": _of(_in_set, "value_set", VALUES),
    "expect_column_values_to_not_be_in_set": _of(_not_in_set, "value_set", VALUES),
    "expect_column_values_to_match_regex": _of(_regex, "regex", PATTERN),
    "expect_column_values_to_not_match_regex": _of(_not_regex, "regex", PATTERN),
    "expect_column_value_lengths_to_be_between": Expectation(_lengths, _LENGTHS, some=_EITHER),
    "expect_column_value_lengths_to_equal": _of(_length, "value", LENGTH),
    "expect_column_values_to_be_of_type": _of(lambda kwargs, kinds: _types([kwargs["type_"]], kinds), "type_", TYPE),
    "expect_column_values_to_be_in_type_list": _of(
        lambda kwargs, kinds: _types(kwargs["type_list"], kinds), "type_list", TYPES
    ),
    "expect_column_pair_values_to_be_equal": Expectation(_pair_equal, columns=_PAIR),
    "expect_column_pair_values_a_to_be_greater_than_b": Expectation(_pair_greater, {"or_equal": FLAG}, columns=_PAIR),
}


def full_name(name: str) -> str:
    """The full name of an expectation whose prefix may have been left out."""
    for candidate in (name, f"expect_column_values_to_{name}", f"expect_column_{name}", f"expect_{name}"):
        if candidate in EXPECTATIONS or candidate in NOT_HERE:
            return candidate
    return name


def short_name(name: str) -> str:
    """A readable name: the full one without its prefix."""
    for prefix in ("expect_column_values_to_", "expect_column_", "expect_"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name

"""The vocabulary: what a rule may be called, which arguments it takes, and how it is judged. Names and semantics are
Great Expectations', but for what no batch tool has: rules over a change, freshness, volume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from parrot_faust.quality import arguments as a
from parrot_faust.quality import column_checks as column
from parrot_faust.quality import row_checks as row
from parrot_faust.quality.arguments import Argument
from parrot_faust.quality.column_checks import Check, Kinds
from parrot_faust.quality.refused import NOT_HERE


class Scope(StrEnum):
    """What a rule looks at. ROW and CHANGE are judged change by change and can hold a row back; WINDOW looks at all
    rows of a time; SHAPE at the table's columns.
    """

    ROW = "row"
    CHANGE = "change"
    WINDOW = "window"
    SHAPE = "shape"


@dataclass(frozen=True, slots=True)
class Expectation:
    """`arguments` are allowed beside the columns, `required` must be there, of `some` at least one; `nulls` says the
    check sees nulls itself. `short` is the argument that ``name: value`` gives.

    `columns` are the argument names that hold columns: ``column`` for a rule of one, two for a pair, ``column_list``
    for several, none for a rule of the whole table. `ignore` are the words of `ignore_row_if`: all null, any, never.
    `make` takes the rule's arguments and its columns' kinds and returns the check; ValueError says why it can't be.
    """

    make: Callable[[Mapping[str, Any], Kinds], Check]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    some: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("column",)
    nulls: bool = False
    short: str = ""
    scope: Scope = Scope.ROW
    ignore: tuple[str, ...] = ()

    @property
    def single(self) -> bool:
        """Whether it is about one column."""
        return self.columns == ("column",)

    def named(self) -> dict[str, Argument]:
        """All arguments a rule may name where the column it is about is named as well."""
        kinds = {"column": a.COLUMN, "column_A": a.COLUMN, "column_B": a.COLUMN, "column_list": a.COLUMNS}
        ignoring = {"ignore_row_if": a.one_of(*self.ignore)} if self.ignore else {}
        return {**{name: kinds[name] for name in self.columns}, **self.arguments, **ignoring}

    def needed(self) -> tuple[str, ...]:
        """The arguments without which there is no rule."""
        return (*self.columns, *self.required)


_PAIR: dict[str, Any] = {
    "columns": ("column_A", "column_B"),
    "ignore": ("both_values_are_missing", "either_value_is_missing", "neither"),
}
_MULTI: dict[str, Any] = {
    "columns": ("column_list",),
    "ignore": ("all_values_are_missing", "any_value_is_missing", "never"),
}
_STRICT = {"strict_min": a.FLAG, "strict_max": a.FLAG}
_LENGTHS = {"min_value": a.LENGTH, "max_value": a.LENGTH, **_STRICT}
_BOUNDS = {"min_value": a.BOUND, "max_value": a.BOUND, **_STRICT}
_NUMBERS = {"min_value": a.NUMBER, "max_value": a.NUMBER, **_STRICT}
_EITHER = ("min_value", "max_value")


def _of(make: Callable[..., Check], name: str, argument: Argument, **more: Any) -> Expectation:
    """An expectation of one argument, that a rule may write without naming it."""
    return Expectation(make, {name: argument}, required=(name,), short=name, **more)


def _never(_: Mapping[str, Any], __: Kinds) -> Check:
    raise ValueError("this is not judged row by row")


def _window(arguments: Mapping[str, Argument] | None = None, **more: Any) -> Expectation:
    return Expectation(_never, arguments or {}, scope=Scope.WINDOW, **more)


def _shape(arguments: Mapping[str, Argument], **more: Any) -> Expectation:
    return Expectation(_never, arguments, scope=Scope.SHAPE, **{"columns": (), **more})


_SET = {"value_set": a.VALUES}
ROWS: dict[str, Expectation] = {
    "expect_column_values_to_not_be_null": Expectation(lambda _k, _t: lambda value: value is not None, nulls=True),
    "expect_column_values_to_be_null": Expectation(lambda _k, _t: lambda value: value is None, nulls=True),
    "expect_column_values_to_be_between": Expectation(column.between, {**_BOUNDS, "exact": a.FLAG}, some=_EITHER),
    "expect_column_values_to_be_in_set": _of(column.in_set, "value_set", a.VALUES),
    "expect_column_values_to_not_be_in_set": _of(column.not_in_set, "value_set", a.VALUES),
    "expect_column_values_to_match_regex": _of(column.regex, "regex", a.PATTERN),
    "expect_column_values_to_not_match_regex": _of(column.not_regex, "regex", a.PATTERN),
    "expect_column_values_to_match_regex_list": Expectation(
        column.regex_list,
        {"regex_list": a.PATTERNS, "match_on": a.MATCH_ON},
        required=("regex_list",),
        short="regex_list",
    ),
    "expect_column_values_to_not_match_regex_list": _of(column.not_regex_list, "regex_list", a.PATTERNS),
    "expect_column_value_lengths_to_be_between": Expectation(column.lengths, _LENGTHS, some=_EITHER),
    "expect_column_value_lengths_to_equal": _of(column.length, "value", a.LENGTH),
    "expect_column_values_to_be_of_type": _of(column.of_type, "type_", a.TYPE),
    "expect_column_values_to_be_in_type_list": _of(column.in_types, "type_list", a.TYPES),
    "expect_column_values_to_match_strftime_format": _of(column.strftime, "strftime_format", a.TEXT),
    "expect_column_values_to_be_json_parseable": Expectation(column.json_parseable),
    "expect_column_values_to_match_json_schema": _of(column.json_schema, "json_schema", a.JSON_SCHEMA),
    "expect_column_pair_values_to_be_equal": Expectation(row.pair_equal, **_PAIR),
    "expect_column_pair_values_a_to_be_greater_than_b": Expectation(row.pair_greater, {"or_equal": a.FLAG}, **_PAIR),
    "expect_column_pair_values_to_be_in_set": Expectation(
        row.pair_in_set, {"value_pairs_set": a.PAIRS}, required=("value_pairs_set",), **_PAIR
    ),
    "expect_multicolumn_sum_to_equal": Expectation(
        row.sum_equal, {"sum_total": a.NUMBER}, required=("sum_total",), **_MULTI
    ),
    "expect_multicolumn_values_to_be_equal": Expectation(row.all_equal, **_MULTI),
    "expect_select_column_values_to_be_unique_within_record": Expectation(row.all_different, **_MULTI),
    "condition": _of(_never, "condition", a.CONDITION, columns=()),
}

CHANGES: dict[str, Expectation] = {
    "transitions": Expectation(
        row.transition, {"allow": a.STATES, "initial": a.VALUES}, required=("allow",), scope=Scope.CHANGE
    ),
    "immutable": Expectation(row.immutable, scope=Scope.CHANGE, short="column"),
    "monotonic": Expectation(
        row.monotonic, {"strict": a.FLAG, "decreasing": a.FLAG}, scope=Scope.CHANGE, short="column"
    ),
}

WINDOWS: dict[str, Expectation] = {
    "expect_column_values_to_be_unique": _window(),
    "expect_compound_columns_to_be_unique": _window(**_MULTI),
    "expect_column_values_to_be_increasing": _window({"strictly": a.FLAG}),
    "expect_column_values_to_be_decreasing": _window({"strictly": a.FLAG}),
    "expect_column_mean_to_be_between": _window(_BOUNDS, some=_EITHER),
    "expect_column_min_to_be_between": _window(_BOUNDS, some=_EITHER),
    "expect_column_max_to_be_between": _window(_BOUNDS, some=_EITHER),
    "expect_column_sum_to_be_between": _window(_BOUNDS, some=_EITHER),
    "expect_column_median_to_be_between": _window(_BOUNDS, some=_EITHER),
    "expect_column_stdev_to_be_between": _window(_NUMBERS, some=_EITHER),
    "expect_column_quantile_values_to_be_between": _window(
        {"quantile_ranges": a.QUANTILE_RANGES, "allow_relative_error": a.FLAG}, required=("quantile_ranges",)
    ),
    "expect_column_unique_value_count_to_be_between": _window(_NUMBERS, some=_EITHER),
    "expect_column_proportion_of_unique_values_to_be_between": _window(_NUMBERS, some=_EITHER),
    "expect_column_proportion_of_non_null_values_to_be_between": _window(_NUMBERS, some=_EITHER),
    "expect_column_distinct_values_to_be_in_set": _window(_SET, required=("value_set",), short="value_set"),
    "expect_column_distinct_values_to_contain_set": _window(_SET, required=("value_set",), short="value_set"),
    "expect_column_distinct_values_to_equal_set": _window(_SET, required=("value_set",), short="value_set"),
    "expect_column_most_common_value_to_be_in_set": _window(
        {**_SET, "ties_okay": a.FLAG}, required=("value_set",), short="value_set"
    ),
    "expect_table_row_count_to_be_between": _window(_NUMBERS, some=_EITHER, columns=()),
    "expect_table_row_count_to_equal": _window({"value": a.LENGTH}, required=("value",), short="value", columns=()),
    "freshness": _window({"max_age": a.DURATION}, required=("max_age",), short="max_age", columns=()),
    "volume": _window(
        {"min_share": a.NUMBER, "max_share": a.NUMBER, "windows": a.LENGTH}, some=("min_share", "max_share"), columns=()
    ),
}

SHAPES: dict[str, Expectation] = {
    "expect_column_to_exist": _shape({"column_index": a.LENGTH}, columns=("column",), short="column"),
    "expect_column_type_to_be": _shape({"type_": a.COLUMN_TYPE}, columns=("column",), required=("type_",)),
    "expect_table_columns_to_match_set": _shape(
        {"column_set": a.NAMES, "exact_match": a.FLAG}, required=("column_set",), short="column_set"
    ),
    "expect_table_columns_to_match_ordered_list": _shape(
        {"column_list": a.NAMES}, required=("column_list",), short="column_list"
    ),
    "expect_table_column_count_to_be_between": _shape({"min_value": a.NUMBER, "max_value": a.NUMBER}, some=_EITHER),
    "expect_table_column_count_to_equal": _shape({"value": a.LENGTH}, required=("value",), short="value"),
}

EXPECTATIONS: dict[str, Expectation] = {**ROWS, **CHANGES, **WINDOWS, **SHAPES}
_PREFIXES = ("expect_column_values_to_", "expect_column_", "expect_table_", "expect_")


def full_name(name: str) -> str:
    """The full name of an expectation whose prefix may have been left out."""
    for candidate in (name, *(f"{prefix}{name}" for prefix in _PREFIXES)):
        if candidate in EXPECTATIONS or candidate in NOT_HERE:
            return candidate
    return name


def spellings(name: str) -> tuple[str, ...]:
    """All names by which an expectation may be called, the shortest first."""
    shorter = [name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)]
    return tuple(dict.fromkeys((*(one for one in shorter if full_name(one) == name), name)))


def short_name(name: str) -> str:
    """A readable name: the full one without its prefix."""
    return spellings(name)[0]

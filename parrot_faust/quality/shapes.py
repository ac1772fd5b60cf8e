"""Rules about a table's columns, judged on its shape alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models import Column
from parrot_faust.quality.rules import Rule
from parrot_faust.quality.values import TYPES
from parrot_faust.quality.windows import WindowVerdict

Columns = Mapping[str, Column | None]


def judge_shape(rule: Rule, columns: Columns) -> WindowVerdict:
    """Whether a table with these columns, in this order, is as the rule says. A column without a kind has no type."""
    success, observed = _JUDGES[rule.type](rule, columns)
    return WindowVerdict(success, observed)


def _exists(rule: Rule, columns: Columns) -> tuple[bool, Any]:
    names = list(columns)
    index = rule.kwargs.get("column_index")
    if index:
        return index < len(names) and names[index] == rule.column, names
    return rule.column in columns, names


def _type(rule: Rule, columns: Columns) -> tuple[bool, Any]:
    column, wanted = columns.get(rule.column), rule.kwargs["type_"]
    if column is None:
        return False, None
    return column.kind == wanted or column.kind in TYPES.get(wanted, ()), str(column.kind)


def _set(rule: Rule, columns: Columns) -> tuple[bool, Any]:
    wanted = set(rule.kwargs["column_set"])
    exact = rule.kwargs.get("exact_match", True)
    return (set(columns) == wanted if exact else wanted <= set(columns)), list(columns)


def _list(rule: Rule, columns: Columns) -> tuple[bool, Any]:
    return list(columns) == rule.kwargs["column_list"], list(columns)


def _count(rule: Rule, columns: Columns) -> tuple[bool, Any]:
    low, high = rule.kwargs.get("min_value"), rule.kwargs.get("max_value")
    found = len(columns)
    return (low is None or found >= low) and (high is None or found <= high), found


def _count_equal(rule: Rule, columns: Columns) -> tuple[bool, Any]:
    return len(columns) == rule.kwargs["value"], len(columns)


_JUDGES: dict[str, Callable[[Rule, Columns], tuple[bool, Any]]] = {
    "expect_column_to_exist": _exists,
    "expect_column_type_to_be": _type,
    "expect_table_columns_to_match_set": _set,
    "expect_table_columns_to_match_ordered_list": _list,
    "expect_table_column_count_to_be_between": _count,
    "expect_table_column_count_to_equal": _count_equal,
}

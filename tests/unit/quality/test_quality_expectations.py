"""What each expectation lets through."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from rule_tables import change, compiled, passes

from models import Kind
from parrot_faust.quality.expectations import EXPECTATIONS, full_name, short_name
from parrot_faust.quality.values import is_null

NAN = float("nan")
NULLS = [("string", None), ("int64", None), ("float64", None), ("float64", NAN), ("decimal", Decimal("NaN"))]
DAY = (date(2024, 2, 29) - date(1970, 1, 1)).days
NOON = int(datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(("column", "value"), NULLS)
def test_null_is_none_and_what_is_not_a_number(column: str, value: Any) -> None:
    assert is_null(value)
    assert not passes(f"{column}: [not_be_null]", **{column: value})
    assert passes(f"{column}: [be_null]", **{column: value})


@pytest.mark.parametrize(
    ("column", "value"), [("string", ""), ("int64", 0), ("float64", float("inf")), ("bool", False), ("bytes", b"")]
)
def test_empty_and_zero_are_not_null(column: str, value: Any) -> None:
    assert passes(f"{column}: [not_be_null]", **{column: value})
    assert not passes(f"{column}: [be_null]", **{column: value})


@pytest.mark.parametrize(
    "check",
    [
        "{be_between: {min_value: 5}}",
        "{be_in_set: [5]}",
        "{not_be_in_set: [5]}",
        "{be_of_type: Decimal}",
        "{be_in_type_list: [Decimal]}",
        "{match_regex: '5'}",
        "{not_match_regex: '.'}",
        "{value_lengths_to_equal: 1}",
        "{value_lengths_to_be_between: {min_value: 1}}",
    ],
)
def test_column_checks_pass_over_nulls(check: str) -> None:
    assert passes(f"decimal: [{check}]", decimal=None)
    assert passes(f"decimal: [{check}]", decimal=Decimal("NaN"))


@pytest.mark.parametrize(
    ("bounds", "passing"),
    [
        ("min_value: 1, max_value: 3", [1, 2, 3]),
        ("min_value: 1, max_value: 3, strict_min: true", [2, 3]),
        ("min_value: 1, max_value: 3, strict_max: true", [1, 2]),
        ("min_value: 1, max_value: 3, strict_min: true, strict_max: true", [2]),
        ("min_value: 1, max_value: 3, strict_min: false, strict_max: false", [1, 2, 3]),
        ("min_value: 1", [1, 2, 3, 4]),
        ("min_value: 1, strict_min: true", [2, 3, 4]),
        ("max_value: 3", [0, 1, 2, 3]),
        ("max_value: 3, strict_max: true", [0, 1, 2]),
        ("min_value: 2, max_value: 2", [2]),
    ],
)
@pytest.mark.parametrize(("column", "make"), [("int64", int), ("float64", float), ("decimal", Decimal)])
def test_bounds_are_inclusive_unless_strict(bounds: str, passing: list[int], column: str, make: Any) -> None:
    rule = f"{column}: [{{be_between: {{{bounds}}}}}]"
    assert [n for n in range(5) if passes(rule, **{column: make(n)})] == passing


def test_number_bounds_are_floats_unless_exact() -> None:
    big = 2**53 + 1
    assert passes(f"int64: [{{be_between: {{min_value: {big}}}}}]", int64=2**53)
    assert not passes(f"int64: [{{be_between: {{min_value: {big}, exact: true}}}}]", int64=2**53)
    assert passes(f"int64: [{{be_between: {{min_value: {big}, exact: true}}}}]", int64=big)


def test_a_decimal_at_a_written_bound_is_within_it() -> None:
    rule = "decimal: [{be_between: {min_value: 0.1, max_value: 0.3}}]"
    assert [passes(rule, decimal=Decimal(text)) for text in ("0.10", "0.3", "0.09", "0.31")] == [
        True,
        True,
        False,
        False,
    ]
    exact = "decimal: [{be_between: {min_value: 0.1, exact: true}}]"
    assert passes(exact, decimal=Decimal("0.1"))
    assert not passes(exact, decimal=Decimal("0.09999999999999999999999"))


@pytest.mark.parametrize(
    ("column", "bound", "at"),
    [
        ("date", "2024-02-29", DAY),
        ("timestamp", "2024-02-29T12:00:00", NOON),
        ("timestamp", "2024-02-29T13:00:00+01:00", NOON),
        ("timestamp", "2024-02-29", NOON - 12 * 3_600_000_000),
        ("time", "08:30:00.000001", 30_600_000_001),
        ("string", "m", "m"),
    ],
)
@pytest.mark.parametrize("quote", ["'", ""])
def test_bounds_written_as_text_are_what_the_column_holds(column: str, bound: str, at: Any, quote: str) -> None:
    if not quote and ": " in f"{bound} ":
        quote = "'"
    rule = f"{column}:\n    - be_between:\n        min_value: {quote}{bound}{quote}\n        strict_min: true"
    assert not passes(rule, **{column: at})
    assert passes(rule, **{column: at + ("a" if isinstance(at, str) else 1)})
    assert passes(rule.replace("strict_min: true", "strict_min: false"), **{column: at})


def test_dates_before_the_epoch_and_infinite_floats_are_ordered() -> None:
    assert passes("date: [{be_between: {max_value: '1969-12-31'}}]", date=-1)
    assert not passes("date: [{be_between: {max_value: '1969-12-31'}}]", date=0)
    assert passes("float64: [{be_between: {min_value: 0}}]", float64=float("inf"))
    assert not passes("float64: [{be_between: {min_value: 0}}]", float64=float("-inf"))


@pytest.mark.parametrize(
    ("column", "value", "inside"),
    [
        ("int64", 1, True),
        ("bool", True, True),
        ("float64", 1.0, True),
        ("decimal", Decimal(1), True),
        ("string", "1", False),
        ("string", "NO", True),
        ("string", "no", False),
        ("string", "", False),
    ],
)
def test_sets_hold_what_python_calls_equal(column: str, value: Any, inside: bool) -> None:
    assert passes(f"{column}: [{{be_in_set: [1, NO]}}]", **{column: value}) is inside
    assert passes(f"{column}: [{{not_be_in_set: [1, NO]}}]", **{column: value}) is not inside


def test_sets_of_dates_are_written_as_text() -> None:
    rule = "date: [{be_in_set: ['2024-02-29']}]"
    assert passes(rule, date=DAY)
    assert not passes(rule, date=DAY + 1)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("int", {"bool", "int8", "int16", "int32", "int64"}),
        ("float", {"float32", "float64"}),
        ("str", {"string"}),
        ("bytes", {"bytes"}),
        ("bool", {"bool"}),
        ("Decimal", {"decimal"}),
        ("date", {"date"}),
        ("datetime", {"timestamp"}),
        ("time", {"time"}),
    ],
)
def test_types_are_those_of_the_column(name: str, kinds: set[str]) -> None:
    one = {str(kind) for kind in Kind if passes(f"{kind}: [{{be_of_type: {name}}}]", **{str(kind): 1})}
    listed = {str(kind) for kind in Kind if passes(f"{kind}: [{{be_in_type_list: [{name}]}}]", **{str(kind): 1})}
    assert one == kinds
    assert listed == kinds


def test_lengths_count_characters_and_their_bounds_are_inclusive() -> None:
    rule = "string: [{value_lengths_to_be_between: {min_value: 1, max_value: 2}}]"
    assert [passes(rule, string=text) for text in ("", "å", "åå", "😀😀", "abc")] == [False, True, True, True, False]
    assert passes("bytes: [{value_lengths_to_equal: 1}]", bytes="å".encode())
    assert passes("decimal: [{value_lengths_to_equal: 4}]", decimal=Decimal("1.50"))
    assert not passes("string: [{value_lengths_to_equal: 1}]", string="")


def test_patterns_are_searched_for_not_matched_from_the_start() -> None:
    assert passes("string: [{match_regex: 'b+'}]", string="abc")
    assert not passes("string: [{not_match_regex: 'b+'}]", string="abc")
    assert not passes("string: [{match_regex: '^b'}]", string="abc")
    assert passes("int64: [{match_regex: '^42$'}]", int64=42)
    assert passes("bytes: [{match_regex: '^å$'}]", bytes="å".encode())


def test_bytes_that_are_no_text_fail_with_the_reason() -> None:
    rules = compiled("bytes: [{not_match_regex: 'a'}]")
    row = change(bytes=b"\xff")
    [(position, mask)] = rules.scan([row])
    assert (position, mask) == (0, 1)
    assert "UnicodeDecodeError" in rules.explain(row, mask)[0].reason


@pytest.mark.parametrize(
    ("rule", "a", "b", "expected"),
    [
        ("equal", 1, 1, True),
        ("equal", 1, 2, False),
        ("equal", None, None, True),
        ("equal", 1, None, False),
        ("greater", 2, 1, True),
        ("greater", 1, 1, False),
        ("greater", None, None, True),
        ("greater", None, 1, False),
        ("greater", 1, None, False),
        ("at_least", 1, 1, True),
        ("at_least", 0, 1, False),
    ],
)
def test_pairs_are_compared_unless_both_are_null(rule: str, a: int | None, b: int | None, expected: bool) -> None:
    columns = "column_A: int64, column_B: other"
    check = {
        "equal": f"expect_column_pair_values_to_be_equal: {{{columns}}}",
        "greater": f"expect_column_pair_values_a_to_be_greater_than_b: {{{columns}}}",
        "at_least": f"pair_values_a_to_be_greater_than_b: {{{columns}, or_equal: true}}",
    }[rule]
    assert passes("", more=f"rows: [{{{check}}}]", int64=a, other=b) is expected


def test_every_expectation_is_found_by_its_short_name_and_its_full_one() -> None:
    for name in EXPECTATIONS:
        assert full_name(name) == full_name(short_name(name)) == name


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("string: [{be_between: {min_value: 5}}]", "can't be compared with a text"),
        ("int64: [{be_between: {min_value: abc}}]", "abc"),
        ("date: [{be_between: {min_value: 5}}]", "is not a date"),
        ("bytes: [{be_between: {min_value: 5}}]", "bytes have no order"),
        ("timestamp: [{match_regex: '^2'}]", "has no text"),
        ("date: [{be_in_set: ['2024-02-30']}]", "day is out of range"),
        ("gone: [not_be_null]", "no column gone"),
    ],
)
def test_a_rule_that_does_not_fit_its_column_is_suspended_with_the_reason(rule: str, reason: str) -> None:
    rules = compiled(f"{rule}\n  flag: [not_be_null]")
    assert [(one.rule.column, reason in one.reason) for one in rules.suspended] == [(rule.split(":")[0], True)]
    assert [one.column for one in rules.rules] == ["flag"]
    assert rules.scan([change(flag=None), change(flag="x")]) == [(0, 1)]


def test_pairs_of_kinds_that_have_no_common_order_are_suspended() -> None:
    check = "expect_column_pair_values_to_be_equal: {column_A: date, column_B: timestamp}"
    rules = compiled(more=f"rows: [{{{check}}}]")
    assert "a date can't be compared with a timestamp" in rules.suspended[0].reason

"""`row_condition`: which rows a rule is about."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rule_tables import ALL, NAMES, change, compiled

from parrot_faust.quality.conditions import MAX_DEPTH, MAX_LENGTH, ConditionError, columns_of, compile_condition

COLUMNS = {column.name: (index, column.kind) for index, column in enumerate(ALL.columns)}
NAN = float("nan")


def holds(condition: str, **values: Any) -> bool:
    return compile_condition(condition, COLUMNS)(tuple(values.get(name) for name in NAMES))


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("int64 == 1", {"int64": 1}, True),
        ("int64 != 1", {"int64": 1}, False),
        ("int64 < 1", {"int64": 0}, True),
        ("int64 <= 1", {"int64": 1}, True),
        ("int64 > -1.5", {"int64": -1}, True),
        ("int64 >= 2", {"int64": 1}, False),
        ("string == 'it\\'s'", {"string": "it's"}, True),
        ('string == "NO"', {"string": "NO"}, True),
        ("string < 'b'", {"string": "a"}, True),
        ("string in ('a', 'b')", {"string": "b"}, True),
        ("string not in ('a', 'b')", {"string": "b"}, False),
        ("bool == true", {"bool": True}, True),
        ("bool == FALSE", {"bool": True}, False),
        ("decimal > 0.1", {"decimal": Decimal("0.1")}, False),
        ("decimal == 0.1", {"decimal": Decimal("0.10")}, True),
        ("date >= '1970-01-02'", {"date": 1}, True),
        ("date >= '1970-01-02'", {"date": 0}, False),
        ("timestamp == '1970-01-01T00:00:01Z'", {"timestamp": 1_000_000}, True),
        ("time in ('00:00:01')", {"time": 1_000_000}, True),
    ],
)
def test_a_condition_compares_columns_with_what_is_written(condition: str, values: Any, expected: bool) -> None:
    assert holds(condition, **values) is expected


@pytest.mark.parametrize("value", [None, NAN])
def test_comparisons_with_null_are_false_but_for_those_that_exclude(value: Any) -> None:
    for condition in ("== 1", "< 1", "<= 1", "> 1", ">= 1", "in (1, 2)", "is not null"):
        assert not holds(f"float64 {condition}", float64=value), condition
    for condition in ("!= 1", "not in (1, 2)", "is null"):
        assert holds(f"float64 {condition}", float64=value), condition
    assert not holds("decimal > 1", decimal=Decimal("NaN"))


def test_and_binds_tighter_than_or_and_brackets_change_it() -> None:
    assert holds("int64 == 1 or int64 == 2 and other == 3", int64=1, other=0)
    assert not holds("(int64 == 1 or int64 == 2) and other == 3", int64=1, other=0)
    assert holds("not int64 == 1 AND NOT (other == 1)", int64=2, other=2)


@pytest.mark.parametrize(
    ("condition", "complaint"),
    [
        ("", "more"),
        ("int64", "more"),
        ("int64 = 1", "= 1"),
        ("int64 == ", "more"),
        ("int64 == null", "a value was expected"),
        ("1 == int64", "a column was expected"),
        ("int64 == 1 int64", "one too many"),
        ("(int64 == 1", "it ends where ) was expected"),
        ("int64 in 1", "'(' was expected"),
        ("int64 in ()", "a value was expected"),
        ("int64 is 1", "'null' was expected"),
        ("int64 not 1", "'in' was expected"),
        ("int64 like 'a'", "a comparison was expected"),
        ("string == 'a", "can't be read"),
        ("int64 == 1; drop", "can't be read"),
        ("__import__('os').system('true')", "can't be read here"),
        ("int64 == __import__('os')", "one too many"),
        ("(lambda: 1)() == 1", "can't be read"),
        ("int64.__class__ == 1", "only before and after have columns"),
        ("(" * (MAX_DEPTH + 1) + "int64 == 1" + ")" * (MAX_DEPTH + 1), "too deeply"),
        ("not " * (MAX_DEPTH + 1) + "int64 == 1", "too deeply"),
        (" " * MAX_LENGTH + "int64 == 1", "at most"),
    ],
)
def test_what_is_no_condition_is_refused_with_the_place(condition: str, complaint: str) -> None:
    with pytest.raises(ConditionError) as refused:
        columns_of(condition)
    assert complaint in str(refused.value)


def test_a_condition_names_its_columns_without_a_table() -> None:
    assert columns_of("a == 1 or not (b in ('x') and c is null)") == {"a", "b", "c"}


@pytest.mark.parametrize(
    "condition",
    ["string > 5", "int64 == 'a'", "date > 5", "date > 'soon'", "bytes == 'a'", "string in ('a', 1)"],
)
def test_a_value_that_its_column_can_not_be_compared_with_suspends_the_rule(condition: str) -> None:
    rules = compiled(f'flag: [{{not_be_null: , row_condition: "{condition}"}}]')
    assert [one.rule.column for one in rules.suspended] == ["flag"]
    assert condition.split()[0] in rules.suspended[0].reason


def test_a_rule_asks_its_condition_before_it_looks_at_the_value() -> None:
    rules = compiled("string: [{not_be_null: , row_condition: int64 > 5}]")
    rows = [change(int64=6), change(int64=5), change(int64=None), change(int64=6, string="x")]
    assert rules.scan(rows) == [(0, 1)]


def test_a_condition_on_a_column_that_is_gone_suspends_its_rule() -> None:
    rules = compiled("string: [{not_be_null: , row_condition: gone > 5}]")
    assert "no column gone" in rules.suspended[0].reason


def test_a_condition_on_a_value_that_the_event_did_not_carry_holds_nothing_back() -> None:
    rules = compiled("int64: [{not_be_null: , row_condition: string is null}]")
    assert rules.scan([change(string=None)]) == [(0, 1)]
    assert rules.scan([change(string=None, unset=("string",))]) == []

"""The one function made of a rule set: which rows fail which rules, what happens to them, and that it runs nothing."""

from __future__ import annotations

import builtins
import os
import subprocess
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from rule_tables import ALL, change, compiled, passes

from models import Action, Column, Kind, Op, Severity, TableSchema
from parrot_faust.errors import RuleError
from parrot_faust.quality import Rule, RuleSet, compile_rules, load
from parrot_faust.quality.rules import When

#: Each would leave its mark if any of it were run.
CODE = [
    "__import__('os').system('touch ran')",
    "'); import os; os.system('touch ran'); ('",
    "0): mask = 0\n            import os; os.system('touch ran')\n            if (1",
    "{__import__('os').system('touch ran')}",
    "\\'); raise SystemExit  # ",
    '"""\nimport os\n"""',
    "check_0",
    "careful(change)",
]


def test_only_rows_that_fail_are_named_with_their_rules() -> None:
    rules = compiled("int64: [not_be_null, {be_between: {min_value: 5}}]\n  string: [{be_in_set: [a]}]")
    rows = [
        change(int64=5, string="a"),
        change(int64=4, string="b"),
        change(string="a"),
        change(int64=9, string="z"),
    ]
    assert rules.scan(rows) == [(1, 0b110), (2, 0b001), (3, 0b100)]
    assert rules.scan([]) == []


def test_failures_say_which_rule_of_which_version_and_what_was_seen() -> None:
    rules = compiled(
        "int64: [{be_between: {min_value: 5}, action: warn, severity: info}]\n  string: [{be_in_set: [a]}]"
    )
    row = change(int64=4, string="b")
    [(_, mask)] = rules.scan([row])
    first, second = rules.explain(row, mask)
    assert (first.rule, first.version, first.action, first.severity, first.column, first.value) == (
        "int64.be_between", rules.version, Action.WARN, Severity.INFO, "int64", 4,
    )  # fmt: skip
    assert first.reason == "be_between does not hold for 4"
    assert (second.rule, second.action, second.value) == ("string.be_in_set", Action.QUARANTINE, "b")


def test_a_long_value_is_cut_in_the_reason_and_whole_in_the_value() -> None:
    rules = compiled("string: [{value_lengths_to_equal: 1}]")
    row = change(string="x" * 1_000)
    [failure] = rules.explain(row, 1)
    assert len(failure.reason) < 200
    assert failure.value == "x" * 1_000


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["warn"], Action.WARN),
        (["warn", "drop"], Action.DROP),
        (["drop", "quarantine", "warn"], Action.QUARANTINE),
        (["drop", "warn"], Action.DROP),
    ],
)
def test_the_strictest_action_of_the_failed_rules_wins(actions: list[str], expected: Action) -> None:
    rules = compiled(f"int64: [{', '.join(f'{{be_in_set: [1], action: {action}}}' for action in actions)}]")
    [(_, mask)] = rules.scan([change(int64=2)])
    assert rules.action(mask) is expected


def test_the_action_of_a_rule_that_did_not_fail_does_not_count() -> None:
    rules = compiled("int64: [{be_in_set: [1], action: warn}, {be_in_set: [1, 2], action: quarantine}]")
    [(_, mask)] = rules.scan([change(int64=2)])
    assert rules.action(mask) is Action.WARN


def test_mostly_is_no_excuse_for_a_single_row() -> None:
    assert not passes("int64: [{be_in_set: [1], mostly: 0.1}]", int64=2)
    assert not passes("int64: [{be_in_set: [1], mostly: 0}]", int64=2)


@pytest.mark.parametrize(
    ("when", "failing"),
    [
        ("", "cur"),
        ("when: {ops: [c]}", "c"),
        ("when: {ops: [u, r]}", "ur"),
        ("when: {ops: [d]}", ""),
        ("when: {ops: [d, c], image: before}", "d"),
    ],
)
def test_only_the_operations_and_the_image_asked_for_are_checked(when: str, failing: str) -> None:
    rules = compiled("int64: [not_be_null]", more=when)
    assert "".join(op for op in "curd" if rules.scan([change(Op(op))])) == failing


def test_truncates_and_messages_have_no_row_to_check() -> None:
    rules = compiled("int64: [not_be_null]")
    rows = [change(Op.TRUNCATE), change(Op.MESSAGE)]
    assert rules.scan([msgspec.structs.replace(row, after=None) for row in rows]) == []


def test_a_value_that_the_event_did_not_carry_is_not_judged() -> None:
    rules = compiled("string: [not_be_null]\n  int64: [not_be_null]")
    assert rules.scan([change(Op.UPDATE, unset=("string",), int64=1)]) == []
    assert rules.scan([change(Op.UPDATE, unset=("string",))]) == [(0, 0b10)]
    assert rules.scan([change(Op.UPDATE)]) == [(0, 0b11)]


def test_a_rule_that_raises_fails_for_that_row_alone_and_says_what_it_raised() -> None:
    rules = compiled("string: [{value_lengths_to_equal: 1}]\n  int64: [not_be_null]")
    odd = change(string=5, int64=1)
    assert rules.scan([change(string="a", int64=1), odd, change(string="b", int64=1)]) == [(1, 0b01)]
    assert rules.explain(odd, 1)[0].reason.startswith("TypeError: ")


def test_a_signalling_nan_does_not_stop_the_batch() -> None:
    rules = compiled("decimal: [{be_between: {min_value: 1}}]\n  int64: [not_be_null]")
    assert rules.scan([change(decimal=Decimal("sNaN"), int64=1), change(decimal=Decimal(0), int64=1)]) == [(1, 0b01)]


def test_more_rules_than_a_machine_word_has_bits() -> None:
    rules = compiled("int64: [" + ", ".join(f"{{not_be_in_set: [{n}]}}" for n in range(200)) + "]")
    assert rules.scan([change(int64=n) for n in (0, 63, 64, 199, 200)]) == [
        (position, 1 << n) for position, n in enumerate((0, 63, 64, 199))
    ]


def test_no_rules_let_everything_pass() -> None:
    assert compiled().scan([change()]) == []


def test_rules_move_with_their_columns_when_the_shape_changes() -> None:
    rules = load("table: t\ncolumns: {b: [{be_in_set: [1]}]}", "t.yaml")
    narrow = TableSchema.of("t", (Column("b", Kind.INT64),), ())
    wide = TableSchema.of("t", (Column("a", Kind.INT64), Column("b", Kind.INT64)), ())
    row = change()
    assert compile_rules(rules, narrow).scan([msgspec.structs.replace(row, after=(1,))]) == []
    assert compile_rules(rules, wide).scan([msgspec.structs.replace(row, after=(1, 2))]) == [(0, 1)]


def test_a_rule_from_elsewhere_that_is_none_is_suspended_and_the_others_hold() -> None:
    rules = RuleSet.of(
        "t",
        When(),
        (
            Rule("a", "expect_nothing", "int64", {}),
            Rule("b", "expect_column_values_to_be_in_set", "int64", {}),
            Rule("c", "expect_column_values_to_be_in_set", "int64", {"value_set": 5}),
            Rule("d", "expect_column_values_to_be_between", "int64", {"min_value": [1]}),
            Rule("e", "expect_column_pair_values_to_be_equal", "", {}),
            Rule("f", "expect_column_values_to_match_regex", "string", {"regex": "("}),
            Rule("g", "expect_column_values_to_match_regex", "string", {"regex": ["a"]}),
            Rule("h", "expect_column_values_to_not_be_null", "int64", {}, row_condition="int64 =="),
            Rule("i", "expect_column_values_to_not_be_null", "int64", {}),
        ),
    )
    made = compile_rules(rules, ALL)
    assert [one.rule.id for one in made.suspended] == list("abcdefgh")
    assert made.scan([change()]) == [(0, 1)]


# -- nothing a user wrote is run ------------------------------------------------------------------------------------


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> list[str]:
    """What was handed to `compile`, with every way out of the process closed."""
    monkeypatch.chdir(tmp_path)
    sources: list[str] = []
    original = builtins.compile

    def noting(source: Any, name: Any, *rest: Any, **more: Any) -> Any:
        if name == "<rules>":
            sources.append(source)
        return original(source, name, *rest, **more)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something of the rule file was run")

    monkeypatch.setattr(builtins, "compile", noting)
    monkeypatch.setattr(builtins, "eval", refuse)
    monkeypatch.setattr(os, "system", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    return sources


def rules_holding(code: str) -> dict[str, Any]:
    """A rule file in which every place for a user's text holds this one."""
    return {
        "table": code,
        "columns": {
            code: [
                {"be_in_set": [code], "id": code},
                {"not_be_in_set": [code + "x"]},
                {"value_lengths_to_equal": len(code)},
                {"be_between": {"min_value": code, "max_value": code}},
            ]
        },
        "rows": [{"pair_values_to_be_equal": {"column_A": code, "column_B": code}}],
    }


@pytest.mark.parametrize("code", CODE)
def test_code_in_names_values_and_bounds_is_text_and_nothing_else(code: str, guarded: list[str], tmp_path: Any) -> None:
    rules = load(msgspec.json.encode(rules_holding(code)).decode(), "t.yaml")
    schema = TableSchema.of(code, (Column(code, Kind.STRING),), (code,))
    made = compile_rules(rules, schema)
    assert not made.suspended
    row = msgspec.structs.replace(change(), after=(code,))
    other = msgspec.structs.replace(change(), after=(code + "x",))
    assert made.scan([row, other]) == [(1, 0b01111)]
    assert code in made.explain(other, 1)[0].column
    assert len(guarded) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", CODE)
def test_code_in_a_pattern_is_a_pattern_or_refused(code: str, guarded: list[str], tmp_path: Any) -> None:
    text = msgspec.json.encode({"table": "t", "columns": {"string": [{"match_regex": code}]}}).decode()
    try:
        compile_rules(load(text, "t.yaml"), ALL).scan([change(string=code)])
    except RuleError as error:
        assert "regular expression" in str(error)  # noqa: PT017 - either is right
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", CODE)
def test_code_in_a_condition_is_refused(code: str, guarded: list[str]) -> None:
    check = {"not_be_null": None, "row_condition": code}
    with pytest.raises(RuleError, match="row_condition"):
        load(msgspec.json.encode({"table": "t", "columns": {"string": [check]}}).decode(), "t.yaml")


def test_the_source_that_is_compiled_is_the_same_whatever_the_file_says(guarded: list[str]) -> None:
    for code in CODE:
        schema = TableSchema.of(code, (Column(code, Kind.STRING),), (code,))
        compile_rules(load(msgspec.json.encode(rules_holding(code)).decode(), "t.yaml"), schema)
    assert len(guarded) == len(CODE)
    assert len(set(guarded)) == 1

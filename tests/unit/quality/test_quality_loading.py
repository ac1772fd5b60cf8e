"""Reading rule files: what is taken, and what is refused with the place and what was meant."""

from __future__ import annotations

import json
import time

import pytest

from models import Action, Severity
from parrot_faust.errors import RuleError
from parrot_faust.quality import Rule, RuleSet, load
from parrot_faust.quality.loading import MAX_BYTES
from parrot_faust.quality.refused import NOT_HERE

HEAD = "table: t\ncolumns:\n  a:\n"


def refused(text: str) -> RuleError:
    with pytest.raises(RuleError) as caught:
        load(text, "rules/t.yaml")
    assert caught.value.file == "rules/t.yaml"
    assert str(caught.value).startswith("rules/t.yaml:")
    return caught.value


def rule(check: str) -> Rule:
    [one] = load(f"{HEAD}  - {check}\n", "t.yaml").rules
    return one


def test_a_file_says_everything_about_its_rules() -> None:
    rules = load(
        """
version: 1
table: shop.public.orders
when: {ops: [c, d], image: before}
defaults: {severity: info, action: drop}
columns:
  id: [not_be_null, expect_column_values_to_be_of_type: int]
  a:
    - be_between: {min_value: 0, max_value: 9.5, strict_max: true}
      mostly: 0.99
      severity: warning
      action: warn
      row_condition: id > 5
      id: a-in-range
    - be_in_set: {value_set: [NO, 1, true, 2024-02-29], mostly: 1}
rows:
  - expect_column_pair_values_a_to_be_greater_than_b: {column_A: a, column_B: id, or_equal: true}
""",
        "orders.yaml",
    )
    assert (rules.table, rules.when.ops, rules.when.image) == ("shop.public.orders", ("c", "d"), "before")
    assert rules.rules == (
        Rule("id.not_be_null", "expect_column_values_to_not_be_null", "id", {}, Action.DROP, Severity.INFO),
        Rule("id.be_of_type", "expect_column_values_to_be_of_type", "id", {"type_": "int"}, Action.DROP, Severity.INFO),
        Rule(
            "a-in-range",
            "expect_column_values_to_be_between",
            "a",
            {"min_value": 0, "max_value": 9.5, "strict_max": True},
            Action.WARN,
            Severity.WARNING,
            0.99,
            "id > 5",
        ),
        Rule(
            "a.be_in_set",
            "expect_column_values_to_be_in_set",
            "a",
            {"value_set": ["NO", 1, True, "2024-02-29"]},
            Action.DROP,
            Severity.INFO,
        ),
        Rule(
            "a.id.pair_values_a_to_be_greater_than_b",
            "expect_column_pair_values_a_to_be_greater_than_b",
            "",
            {"column_A": "a", "column_B": "id", "or_equal": True},
            Action.DROP,
            Severity.INFO,
        ),
    )
    assert RuleSet.from_json(rules.to_json()) == rules


def test_a_row_that_fails_is_quarantined_unless_the_file_says_otherwise() -> None:
    one = rule("not_be_null")
    assert (one.action, one.severity, one.mostly, one.row_condition) == (Action.QUARANTINE, Severity.CRITICAL, 1.0, "")


def test_the_version_is_equal_exactly_when_the_rules_are() -> None:
    first = load(f"{HEAD}  - be_between: {{min_value: 1}} # one\n", "a.yaml")
    same = load(f"{HEAD}    - be_between:\n        min_value: 1\n", "b.yaml")
    other = load(f"{HEAD}  - be_between: {{min_value: 1.5}}\n", "a.yaml")
    assert first == same
    assert first.version != other.version
    with pytest.raises(ValueError, match="has been changed"):
        RuleSet.from_json(first.to_json().replace('"min_value":1', '"min_value":2'))


def test_every_rule_has_an_id_of_its_own() -> None:
    text = "[{match_regex: x}, {match_regex: y}, {match_regex: z, id: a.match_regex.2}, {match_regex: q, id: n}]"
    rules = load(f"table: t\ncolumns: {{a: {text}}}", "t.yaml").rules
    assert [one.id for one in rules] == ["a.match_regex", "a.match_regex.2", "a.match_regex.2.2", "n"]


def test_yaml_is_1_2_so_that_no_is_a_text_and_a_date_too() -> None:
    assert rule("be_in_set: [NO, no, off, 0o10, 1e3, 2024-02-29, 2024-02-29T10:00:00Z]").kwargs["value_set"] == [
        "NO", "no", "off", 8, 1000.0, "2024-02-29", "2024-02-29T10:00:00Z",
    ]  # fmt: skip


def test_a_suite_of_great_expectations_is_taken_as_it_is() -> None:
    suite = {
        "name": "shop.public.orders",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "a", "min_value": 0, "max_value": None, "mostly": 0.9},
                "meta": {"owner": "x"},
                "severity": "warning",
                "id": None,
            },
            {
                "type": "expect_column_pair_values_to_be_equal",
                "kwargs": {"column_A": "a", "column_B": "b"},
                "meta": {},
            },
        ],
        "meta": {"great_expectations_version": "1.24.1"},
    }
    rules = load(json.dumps(suite, indent=2), "orders.json")
    assert rules.table == "shop.public.orders"
    assert [(one.column, one.kwargs, one.mostly, one.severity) for one in rules.rules] == [
        ("a", {"min_value": 0}, 0.9, Severity.WARNING),
        ("", {"column_A": "a", "column_B": "b"}, 1.0, Severity.CRITICAL),
    ]


@pytest.mark.parametrize(
    ("check", "line", "complaint"),
    [
        ("not_be_nul", 4, "did you mean not_be_null?"),
        ("expect_column_values_to_be_betwen: {min_value: 1}", 4, "did you mean expect_column_values_to_be_between?"),
        ("be_between:\n        min_valu: 1", 5, "did you mean min_value?"),
        ("be_between: {}", 4, "needs min_value or max_value"),
        ("be_between: {min_value: 2, max_value: 1}", 4, "min_value 2.0 is not below max_value 1.0"),
        ("be_between: {min_value: .nan}", 4, "min_value must be a number"),
        ("be_between: {max_value: .inf}", 4, "max_value must be a number"),
        ("be_between: {max_value: 1" + "0" * 400 + "}", 4, "max_value must be a number"),
        ("be_between: {min_value: [1]}", 4, "min_value must be a number"),
        ("be_between: {min_value: }", 4, "min_value must be a number"),
        ("be_between:\n        min_value: 1\n        strict_min: no", 6, "strict_min must be true or false, not 'no'"),
        ("be_in_set: NO", 4, "value_set must be a list"),
        ("be_in_set: []", 4, "value_set must be a list"),
        ("be_in_set: [[1]]", 4, "value_set must be a list"),
        ("be_in_set: [a, null]", 4, "value_set must be a list"),
        ("be_in_set", 4, "be_in_set needs value_set"),
        ("be_of_type: integer", 4, "type_ must be one of int, float"),
        ("be_in_type_list: int", 4, "type_list must be a list with some of int"),
        ("value_lengths_to_equal: -1", 4, "value must be a whole number"),
        ("value_lengths_to_equal: true", 4, "value must be a whole number"),
        ("value_lengths_to_be_between: {min_value: 3, max_value: 2}", 4, "min_value 3 is not below max_value 2"),
        ("match_regex: 5", 4, "regex must be a regular expression as text"),
        ("match_regex: '('", 4, "'(' is no regular expression: missing ), unterminated subpattern at position 0"),
        ("not_be_null: 5", 4, "takes named arguments"),
        ("not_be_null:\n      mosty: 1", 5, "mosty is not known here; did you mean mostly?"),
        ("not_be_null:\n      mostly: 1.5", 5, "mostly is a share between 0 and 1, not 1.5"),
        ("not_be_null:\n      mostly: .nan", 5, "mostly is a share between 0 and 1"),
        ("not_be_null:\n      mostly: [1]", 5, "mostly is a share between 0 and 1"),
        ("not_be_null:\n      action: qarantine", 5, "action can't be 'qarantine'; did you mean quarantine?"),
        ("not_be_null:\n      severity: [info]", 5, "severity can't be ['info']; did you mean info?"),
        ("not_be_null:\n      id: 5", 5, "id must be a text"),
        ("not_be_null:\n      row_condition: a =! 5", 5, "row_condition: '=! 5' can't be read here"),
        ("be_between: {min_value: 1, mostly: 2}", 4, "mostly is a share"),
        ("{not_be_null: , be_null: }", 4, "a check names one expectation, this one 2"),
        ("{mostly: 1}", 4, "a check names one expectation, this one 0"),
        ("[not_be_null]", 4, "is no check"),
        ("be_unique", 4, "be_unique is judged over a window of rows, so put it below `windows:`"),
        ("mean_to_be_between: {min_value: 1}", 4, "put it below `windows:`"),
        ("unexpected_rows_expectation: SELECT 1", 4, "is not supported: it needs another table or a query"),
        ("pair_values_to_be_equal: {column_A: a, column_B: b}", 4, "put it below `rows:`"),
    ],
)
def test_a_wrong_check_is_refused_with_its_line_and_what_was_meant(check: str, line: int, complaint: str) -> None:
    error = refused(f"{HEAD}    - {check}\n    - not_be_null\n")
    assert complaint in str(error)
    assert error.line == line
    assert error.column > 0


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("", 0, "must hold names and values"),
        ("- a", 0, "must hold names and values"),
        ("version: 1\ncolumns: {}", 0, "`table:` is missing"),
        ("table: 5", 0, "`table:` is missing"),
        ("table: t\nversion: 2", 2, "version 2 is not known"),
        ("table: t\nversion: true", 2, "version True is not known"),
        ("table: t\ncolums: {}", 2, "did you mean columns?"),
        ("table: t\nwindows: 5", 2, "`windows:` must hold a list"),
        ("table: t\ncolumns: [a]", 2, "`columns:` must hold columns"),
        ("table: t\ncolumns: 0", 2, "`columns:` must hold columns"),
        ("table: t\ncolumns:\n  a: not_be_null", 3, "`a` must hold a list of checks"),
        ("table: t\ncolumns:\n  5: [not_be_null]", 3, "5 is no name of a column"),
        ("table: t\nrows: {}", 2, "`rows:` must hold a list"),
        ("table: t\nrows:\n- not_be_null", 3, "put it below `columns:`"),
        ("table: t\nrows:\n- pair_values_to_be_equal: {column_A: a}", 3, "needs column_B"),
        ("table: t\nrows:\n- pair_values_to_be_equal: {column_A: a, column_B: 5}", 3, "column_B must be the name"),
        ("table: t\nwhen: {ops: cu}", 2, "`ops` is a list"),
        ("table: t\nwhen: {ops: [x]}", 2, "`ops` is a list"),
        ("table: t\nwhen: {ops: [[c]]}", 2, "`ops` is a list"),
        ("table: t\nwhen: {ops: []}", 2, "`ops` is a list"),
        ("table: t\nwhen: {image: behind}", 2, "`image` is before or after"),
        ("table: t\nwhen: {imag: after}", 2, "did you mean image?"),
        ("table: t\ndefaults:\n  action: dorp", 3, "did you mean drop?"),
        ("table: t\ndefaults: [warn]", 2, "`defaults:` must hold names and values"),
        ("table: t\ntable: u", 2, "found duplicate key"),
        (f"{HEAD}  - be_between: {{min_value: 1, min_value: 2}}", 4, "found duplicate key"),
        (f"{HEAD}  - not_be_null\n  a:\n  - be_null", 5, "found duplicate key"),
        ("table: t\nname: [", 2, "but found"),
        ("table: 'a\x00b'", 1, "a character that YAML does not allow"),
        ("table: t\n---\ntable: u", 2, "document"),
        ("name: t\nexpectations: {}", 2, "`expectations` must hold a list"),
        ("name: t\nexpectations:\n- {kwargs: {}}", 3, "expectation 0 has no type"),
        ("expectations: []", 0, "names no table"),
        ("name: t\nexpectations:\n- {type: expect_column_values_to_not_be_nul}", 3, "not_be_null?"),
        ("name: t\nexpectations:\n- type: be_null\n  kwargs: {column: [a]}", 4, "is no name of a column"),
        (
            "name: t\nexpectations:\n- type: be_null\n  kwargs: {column: a, row_condition: {type: and}}",
            4,
            "`and` needs a list of conditions",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(text: str, line: int, complaint: str) -> None:
    error = refused(text)
    assert complaint in str(error)
    assert error.line == line


@pytest.mark.parametrize(
    "check",
    [
        "match_regex: !!python/object/apply:os.system ['true']",
        "match_regex: !!python/name:os.system",
        "match_regex: !x y",
        "match_regex: ! y",
        "match_regex: !<tag:yaml.org,2002:str> y",
        "be_in_set: &a [1]",
        "be_in_set: *a",
        "{match_regex: don't, id: &a x, row_condition: isn't}",
        "<<: *a",
    ],
)
def test_tags_anchors_and_aliases_are_refused_wherever_they_hide(check: str) -> None:
    error = refused(f"{HEAD}    - {check}\n")
    assert "not allowed here" in str(error)
    assert error.line == 4


def test_another_version_of_yaml_is_refused() -> None:
    assert "directives" in str(refused("%YAML 1.1\n---\ntable: t"))


@pytest.mark.parametrize("pattern", ["'^[&*!]a'", '"a\\"b &c"', "'it''s *x'", "^a&b*c!d$", "|\n      &a *b !c"])
def test_the_same_signs_within_a_text_are_just_text(pattern: str) -> None:
    assert rule(f"match_regex: {pattern}").kwargs["regex"].strip()


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["table: t", "x0: &x0 [a, a]"]
    lines += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 30)]
    began = time.process_time()
    assert refused("\n".join(lines)).line == 2
    assert time.process_time() - began < 5  # a bomb that goes off takes hours


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_tower_of_brackets_is_refused(opening: str) -> None:
    assert "nested too deeply" in str(refused(f"table: t\nx:\n  {opening * 5_000}"))


def test_a_file_that_is_too_large_is_refused() -> None:
    assert "bytes" in str(refused("table: t\n#" + "x" * MAX_BYTES))


def test_half_a_character_is_refused() -> None:
    assert "half of a character" in str(refused('table: "\\ud800"'))


def test_everything_that_is_not_supported_says_why() -> None:
    for name, reason in NOT_HERE.items():
        assert f"{name} is not supported: {reason}" in str(refused(f"{HEAD}    - {name}: {{}}"))

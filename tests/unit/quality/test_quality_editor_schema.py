"""The schema that editors use agrees with what reading a file accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from models import Action, Severity
from parrot_faust.errors import RuleError
from parrot_faust.quality import load
from parrot_faust.quality.editor_schema import editor_schema
from parrot_faust.quality.expectations import EXPECTATIONS, Scope, full_name
from parrot_faust.quality.loading import TOP
from parrot_faust.quality.rule_reading import DEFAULTS, OPS, OWN

RULES = Path(__file__).resolve().parents[3] / "quality_rules"
FILES = sorted(RULES.glob("*.yaml"))
SCHEMA = json.loads((RULES / "rules.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_shipped_schema_is_the_one_the_code_makes() -> None:
    assert editor_schema() == SCHEMA, "python -m parrot_faust.quality.editor_schema > quality_rules/rules.schema.json"
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_shipped_rule_files_validate_and_name_the_schema(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=rules.schema.json"
    VALIDATOR.validate(YAML(typ="safe", pure=True).load(text))
    assert load(text, file.name).rules


def test_there_are_shipped_rule_files() -> None:
    assert len(FILES) >= 4


def test_the_schema_knows_exactly_what_the_code_knows() -> None:
    names: set[str] = set()
    checks = {
        "column_check": Scope.ROW,
        "row_check": Scope.ROW,
        "window_check": Scope.WINDOW,
        "shape_check": Scope.SHAPE,
    }
    for check, scope in checks.items():
        described = SCHEMA["$defs"][check]["anyOf"][-1]["properties"]
        found = {full_name(name) for name in described if name not in OWN[scope]}
        assert found <= {name for name, one in EXPECTATIONS.items() if one.scope is scope}
        assert all(EXPECTATIONS[name].single is (check == "column_check") for name in found) or scope is not Scope.ROW
        assert set(described) >= OWN[scope]
        names |= found
    assert names == {name for name, one in EXPECTATIONS.items() if one.scope is not Scope.CHANGE}
    assert set(SCHEMA["properties"]) == TOP
    assert set(SCHEMA["properties"]["defaults"]["properties"]) == DEFAULTS
    assert set(SCHEMA["$defs"]["ops"]["items"]["enum"]) == set(OPS)
    assert SCHEMA["$defs"]["action"]["enum"] == [*(str(one) for one in Action), None]
    assert SCHEMA["$defs"]["severity"]["enum"] == [str(one) for one in Severity]


def checks(*given: Any) -> dict[str, Any]:
    return {"table": "t", "columns": {"a": list(given)}}


def pairs(*given: Any) -> dict[str, Any]:
    return {"table": "t", "rows": list(given)}


QUANTILES = {"quantiles": [0.5], "value_ranges": [[None, 5]]}


def windows(*given: Any, **more: Any) -> dict[str, Any]:
    return {"table": "t", "windows": [{"every": "1m", "checks": list(given), **more}]}


def agreed(tree: dict[str, Any]) -> bool:
    """Whether both take the file; they must not differ."""
    by_schema = VALIDATOR.is_valid(tree)
    refusal = ""
    try:
        load(json.dumps(tree), "t.yaml")
    except RuleError as error:
        refusal = str(error)
    assert by_schema is (not refusal), refusal or "the schema refuses what the code takes"
    return by_schema


PAIR = {"column_A": "a", "column_B": "b"}


@pytest.mark.parametrize(
    "tree",
    [
        {"table": "t"},
        {"table": "t", "version": 1, "when": {"ops": ["c"], "image": "before"}, "defaults": {"action": "drop"}},
        {"table": "t", "columns": None, "rows": None},
        checks("not_be_null", "be_null", "expect_column_values_to_not_be_null"),
        checks({"not_be_null": None, "action": "warn"}, {"be_null": True}, {"not_be_null": {"mostly": 0.5}}),
        checks({"be_between": {"min_value": 1}}, {"be_between": {"max_value": "2000-01-01", "strict_max": True}}),
        checks({"be_in_set": [1, "a", True]}, {"be_in_set": {"value_set": [1.5], "severity": "info"}}),
        checks({"match_regex": "^a$", "mostly": 1, "severity": "warning", "action": "warn", "id": "x"}),
        checks({"not_match_regex": {"regex": "a"}, "row_condition": "a == 1"}),
        checks({"expect_column_value_lengths_to_equal": 5}, {"value_lengths_to_be_between": {"max_value": 5}}),
        checks({"be_of_type": "int"}, {"be_in_type_list": ["int", "str"]}),
        checks({"be_in_set": ["a"], "action": None}, {"be_in_set": ["a"], "action": "null"}),
        checks({"be_in_set": ["a"], "default": "b"}, {"be_in_set": ["a"], "action": "default", "default": 1.5}),
        checks({"be_null": None, "ops": ["d"], "image": "before"}, {"match_json_schema": {"json_schema": {}}}),
        checks({"match_regex_list": ["a", "b"]}, {"match_regex_list": {"regex_list": ["a"], "match_on": "all"}}),
        checks("be_json_parseable", {"match_strftime_format": "%Y"}, {"value_lengths_to_equal": 4.0}),
        pairs({"pair_values_to_be_equal": PAIR}, {"pair_values_a_to_be_greater_than_b": {**PAIR, "or_equal": True}}),
        pairs({"pair_values_to_be_in_set": {**PAIR, "value_pairs_set": [[1, None]], "ignore_row_if": "neither"}}),
        pairs({"multicolumn_sum_to_equal": {"column_list": ["a", "b"], "sum_total": 5}}),
        pairs({"condition": "before.a < after.a", "ops": ["u"]}),
        {
            "table": "t",
            "transitions": [{"column": "a", "allow": {"x": ["y", None]}, "initial": ["x"]}],
        },
        {"table": "t", "immutable": ["a", {"column": "b", "severity": "info"}], "monotonic": ["a"]},
        {"table": "t", "monotonic": [{"column": "b", "strict": True, "decreasing": False}], "immutable": None},
        {"table": "t", "windows": [], "schema": None, "breaker": None, "transitions": None, "when": None},
        windows({"be_unique": {"column": "a", "mostly": 0.9}}, {"row_count_to_equal": 5}, {"freshness": "5m"}),
        windows({"column_mean_to_be_between": {"column": "a", "min_value": 1}}, grace=0),
        windows({"quantile_values_to_be_between": {"column": "a", "quantile_ranges": QUANTILES}}, grace="5s"),
        windows({"compound_columns_to_be_unique": {"column_list": ["a", "b"]}}, {"volume": {"min_share": 0.5}}),
        {"table": "t", "schema": [{"column_to_exist": "a"}, {"columns_to_match_set": ["a"], "severity": "info"}]},
        {"table": "t", "schema": [{"expect_column_type_to_be": {"column": "a", "type_": "int64"}}]},
        {"table": "t", "breaker": {"failed": "20%", "within": "1m", "at_least": 100, "resume": "10m"}},
        {"table": "t", "breaker": {"failed": 0.2, "within": "1m", "at_least": 1}},
    ],
)
def test_schema_and_code_take_the_same_files(tree: dict[str, Any]) -> None:
    assert agreed(tree)


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"table": 5},
        {"table": ""},
        {"table": "t", "version": 2},
        {"table": "t", "colums": {}},
        windows("be_unique"),
        windows({"be_unique": {"column": "a", "action": "drop"}}),
        windows({"be_unique": {"column": "a"}}, every="1"),
        windows({"not_be_null": {"column": "a"}}),
        windows({"quantile_values_to_be_between": {"column": "a", "quantile_ranges": {"quantiles": [2]}}}),
        {"table": "t", "windows": [{"every": "1m"}]},
        {"table": "t", "windows": [{"checks": []}]},
        {"table": "t", "schema": ["be_unique"]},
        {"table": "t", "schema": [{"column_to_exist": 5}]},
        {"table": "t", "schema": [{"column_to_exist": "a", "mostly": 1}]},
        {"table": "t", "transitions": [{"column": "a"}]},
        {"table": "t", "transitions": [{"column": "a", "allow": {}}]},
        {"table": "t", "transitions": ["a"]},
        {"table": "t", "immutable": [{"column": "a", "default": 1}]},
        {"table": "t", "immutable": "a"},
        {"table": "t", "monotonic": [5]},
        {"table": "t", "breaker": {"failed": "20%", "within": "1m"}},
        {"table": "t", "breaker": {"failed": 20, "within": "1m", "at_least": 1}},
        {"table": "t", "breaker": {"failed": 0.2, "within": 60, "at_least": 1}},
        {"table": "t", "defaults": {"action": "default"}},
        checks({"be_in_set": ["a"], "default": None}),
        checks({"be_in_set": ["a"], "ops": ["x"]}),
        checks({"match_regex_list": {"regex_list": ["a"], "match_on": "some"}}),
        pairs({"pair_values_to_be_equal": {**PAIR, "ignore_row_if": "never"}}),
        pairs({"multicolumn_sum_to_equal": {"column_list": ["a"], "sum_total": 5}}),
        {"table": "t", "columns": []},
        {"table": "t", "columns": {"a": "not_be_null"}},
        {"table": "t", "when": {"ops": ["x"]}},
        {"table": "t", "when": {"ops": []}},
        {"table": "t", "when": {"image": "x"}},
        {"table": "t", "defaults": {"action": "x"}},
        {"table": "t", "defaults": {"mostly": 1}},
        checks("not_be_nul"),
        checks("be_in_set"),
        checks("be_between"),
        checks("be_unique"),
        checks({"be_betwen": {"min_value": 1}}),
        checks({}),
        checks({"mostly": 1}),
        checks({"not_be_null": None, "be_null": None}),
        checks({"not_be_null": 5}),
        checks({"not_be_null": None, "mosty": 1}),
        checks({"not_be_null": None, "mostly": 2}),
        checks({"not_be_null": None, "action": "delete"}),
        checks({"not_be_null": None, "id": ""}),
        checks({"be_between": {}}),
        checks({"be_between": 5}),
        checks({"be_between": {"min_valu": 1}}),
        checks({"be_between": {"min_value": 1, "strict_min": "no"}}),
        checks({"be_between": {"strict_min": True}}),
        checks({"be_in_set": "NO"}),
        checks({"be_in_set": []}),
        checks({"be_in_set": [[1]]}),
        checks({"match_regex": 5}),
        checks({"match_regex": {}}),
        checks({"match_regex": "a" * 2000}),
        checks({"value_lengths_to_equal": -1}),
        checks({"value_lengths_to_equal": "5"}),
        checks({"be_of_type": "integer"}),
        checks({"be_in_type_list": "int"}),
        checks({"pair_values_to_be_equal": PAIR}),
        pairs("not_be_null"),
        pairs({"pair_values_to_be_equal": {"column_A": "a"}}),
        pairs({"pair_values_to_be_equal": {**PAIR, "or_equal": True}}),
    ],
)
def test_schema_and_code_refuse_the_same_files(tree: dict[str, Any]) -> None:
    assert not agreed(tree)

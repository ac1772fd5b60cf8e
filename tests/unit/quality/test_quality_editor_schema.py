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
from parrot_faust.quality.expectations import EXPECTATIONS, full_name
from parrot_faust.quality.loading import DEFAULTS, OPS, OWN, TOP

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
    for check in ("column_check", "row_check"):
        described = SCHEMA["$defs"][check]["anyOf"][-1]["properties"]
        found = {full_name(name) for name in described if name not in OWN}
        assert found == {name for name, one in EXPECTATIONS.items() if one.pair is (check == "row_check")}
        assert set(described) >= OWN
        names |= found
    assert names == set(EXPECTATIONS)
    assert set(SCHEMA["properties"]) == TOP
    assert set(SCHEMA["properties"]["defaults"]["properties"]) == DEFAULTS
    assert set(SCHEMA["properties"]["when"]["properties"]["ops"]["items"]["enum"]) == OPS
    assert SCHEMA["$defs"]["action"]["enum"] == [str(one) for one in Action]
    assert SCHEMA["$defs"]["severity"]["enum"] == [str(one) for one in Severity]


def checks(*given: Any) -> dict[str, Any]:
    return {"table": "t", "columns": {"a": list(given)}}


def pairs(*given: Any) -> dict[str, Any]:
    return {"table": "t", "rows": list(given)}


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
        pairs({"pair_values_to_be_equal": PAIR}, {"pair_values_a_to_be_greater_than_b": {**PAIR, "or_equal": True}}),
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
        {"table": "t", "windows": []},
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

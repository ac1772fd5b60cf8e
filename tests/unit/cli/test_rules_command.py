"""`parrot rules check` and `parrot rules test`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from models import Column, Kind, TableSchema
from parrot_faust.cli import live_rules
from parrot_faust.cli.rules import _Shape, rules
from parrot_faust.quality.standing import InForce, WorkerReport

SHIPPED = Path(__file__).parents[3] / "quality_rules"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(rules, list(arguments))


def test_the_project_s_own_rules_pass_their_tests() -> None:
    result = run("test", str(SHIPPED / "tests"), "--json")
    report = json.loads(result.output)
    assert (result.exit_code, report["failed"]) == (0, [])
    assert report["cases"] == report["passed"] >= 6


def test_every_shipped_rule_file_is_good_and_has_a_test() -> None:
    files = sorted(SHIPPED.glob("*.yaml"))
    result = run("check", *map(str, files))
    assert result.exit_code == 0
    assert all(f"✓ {file}: shop.public.{file.stem}, " in result.output for file in files)
    texts = "".join(file.read_text() for file in (SHIPPED / "tests").glob("*.yaml"))
    assert all(f"rules: ../{file.name}" in texts for file in files)


# -- check -----------------------------------------------------------------------------------------------------------


def test_check_tells_all_errors_with_their_places_and_ends_with_1(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.yaml", tmp_path / "good.yaml"
    bad.write_text("table: t\ncolumns:\n  a: [not_be_nul]\n  b: [{be_between: {min_value: 2, max_value: 1}}]\n")
    good.write_text("table: t\ncolumns: {a: [not_be_null]}\n")
    result = run("check", str(bad), str(good))
    assert result.exit_code == 1
    assert f"{bad}:3:7: not_be_nul is not known here; did you mean not_be_null?" in result.output
    assert f"{bad}:4:8: be_between: min_value 2.0 is not below max_value 1.0" in result.output
    assert f"✓ {good}: t, 1 rules" in result.output
    first, second = json.loads(run("check", str(bad), str(good), "--json").stdout)
    assert [(error["line"], error["column"]) for error in first["errors"]] == [(3, 7), (4, 8)]
    assert (second["table"], second["errors"], second["columns_checked"]) == ("t", [], False)


def test_check_warns_of_a_pattern_that_is_known_to_explode(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("table: t\ncolumns: {a: [{match_regex: '^(a+)+$'}, {match_regex: '(?=a)(a|aa)+$'}]}\n")
    result = run("check", str(file))
    assert result.exit_code == 0
    assert "may explode in other engines" in result.output
    assert 'fails with "time limit"' in result.output


def test_check_compares_with_the_topic_s_columns_where_the_registry_does_not_know_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = TableSchema.of("t", (Column("a", Kind.INT64), Column("b", Kind.STRING)), ("a",))

    async def in_topics(*_: Any) -> dict[str, Any]:
        return {"t": _Shape(shape, "as its newest changes have them")}

    monkeypatch.setattr(
        "parrot_faust.cli.rules.load_settings", lambda: SimpleNamespace(source=SimpleNamespace(registry=""))
    )
    monkeypatch.setattr("parrot_faust.cli.rules._in_topics", in_topics)
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("table: t\ncolumns: {a: [not_be_null]}\nschema: [{column_count_to_equal: {value: 3}}]\n")
    bad.write_text(
        "table: t\ncolumns: {c: [not_be_null]}\nwindows: [{every: 1m, checks: [{be_unique: {column: d}}]}]\n"
    )
    result = run("check", str(good), str(bad))
    assert result.exit_code == 1
    assert f"✓ {good}: t, 2 rules" in result.output
    assert "its columns as its newest changes have them" in result.output
    assert "rule column_count_to_equal does not hold for the table as it is: 2" in result.output
    assert "rule c.not_be_null does not fit the table: the table has no column c" in result.output
    assert "the table has no column d" in result.output


def test_check_says_when_no_broker_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "parrot.yaml"
    settings.write_text(
        "app: a\nbrokers: '127.0.0.1:1'\nsource: {topics: t}\nsinks:\n  kudu: {masters: ['127.0.0.1:1'], replicas: 1}\n"
    )
    monkeypatch.setenv("PARROT_CONFIG", str(settings))
    monkeypatch.setattr("parrot_faust.cli.rules.BROKER_PATIENCE_S", 0.1)
    file = tmp_path / "t.yaml"
    file.write_text("table: t\ncolumns: {a: [not_be_null]}\n")
    result = run("check", str(file))
    assert result.exit_code == 0, result.output
    assert (
        "the columns of t were not checked: Kafka at 127.0.0.1:1: no broker answers; see whether it runs"
        in result.output
    )


def test_check_says_when_the_columns_could_not_be_looked_up(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("table: t\ncolumns: {a: [not_be_null]}\n")
    result = run("check", str(file), "--registry", "http://127.0.0.1:1")
    assert result.exit_code == 0
    assert "the columns of t were not checked: schema registry http://127.0.0.1:1 is not available" in result.output


# -- test ------------------------------------------------------------------------------------------------------------

SUITE = {
    "name": "s",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a", "mostly": 0.5}},
        {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "a", "min_value": 1}},
    ],
}
CHECKS = {"table": "t", "columns": {"a": [{"be_in_set": [1, 2], "action": "drop"}]}, "immutable": ["b"]}
CHANGES = [
    {"op": "c", "after": {"a": 1, "b": 1}},
    {"op": "u", "before": {"a": 1, "b": 1}, "after": {"a": 1, "b": 2}},
    {"op": "u", "before": {"a": 1, "b": 1}, "after": {"a": 5, "b": 1}},
    {"op": "d", "before": {"a": 9}},
]


@pytest.mark.parametrize(
    ("case", "passes"),
    [
        ({"rules": SUITE, "rows": [{"a": 3}, {"a": None}], "expect": {"success": True, "unexpected_rows": [1]}}, True),
        ({"rules": SUITE, "rows": [{"a": 3}, {"a": None}], "expect": {"success": False}}, False),
        ({"rules": SUITE, "rows": [{"a": 0}], "expect": {"success": False, "unexpected_rows": []}}, True),
        ({"rules": SUITE, "rows": [], "expect": {"success": False}}, True),
        ({"rules": SUITE, "rows": [{}], "expect": {"failed": [["a.not_be_null"]]}}, True),
        (
            {
                "rules": CHECKS,
                "changes": CHANGES,
                "expect": {
                    "actions": ["pass", "quarantine", "drop", "pass"],
                    "failed": [[], ["b.immutable"], ["a.be_in_set"], []],
                },
            },
            True,
        ),
        ({"rules": CHECKS, "changes": CHANGES, "expect": {"actions": ["pass", "pass", "drop", "pass"]}}, False),
        ({"rules": {"columns": {"a": ["not_be_nul"]}}, "expect": {"error": "did you mean not_be_null"}}, True),
        ({"rules": {"columns": {"a": ["not_be_nul"]}}, "rows": [], "expect": {"success": True}}, False),
        ({"rules": CHECKS, "rows": [{"a": 1}], "expect": {"error": "anything"}}, False),
        (
            {
                "rules": {"columns": {"a": [{"be_in_set": [1], "action": None}, {"be_in_set": [1, 2], "default": 1}]}},
                "rows": [{"a": 2}, {"a": 1}],
                "expect": {"actions": [None, "pass"], "failed": [["a.be_in_set"], []]},
            },
            True,
        ),
        ({"rules": "own.yaml", "rows": [{"n": None}], "expect": {"actions": ["quarantine"]}}, True),
        ({"rules": "gone.yaml", "rows": [], "expect": {"error": "can't be read"}}, True),
        ({"rules": CHECKS, "rows": [{"a": 1}], "expects": {"success": True}}, False),
        ({"rules": CHECKS, "rows": [{"a": 1}], "expect": {"sucess": True}}, False),
        ({"rules": CHECKS, "expect": {"success": True}}, False),
        ({"rules": CHECKS, "rows": [5], "expect": {"success": True}}, False),
        ({"rules": CHECKS, "rows": [{"a": 1}], "columns": {"a": "int46"}, "expect": {"success": True}}, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_case_passes_exactly_when_all_of_it_is_as_expected(
    tmp_path: Path, case: dict[str, Any], passes: bool, suffix: str
) -> None:
    (tmp_path / "own.yaml").write_text("table: t\ncolumns: {n: [not_be_null]}\n")
    file = tmp_path / f"cases.{suffix}"
    file.write_text(json.dumps({"cases": [{"name": "one", **case}]}))
    result = run("test", str(file), "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == (0 if passes else 1)
    assert report["cases"] == 1
    assert report["passed"] == (1 if passes else 0)
    if not passes:
        (failed,) = report["failed"]
        assert (failed["file"], failed["name"]) == (str(file), "one")
        assert set(failed) == {"file", "name", "expected", "got"}


def test_a_folder_s_files_of_rules_are_no_tests_and_a_broken_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("table: t\n")
    (tmp_path / "good.json").write_text(
        json.dumps({"cases": [{"name": "x", "rules": {"columns": {}}, "rows": [], "expect": {"success": True}}]})
    )
    assert json.loads(run("test", str(tmp_path), "--json").stdout) == {"cases": 1, "passed": 1, "failed": []}
    (tmp_path / "broken.json").write_text('{"cases": [')
    result = run("test", str(tmp_path), "--json")
    assert result.exit_code == 1
    (failed,) = json.loads(result.stdout)["failed"]
    assert "is no JSON" in failed["got"]["error"]


def test_no_case_at_all_is_a_failure(tmp_path: Path) -> None:
    result = run("test", str(tmp_path))
    assert result.exit_code == 1
    assert "no cases found" in result.output


# -- list ------------------------------------------------------------------------------------------------------------


def test_suspended_rules_are_listed_with_why_and_in_which_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"n.be_between": "the table has no column n", "m.be_unique": "[bold]no[/] column m"}
    here = {"shop.t": InForce("v1", "in force", 1, "t.yaml", suspended=told)}
    there = {"shop.t": InForce("v1", "in force", 1, "t.yaml", suspended={"n.be_between": told["n.be_between"]})}
    reports = [WorkerReport(name, 1, 1, ("shop.t",), each) for name, each in (("a", here), ("b", there))]
    monkeypatch.setattr(live_rules, "load_settings", lambda: None)
    monkeypatch.setattr(live_rules, "run", lambda *_: ({}, reports))
    (row,) = json.loads(run("list", "--json").output)["tables"]
    assert row["suspended"] == [
        {"rule": "m.be_unique", "reason": "[bold]no[/] column m", "workers": ["a"]},
        {"rule": "n.be_between", "reason": "the table has no column n", "workers": ["a", "b"]},
    ]
    shown = run("list").output
    assert "in force, 2" in shown
    assert "shop.t: rule m.be_unique is SUSPENDED, nothing is checked by it: [bold]no[/] column m" in shown

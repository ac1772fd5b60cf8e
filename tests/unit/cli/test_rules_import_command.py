"""`parrot rules import`: which suites are found, what is said of what can't be taken, and what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from parrot_faust.cli.rules import rules
from parrot_faust.errors import RuleError
from parrot_faust.quality import load

GOOD = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}, "severity": "warning"},
    {
        "type": "expect_column_values_to_be_in_set",
        "kwargs": {"column": "country", "value_set": ["NO", "it's"], "mostly": 0.9, "row_condition": 'col("id") > 5'},
        "meta": {"parrot": {"action": "drop"}, "notes": "theirs"},
    },
    {"type": "expect_column_mean_to_be_between", "kwargs": {"column": "total", "min_value": 1, "max_value": None}},
    {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "a", "column_B": "b"}},
    {"type": "expect_table_column_count_to_equal", "kwargs": {"value": 3}},
]
BAD = [
    {"type": "expect_column_values_to_be_nul", "kwargs": {"column": "id"}},
    {"type": "unexpected_rows_expectation", "kwargs": {"unexpected_rows_query": "select 1"}},
    {"type": "expect_column_values_to_be_of_type", "kwargs": {"column": "id", "type_": "INTEGER"}},
    5,
]


def suite(*expectations: Any, **more: Any) -> str:
    return json.dumps({"name": "orders", "expectations": list(expectations), **more})


def run(*arguments: object) -> Result:
    return CliRunner().invoke(rules, ["import", *map(str, arguments)])


def test_a_suite_becomes_a_rule_file(tmp_path: Path) -> None:
    file, to = tmp_path / "orders.json", tmp_path / "orders.yaml"
    file.write_text(suite(*GOOD, meta={"table": "shop.public.orders"}))
    result = run(file, "--to", to)
    assert (result.exit_code, "5 of 5 expectations" in result.output) == (0, True), result.output
    assert to.read_text() == (
        "# Of the suite orders of Great Expectations: 5 of 5 expectations.\n"
        "# What is about many rows is judged every 1m: choose a time that has enough of them.\n"
        "version: 1\n"
        "table: shop.public.orders\n"
        "columns:\n"
        "  id:\n"
        "    - not_be_null:\n"
        "      severity: warning\n"
        "  country:\n"
        "    - be_in_set: ['NO', \"it's\"]\n"
        "      row_condition: 'col(\"id\") > 5'\n"
        "      mostly: 0.9\n"
        "      action: drop\n"
        "rows:\n"
        "  - pair_values_to_be_equal: {column_A: a, column_B: b}\n"
        "windows:\n"
        "  - every: 1m\n"
        "    grace: 10s\n"
        "    checks:\n"
        "      - mean_to_be_between: {column: total, min_value: 1}\n"
        "schema:\n"
        "  - column_count_to_equal: 3\n"
    )


def test_what_can_not_be_taken_is_named_with_its_reason_and_the_rest_is_written(tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text(suite(*BAD, *GOOD))
    result = run(file, "--table", "shop.public.orders")
    assert result.exit_code == 1
    for number, (name, reason) in enumerate(
        [
            ("expect_column_values_to_be_nul", "did you mean expect_column_values_to_be_null?"),
            ("unexpected_rows_expectation", "it needs another table or a query"),
            ("expect_column_values_to_be_of_type", "type_ must be one of int"),
            ("no name", "has no type"),
        ]
    ):
        (line,) = [one for one in result.stderr.splitlines() if f": expectation {number}, " in one]
        assert f"expectation {number}, {name}, was not taken: " in line
        assert reason in line
    assert len(load(result.stdout, "t.yaml").every_rule()) == 5
    assert result.stdout.count("# Not taken: expectation ") == 4


def test_a_project_s_suites_are_found_where_its_version_keeps_them(tmp_path: Path) -> None:
    old = {
        "expectation_suite_name": "b/old",
        "expectations": [{"expectation_type": one["type"], **one} for one in GOOD],
    }
    for one in old["expectations"]:
        del one["type"]  # type: ignore[union-attr]
    for folder in ("gx/expectations", "great_expectations/expectations"):
        project = tmp_path / folder.partition("/")[0]
        (project / folder).mkdir(parents=True)
        (project / folder / ".ge_store_backend_id").write_text("x")
        (project / folder / "a.json").write_text(suite(*GOOD))
        (project / folder / "b").mkdir()
        (project / folder / "b" / "old.json").write_text(json.dumps(old))
        result = run(project, "--to", project / "rules", "--json")
        assert result.exit_code == 0, result.output
        first, second = json.loads(result.stdout)
        assert (first["taken"], second["taken"], first["table_guessed"]) == (5, 5, True)
        assert {one.name for one in (project / "rules").iterdir()} == {"orders.yaml", "b_old.yaml"}
        assert "names no table" in (project / "rules" / "orders.yaml").read_text()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    file, to = tmp_path / "s.json", tmp_path / "s.yaml"
    file.write_text(suite(*GOOD))
    to.write_text("mine")
    assert "not written over" in str(run(file, "--to", to).exception)
    assert to.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [("[", "is no JSON"), ("[]", "is no suite"), ('{"name": "t"}', "is no suite"), ('{"expectations": [}', ":1:19: ")],
)
def test_what_is_no_suite_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(text)
    result = run(file)
    assert isinstance(result.exception, RuleError)
    assert said in str(result.exception)


def test_a_suite_of_which_nothing_can_be_taken_makes_no_file(tmp_path: Path) -> None:
    file, to = tmp_path / "s.json", tmp_path / "s.yaml"
    file.write_text(suite(*BAD))
    result = run(file, "--to", to)
    assert (result.exit_code, to.exists(), "0 of 4 expectations" in result.output) == (1, False, True)


def test_great_expectations_is_not_needed(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "s.json").write_text(suite(*GOOD))
    code = (
        "import sys; sys.modules['great_expectations'] = None; sys.modules['pandas'] = None\n"
        "from parrot_faust.cli import cli; cli(['rules', 'import', 's.json'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mean_to_be_between" in done.stdout

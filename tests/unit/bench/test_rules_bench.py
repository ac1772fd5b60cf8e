"""`parrot bench rules`: it measures what it says, on rows that pass."""

from __future__ import annotations

import json

from click.testing import CliRunner

from parrot_faust.bench.rules import RULES
from parrot_faust.cli.bench import bench
from parrot_faust.quality import load


def test_it_measures_ten_rules_and_the_time_to_compile() -> None:
    assert len(load(RULES, "bench.yaml").rules) == 10
    result = CliRunner().invoke(bench, ["rules", "--rows", "1000", "--no-great-expectations", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert set(report["us"]) == {"generated function", "list of closures", "folding five window rules"}
    assert all(us > 0 for us in report["us"].values())
    assert set(report["compile_ms"]) == {"10", "50", "100", "200"}


def test_its_table_names_the_targets() -> None:
    result = CliRunner().invoke(bench, ["rules", "--rows", "1000", "--no-great-expectations"])
    assert "at most 3 µs a row, and 50 ms for 100 rules on 50 columns" in result.output

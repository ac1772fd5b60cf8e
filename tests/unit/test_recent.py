"""Which records of a topic a command reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from parrot_faust.cli.rules import rules
from parrot_faust.recent import shares


@pytest.mark.parametrize(
    ("sizes", "count", "taken"),
    [
        ({0: 100, 1: 100}, 10, {0: 5, 1: 5}),
        ({0: 2, 1: 100, 2: 100}, 12, {0: 2, 1: 5, 2: 5}),
        ({0: 2, 1: 0}, 10, {0: 2, 1: 0}),
        ({0: 9, 1: 9, 2: 9}, 1, {0: 1, 1: 0, 2: 0}),
        ({}, 5, {}),
    ],
)
def test_the_last_records_are_taken_of_all_partitions_alike(
    sizes: dict[int, int], count: int, taken: dict[int, int]
) -> None:
    assert shares(sizes, count) == taken


def test_one_span_is_chosen_and_a_broken_file_ends_with_2(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("table: t\ncolumns: {a: [be_purple], b: [be_pink]}\n")
    both = CliRunner().invoke(rules, ["backtest", str(file), "--last", "5", "--from-beginning"])
    broken = CliRunner().invoke(rules, ["backtest", str(file), "--last", "5"])
    assert (both.exit_code, "choose one of" in both.output) == (2, True)
    assert broken.exit_code == 2
    assert "t.yaml:2:15: be_purple is not known here" in broken.output
    assert "be_pink is not known here" in broken.output

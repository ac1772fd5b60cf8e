"""The report of `parrot bench transport`, and the command when there is nothing to measure on."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from parrot_faust.bench.transport import TARGETS, report_of
from parrot_faust.cli import cli

RECORDS = {"faust": 10, "getmany": 100, "batches": 100}


def rates(faust: float, getmany: float, batches: float) -> dict[str, float]:
    return {"faust": faust, "getmany": getmany, "batches": batches}


def test_ratios_are_of_the_medians_of_the_rounds() -> None:
    report = report_of([rates(1, 100, 90), rates(2, 200, 500), rates(90, 900, 100)], RECORDS)
    assert report.medians == rates(2, 200, 100)
    assert report.ratios == {"faust": 50.0, "getmany": 0.5}


@pytest.mark.parametrize(
    ("measured", "met"),
    [(rates(1, 100, 90), True), (rates(1, 100, 89), False), (rates(2, 10, 79), False), (rates(2, 10, 80), True)],
)
def test_the_targets_are_met_only_when_both_ratios_reach_them(measured: dict[str, float], met: bool) -> None:
    assert TARGETS == {"faust": 40.0, "getmany": 0.9}
    assert report_of([measured], RECORDS).met is met


def test_without_a_running_broker_the_command_says_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARROT_STATE", str(tmp_path))
    outcome = CliRunner().invoke(cli, ["bench", "transport"])
    assert outcome.exit_code == 1
    assert "`parrot up kafka`" in outcome.stderr

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from parrot_faust.cli import cli
from parrot_faust.delivery.fence import Fence
from parrot_faust.simulation import simulate


def test_runs_of_a_seed_are_reported_as_json() -> None:
    result = CliRunner().invoke(cli, ["simulate", "--seed", "5", "--runs", "4", "--json"])
    report = json.loads(result.stdout)
    assert (result.exit_code, report["first"], report["runs"], report["findings"]) == (0, 5, 4, [])
    assert report["happened"]["commit"] > 0


def test_a_seed_alone_is_one_run_and_said_plainly() -> None:
    result = CliRunner().invoke(cli, ["simulate", "--seed", "5"])
    assert result.exit_code == 0
    assert "1 runs from seed 5" in result.stdout
    assert "equal to the source" in result.stdout


def test_a_broken_promise_is_named_with_its_seed_and_ends_with_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fence, "admits", lambda *_: True)
    seed = next(seed for seed in range(300) if simulate([seed]).findings)
    result = CliRunner().invoke(cli, ["simulate", "--seed", str(seed), "--runs", "1"])
    assert result.exit_code == 1
    assert f"seed {seed}: plain: key" in result.stdout
    assert f"parrot simulate --seed {seed}" in result.stdout
    failed = CliRunner().invoke(cli, ["simulate", "--seed", str(seed), "--json"])
    assert failed.exit_code == 1
    assert [finding["seed"] for finding in json.loads(failed.stdout)["findings"]] == [seed]

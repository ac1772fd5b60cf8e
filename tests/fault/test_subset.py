"""The faults that every run of the tests goes through, with fewer firings than `make faults`, and a short soak."""

from __future__ import annotations

import pytest
from faults import Fault, all_faults
from report import Result
from rich.console import Console
from run import run
from soak import soak, table_of, verdict
from world import World

QUICK = [fault for fault in all_faults().values() if fault.quick is not None]
SOAK_MINUTES = 5.0


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: f"{fault.number}-{fault.title.replace(' ', '-')}")
def test_nothing_is_lost_when(fault: Fault, world: World, results: list[Result]) -> None:
    (result,) = run([fault], world)
    results.append(result)
    assert result.passed, "\n".join(result.plain()["problems"] + result.notes)


def test_nothing_grows_and_nothing_is_lost_in_minutes_of_load_and_faults(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, lines = soak(world, SOAK_MINUTES)
    with capsys.disabled():
        Console(width=140).print(table_of(lines))
    assert not verdict(scene, lines)

"""The faults that every run of the tests goes through, with fewer firings than `make faults`."""

from __future__ import annotations

import pytest
from faults import Fault, all_faults
from report import Result
from run import run
from world import World

QUICK = [fault for fault in all_faults().values() if fault.quick is not None]


@pytest.mark.parametrize("fault", QUICK, ids=lambda fault: f"{fault.number}-{fault.title.replace(' ', '-')}")
def test_nothing_is_lost_when(fault: Fault, world: World, results: list[Result]) -> None:
    (result,) = run([fault], world)
    results.append(result)
    assert result.passed, "\n".join(result.plain()["problems"] + result.notes)

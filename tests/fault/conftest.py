"""The fault suite under pytest: servers of its own, and its table at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))

from report import Result, table_of
from rich.console import Console
from run import STATE, servers
from world import World

RESULTS = pytest.StashKey[list[Result]]()


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The servers, taken down with the module unless PARROT_TEST_KEEP is set."""
    if request.config.getoption("--containers"):
        pytest.skip("faults are injected into the local distribution's own processes")
    with servers(STATE, keep=bool(os.environ.get("PARROT_TEST_KEEP"))) as local:
        say = request.config.get_terminal_writer().line
        yield World(local, quick=True, say=say)


@pytest.fixture
def results(request: pytest.FixtureRequest) -> list[Result]:
    """What the table at the end shows."""
    return request.config.stash.setdefault(RESULTS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the faults that were tried."""
    if found := config.stash.get(RESULTS, []):
        terminalreporter.write_line("")
        Console(width=140).print(table_of(found))

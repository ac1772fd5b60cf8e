"""Fixtures that all tests share: the servers, started once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import containers
import pytest

from parrot_faust.distribution import Addresses, Local

STATE = Path(__file__).resolve().parents[1] / ".parrot" / "test"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--containers`: the servers of docker-compose.yml instead of the local distribution's."""
    parser.addoption("--containers", action="store_true", help="run the servers as containers, which needs Docker")


def pytest_configure() -> None:
    """Let signals reach what the tests start, also in the background or under nohup, where they are ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # a program that is started does not inherit this


@pytest.fixture(scope="session")
def local(request: pytest.FixtureRequest) -> Iterator[Local]:
    """The whole distribution in a state folder of the tests' own; what was not running before is ended afterwards.

    Set PARROT_TEST_KEEP to leave it running for the next run.
    """
    if request.config.getoption("--containers"):
        pytest.skip("this test is about the local distribution itself")
    distribution = Local(Path(os.environ.get("PARROT_TEST_STATE", STATE)), Local.here().cache)
    distribution.up()
    yield distribution
    if not os.environ.get("PARROT_TEST_KEEP"):
        distribution.down()


@pytest.fixture(scope="session")
def distribution(request: pytest.FixtureRequest) -> Iterator[Addresses]:
    """Where the servers are."""
    if request.config.getoption("--containers"):
        with containers.running() as addresses:
            yield addresses
    else:
        yield request.getfixturevalue("local").addresses()

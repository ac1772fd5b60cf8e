"""Fixtures that all tests share: the local distribution, started once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from parrot_faust.distribution import Addresses, Local

STATE = Path(__file__).resolve().parents[1] / ".parrot" / "test"


@pytest.fixture(scope="session")
def local() -> Iterator[Local]:
    """The whole distribution in a state folder of the tests' own; what was not running before is ended afterwards.

    Set PARROT_TEST_KEEP to leave it running for the next run.
    """
    distribution = Local(Path(os.environ.get("PARROT_TEST_STATE", STATE)), Local.here().cache)
    distribution.up()
    yield distribution
    if not os.environ.get("PARROT_TEST_KEEP"):
        distribution.down()


@pytest.fixture(scope="session")
def distribution(local: Local) -> Addresses:
    """Where the components of the running distribution are."""
    return local.addresses()

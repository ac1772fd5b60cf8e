"""`parrot bench transport` on the real Kafka, with so few records that its figures say nothing."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from click.testing import CliRunner

from parrot_faust.bench.load import PREFIX
from parrot_faust.bench.paths import PATHS
from parrot_faust.cli import cli
from parrot_faust.distribution import Local
from parrot_faust.transport.admin import BrokerAdmin

pytestmark = pytest.mark.integration


def topics(local: Local) -> set[str]:
    """The measurement's topics that are there now."""
    return asyncio.run(_topics(local.addresses().kafka))


async def _topics(address: str) -> set[str]:
    admin = BrokerAdmin({"bootstrap_servers": [address]}, 1, logging.getLogger("tests"))
    await admin.connect(lambda: False)
    try:
        return {name for name in await admin.topics() if name.startswith(PREFIX)}
    finally:
        await admin.close()


def test_every_path_is_measured_in_each_round_and_its_topics_are_removed(
    local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARROT_STATE", str(local.folder))
    before = topics(local)
    command = ["bench", "transport", "--rounds", "2", "--records", "10000", "--faust-records", "5000", "--json"]
    outcome = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert outcome.exit_code == 0
    report = json.loads(outcome.stdout)
    assert [set(rates) for rates in report["rounds"]] == [set(PATHS)] * 2
    assert all(rate > 0 for rates in report["rounds"] for rate in rates.values())
    assert report["records"] == {"faust": 5_000, "getmany": 10_000, "batches": 10_000}
    assert set(report["ratios"]) == set(report["targets"]) == {"faust", "getmany"}
    assert topics(local) <= before

"""`parrot connector` on the real Connect, with a connector of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from parrot_faust.connect import Connect
from parrot_faust.demo import connector
from parrot_faust.demo.leftovers import drop_capture
from parrot_faust.distribution import Addresses

PARROT = Path(sys.executable).with_name("parrot")
Parrot = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def parrot(distribution: Addresses) -> Parrot:
    environment = os.environ | {
        "PARROT_CONNECT": distribution.connect,
        "SHOP_PASSWORD": str(distribution.postgres["password"]),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [PARROT, "connector", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def name(distribution: Addresses) -> Iterator[str]:
    made = f"t{uuid4().hex[:10]}"
    with psycopg.connect(**distribution.postgres, autocommit=True) as database:
        database.execute(f"create schema {made}")
        database.execute(f"create table {made}.goods (id int primary key)")
        yield made
        connect = Connect(distribution.connect)
        if made in connect.names():
            connect.delete(made)
        database.execute(f"drop schema {made} cascade")
        drop_capture(database, made)


def config(distribution: Addresses, name: str, **more: str) -> dict[str, str]:
    settings = connector.config(distribution, name, [f"{name}.goods"], "json", prefix=name)
    return settings | {"database.password": "${SHOP_PASSWORD}"} | more


def test_a_connector_is_made_steered_and_deleted(
    parrot: Parrot, name: str, distribution: Addresses, tmp_path: Path
) -> None:
    file = tmp_path / "connector.json"
    file.write_text(json.dumps({"name": "ignored", "config": config(distribution, name)}))
    made = parrot("create", name, str(file))
    assert (made.returncode, made.stdout) == (0, f"{name} runs\n"), made.stderr
    listed = {one["name"]: one for one in json.loads(parrot("list", "--json").stdout)}
    assert listed[name]["connector"]["state"] == "RUNNING"
    assert [task["state"] for task in listed[name]["tasks"]] == ["RUNNING"]
    assert f"{name} source RUNNING" in " ".join(parrot("list").stdout.split())

    shown = parrot("status", name)
    assert shown.returncode == 0
    assert "RUNNING" in shown.stdout
    assert "database.hostname" in shown.stdout
    assert str(distribution.postgres["password"]) not in shown.stdout + parrot("status", name, "--json").stdout

    for command, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("restart", "RUNNING")):
        done = parrot(command, name)
        assert done.returncode == 0, done.stderr
        assert Connect(distribution.connect).status(name).connector.state == state
    assert parrot("delete", name, "--yes").returncode == 0
    assert name not in Connect(distribution.connect).names()
    gone = parrot("status", name)
    assert gone.returncode == 1
    assert "No status found" in gone.stderr or "not found" in gone.stderr


def test_every_wrong_setting_is_named_and_nothing_is_made(
    parrot: Parrot, name: str, distribution: Addresses, tmp_path: Path
) -> None:
    file = tmp_path / "connector.json"
    wrong = config(distribution, name, **{"slot.name": "Not A Slot!", "poll.interval.ms": "soon"})
    file.write_text(json.dumps(wrong))
    refused = parrot("create", name, str(file))
    assert refused.returncode == 1
    assert "slot.name:" in refused.stderr
    assert "poll.interval.ms:" in refused.stderr
    assert name not in Connect(distribution.connect).names()


def test_a_failed_connector_says_why_and_is_no_success(
    parrot: Parrot, name: str, distribution: Addresses, tmp_path: Path
) -> None:
    file = tmp_path / "connector.json"
    file.write_text(json.dumps(config(distribution, name, **{"publication.autocreate.mode": "disabled"})))
    failed = parrot("create", name, str(file))
    assert failed.returncode == 1
    assert "ublication" in failed.stderr
    for command in (("list",), ("status", name)):
        assert parrot(*command).returncode == 2
    assert "parrot connector restart" in parrot("status", name).stdout
    file.write_text(json.dumps(config(distribution, name)))
    mended = parrot("create", name, str(file))
    assert mended.returncode == 0, mended.stderr  # its old failure is still shown for a while


def test_a_connect_that_is_away_is_one_line(parrot: Parrot) -> None:
    away = parrot("--connect", "http://127.0.0.1:1", "list")
    assert away.returncode == 1
    assert away.stderr.startswith("error: Connect does not answer at http://127.0.0.1:1: ")
    assert "Traceback" not in away.stderr

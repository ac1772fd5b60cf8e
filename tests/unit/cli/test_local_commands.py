from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from parrot_faust.cli import cli
from parrot_faust.distribution import ALL, Local
from parrot_faust.distribution.components import COMPONENTS

FIELDS = {"name", "version", "address", "pid", "healthy", "memory", "uptime"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Local:
    """A checkout's distribution in folders of the test's own: nothing is fetched, nothing runs."""
    monkeypatch.setenv("PARROT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PARROT_CACHE", str(tmp_path / "cache"))
    return Local.here()


def parrot(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def test_status_as_json_has_every_component_with_every_field(here: Local) -> None:
    answer = parrot("status", "--json")
    assert answer.exit_code == 0
    listed = json.loads(answer.output)
    assert [one["name"] for one in listed] == list(ALL)
    for one in listed:
        assert set(one) == FIELDS
        assert one["version"] == COMPONENTS[one["name"]].version
        assert "127.0.0.1:" in one["address"]
        assert (one["pid"], one["healthy"], one["memory"], one["uptime"]) == (None, False, 0, 0.0)


def test_status_names_every_component_and_says_that_it_is_down(here: Local) -> None:
    lines = parrot("status").output.splitlines()
    for name in ALL:
        assert any(line.split()[0] == name and "down" in line for line in lines if line.strip())


def test_addresses_stay_the_same_from_one_command_to_the_next(here: Local) -> None:
    assert parrot("status", "--json").output == parrot("status", "--json").output


def test_no_command_prints_the_password(here: Local) -> None:
    password = here.addresses().postgres["password"]
    for arguments in (["status"], ["status", "--json"], ["logs", "postgres"], ["down"]):
        answer = parrot(*arguments)
        assert answer.exit_code == 0
        assert password not in answer.output


def test_down_says_when_nothing_was_running(here: Local) -> None:
    assert parrot("down").output == "nothing was running\n"


def test_logs_of_every_process_of_a_component_are_printed(here: Local) -> None:
    for file in here.log("hbase"):
        file.write_text("first line\nsecond line\n")
    processes, lines = COMPONENTS["hbase"].processes, ("first line", "second line")
    expected = [f"{process}: {line}" for process in processes for line in lines]
    assert parrot("logs", "hbase").output.splitlines() == expected


def test_logs_of_what_never_ran_say_so(here: Local) -> None:
    answer = parrot("logs", "kafka")
    assert answer.exit_code == 0
    assert "kafka has written no log yet" in answer.output


@pytest.mark.parametrize("command", ["up", "down", "logs"])
def test_an_unknown_component_is_refused_with_those_there_are(here: Local, command: str) -> None:
    answer = parrot(command, "oracle")
    assert answer.exit_code == 2
    for name in ALL:
        assert name in answer.output

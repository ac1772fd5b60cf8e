"""Fail points: silent unless armed, exact when armed, refused when misspelt, and each really in the code."""

from __future__ import annotations

import errno
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from parrot_faust import failpoints
from parrot_faust.errors import FailPointReached, SettingsError

TOP = Path(__file__).resolve().parents[2]
NAME = "commit.before"


def test_a_point_that_is_not_armed_does_nothing_however_often_it_is_passed() -> None:
    assert failpoints.at(NAME, {}) is failpoints.at("commit.after", {})
    failpoints.at(NAME, {failpoints.VARIABLE: "commit.after=raise"})()


def test_an_armed_point_fires_at_its_time_and_at_no_other(capfd: pytest.CaptureFixture[str]) -> None:
    passing = failpoints.at(NAME, {failpoints.VARIABLE: f"{NAME}=raise:3"})
    passing()
    passing()
    assert capfd.readouterr().err == ""
    with pytest.raises(FailPointReached) as raised:
        passing()
    assert raised.value.name == NAME
    assert capfd.readouterr().err == f"fail point {NAME}: raise\n"
    passing()


def test_a_plus_means_from_then_on() -> None:
    passing = failpoints.at(NAME, {failpoints.VARIABLE: f"{NAME}=raise:2+"})
    passing()
    for _ in range(3):
        with pytest.raises(FailPointReached):
            passing()


async def test_on_the_event_loop_too() -> None:
    passing = failpoints.at_async(NAME, {failpoints.VARIABLE: f"{NAME}=full:1"})
    with pytest.raises(OSError, match=r"No space left") as raised:
        await passing()
    assert raised.value.errno == errno.ENOSPC
    await failpoints.at_async(NAME, {failpoints.VARIABLE: f"{NAME}=sleep:1:0.01"})()
    await failpoints.at_async(NAME, {})()


def test_kill_kills_the_process_and_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"from parrot_faust.failpoints import at; at('{NAME}')(); print('still here')"],
        env={failpoints.VARIABLE: f"{NAME}=kill"},
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == ""
    assert done.stderr == f"fail point {NAME}: kill\n"


@pytest.mark.parametrize(
    "text", ["commit.befor=kill", "commit.before", "commit.before=explode", "commit.before=kill:x", "nonsense"]
)
def test_what_can_t_be_read_or_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=failpoints.VARIABLE):
        failpoints.at(NAME, {failpoints.VARIABLE: text})


def test_every_listed_point_is_in_the_code_and_no_other_is() -> None:
    asked = set()
    for file in [*TOP.glob("agents/*.py"), *TOP.glob("parrot_faust/**/*.py")]:
        for name in re.findall(r"failpoints\.at(?:_async)?\(\s*f?\"([^\"]+)\"", file.read_text(encoding="utf-8")):
            asked |= {name.replace("{sink}", sink).replace("{spec.kind}", sink) for sink in ("kudu", "hbase")}
    assert asked - {"host.between_tables", "host.after_ddl"} == set(failpoints.POINTS)

"""What a worker says of its beginning and its end, and how it says it."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parrot_faust.logs.summary import Ending, tell_beginning
from parrot_faust.settings import load

SETTINGS = """
app: unit
brokers: ['127.0.0.1:1']
web: {enabled: false}
source: {topics: 'shop[.].*', registry: 'http://user:word-in-address@127.0.0.1:1'}
sinks: {kudu: {masters: ['127.0.0.1:1']}}
"""
LOG = logging.getLogger("tests.worker.log")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parrot.yaml").write_text(SETTINGS)
    return tmp_path


def worker(folder: Path, **environment: str) -> tuple[int, list[str]]:
    """Start a worker that finds no broker, end it when it says so; its status and the lines of its log."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PARROT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "faust", "-A", "parrot_faust", "worker"],
        cwd=folder,
        env=clean | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    with process:
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if "no Kafka broker" in line:
                process.send_signal(signal.SIGTERM)
    return process.returncode, lines


def test_the_log_of_a_worker_is_lines_for_people_and_its_last_one_says_why(folder: Path) -> None:
    status, lines = worker(folder)
    assert status == 0
    assert all(re.match(r"\S+Z (INFO|WARNING) ", line) for line in lines), lines
    (end,) = [line for line in lines if "the worker has ended" in line]
    assert 'why="signal SIGTERM"' in end
    assert end.endswith(
        "captured=0 forwarded=0 quarantined=0 dropped=0 dead_lettered=0 skipped=0 tombstones=0 "
        'offsets="nothing was read"'
    )
    assert not [line for line in lines if "logger=faust" in line], "Faust's own lines are asked for by -l"


def test_the_log_of_a_worker_is_json_by_setting(folder: Path) -> None:
    _, lines = worker(folder, PARROT_LOG__FORMAT="json")
    told = [json.loads(line) for line in lines]
    assert [each["why"] for each in told if each["message"] == "the worker has ended"] == ["signal SIGTERM"]
    assert "word-in-address" not in "".join(lines)
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(each) for each in told))


def test_the_level_of_our_lines_is_a_setting(folder: Path) -> None:
    _, lines = worker(folder, PARROT_LOG__LEVEL="warning")
    assert [line.split()[1] for line in lines] == ["WARNING", "WARNING"]
    assert "a secret written in the file" in lines[0], "what is said before the log is set up comes in its form too"
    assert "no Kafka broker" in lines[1]


def test_the_first_line_says_what_the_worker_works_on(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    settings = load(folder / "parrot.yaml", {})
    caplog.clear()
    tell_beginning(LOG, settings, "1.2", sources=["shop.a", "shop.b"], rules={"shop.a": 3})
    (said,) = caplog.records
    assert said.getMessage() == "the worker starts"
    assert vars(said)["fields"] == {
        "version": "1.2",
        "app": "unit",
        "brokers": "127.0.0.1:1",
        "topics": "shop[.].*",
        "found": 2,
        "sinks": "kudu",
        "rules": "shop.a(3)",
        "tracing": "off",
        "web": "off",
    }


VIEW: dict[str, Any] = {
    "sources": {
        "a": {"captured": 10, "forwarded": 6, "quarantined": 1, "dead_lettered": 1, "dropped": 0, "tombstones": 2},
        "b": {"captured": 5, "forwarded": 5},
    },
    "sinks": {
        "kudu": {"tables": {"a": {"applied": 6, "dead_lettered": 0}, "b": {"applied": 4, "dead_lettered": 1}}},
        "hbase": {"tables": {"a": {"applied": 6, "dead_lettered": 0}}},
    },
}


def test_the_last_line_says_what_was_done_in_every_sink(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = iter([100.0, 112.34])
    ending = Ending(lambda: next(clock))
    ending.began = ending.committed = True
    ending.tell(LOG, "unit", VIEW)
    (said,) = caplog.records
    assert said.levelname == "INFO"
    assert vars(said)["fields"] == {
        "app": "unit",
        "why": "it was told to",
        "seconds": 12.3,
        "captured": 15,
        "forwarded": 11,
        "quarantined": 1,
        "dropped": 0,
        "dead_lettered": 1,
        "skipped": 0,
        "tombstones": 2,
        "kudu.applied": 10,
        "kudu.dead_lettered": 1,
        "hbase.applied": 6,
        "hbase.dead_lettered": 0,
        "offsets": "committed",
    }


def test_the_first_reason_is_the_one_that_is_told_and_a_failure_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    ending = Ending()
    ending.began = True
    ending.because("OSError('disk full')", failed=True)
    ending.because("signal SIGTERM")
    ending.tell(LOG, "unit", VIEW)
    (said,) = caplog.records
    fields = vars(said)["fields"]
    assert (said.levelname, fields["why"]) == ("ERROR", "OSError('disk full')")
    assert fields["offsets"] == "not committed: what they cover is read again"

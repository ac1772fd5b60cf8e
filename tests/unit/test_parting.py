"""The end of a worker that does not come to one by itself."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys

import pytest

from parrot_faust.parting import Parting

PATIENCE_S = 30


@pytest.mark.parametrize("status", [0, 1])
def test_an_end_that_takes_too_long_is_cut_off_with_its_last_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(logging, "shutdown", lambda: None)  # the other tests still log
    left: queue.Queue[int] = queue.Queue()
    told: list[str] = []

    def tell() -> int:
        told.append("the last line")
        return status

    parting = Parting(tell, logging.getLogger("parting"), within_s=0.01, leave=left.put)
    parting.begin()
    parting.begin()  # a second reason to end does not give it more time, nor a second end
    assert left.get(timeout=PATIENCE_S) == status
    assert told == ["the last line"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "it is cut off. What was not committed is read again" in caplog.text
    assert left.empty()


def test_it_is_cut_off_also_when_the_last_line_can_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _arguments: None)
    left: queue.Queue[int] = queue.Queue()

    def tell() -> int:
        raise OSError("no space left")

    Parting(tell, logging.getLogger("parting"), within_s=0.01, leave=left.put).begin()
    assert left.get(timeout=PATIENCE_S) == 1


def test_a_program_whose_event_loop_is_stuck_ends() -> None:
    program = (
        "import logging, threading\n"
        "from parrot_faust.parting import Parting\n"
        "Parting(lambda: 7, logging.getLogger(), within_s=0.01).begin()\n"
        "threading.Event().wait()\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=PATIENCE_S, env=dict(os.environ)).returncode == 7

"""What a command says when the disk takes nothing more."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from parrot_faust.cli import main
from parrot_faust.distribution import Local


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARROT_STATE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["parrot", "status"])
    return tmp_path


def failing(number: int) -> object:
    def status(_local: Local) -> None:
        raise OSError(number, os.strerror(number), "state.json")

    return status


def test_a_full_disk_is_one_line_that_says_what_to_do(
    status: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Local, "status", failing(errno.ENOSPC))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "No space left on device at state.json; make room" in said
    assert len(said.splitlines()) == 1


def test_another_failure_of_the_system_is_not_mistaken_for_it(status: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Local, "status", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        main()

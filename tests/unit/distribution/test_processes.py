from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from parrot_faust.distribution import processes
from parrot_faust.distribution.processes import Launch
from parrot_faust.distribution.state import ProcessRecord, State
from parrot_faust.errors import DistributionError

PATIENCE_S = 60.0  # only a failing test waits so long
SLEEP = "import time; time.sleep(600)"
#: Says when its handler is in place: a signal before that would end it however stubborn it is meant to be.
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
POLITE = """
import pathlib, signal, sys, time
def leave(*_):
    pathlib.Path("goodbye").write_text("ended by itself")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
time.sleep(600)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State.load(tmp_path)
    yield made
    for process in psutil.process_iter():
        try:
            if process.environ().get(processes.MARK) == made.identity:
                process.kill()
        except (psutil.Error, OSError):
            continue


def python(name: str, code: str) -> Launch:
    return Launch(name, [sys.executable, "-c", code])


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def said(state: State, name: str) -> str:
    until(lambda: "ready" in state.log(name).read_text())
    return state.log(name).read_text()


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_pid_and_time_of_start_are_recorded(state: State) -> None:
    record = processes.start(state, python("one", SLEEP))
    assert State.load(state.folder).processes == {"one": record}
    assert record.started == pytest.approx(time.time(), abs=5)
    found = processes.running(record)
    assert found is not None
    assert found.pid == record.pid


def test_a_process_is_alone_in_its_group_and_its_output_is_in_its_log(state: State) -> None:
    record = processes.start(state, python("one", STUBBORN))
    assert os.getpgid(record.pid) == record.pid
    assert os.getsid(record.pid) == record.pid
    assert said(state, "one") == "ready\n"


def test_the_environment_of_the_command_is_not_handed_on(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("PGPASSWORD", "x")
    record = processes.start(state, python("one", STUBBORN))
    assert not {"AWS_SECRET_ACCESS_KEY", "PGPASSWORD"} & set(psutil.Process(record.pid).environ())


def test_what_is_ended_is_ended_politely(state: State) -> None:
    processes.start(state, python("one", POLITE))
    said(state, "one")
    assert processes.stop(state, ["one"]) == ["one"]
    assert (state.folder / "goodbye").read_text() == "ended by itself"
    assert State.load(state.folder).processes == {}


def test_what_does_not_end_politely_is_killed_after_a_deadline(state: State) -> None:
    record = processes.start(state, python("one", STUBBORN))
    said(state, "one")
    assert processes.stop(state, ["one"], grace_s=0.3) == ["one"]
    assert not alive(record.pid)


def test_what_a_process_has_started_ends_with_it(state: State) -> None:
    record = processes.start(state, python("one", PARENT))
    child = int(said(state, "one").split()[1])
    assert alive(child)
    processes.stop(state, ["one"])
    assert not alive(record.pid)
    assert not alive(child)


def test_only_what_is_named_is_ended(state: State) -> None:
    one, other = processes.start(state, python("one", SLEEP)), processes.start(state, python("other", SLEEP))
    assert processes.stop(state, ["one", "never started"]) == ["one"]
    assert not alive(one.pid)
    assert alive(other.pid)
    assert State.load(state.folder).processes == {"other": other}


def test_a_recycled_pid_is_not_ended(state: State) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True)
    try:
        started = psutil.Process(stranger.pid).create_time()
        state.processes["one"] = ProcessRecord(stranger.pid, started - 3600)
        state.save()
        assert processes.running(state.processes["one"]) is None
        assert processes.stop(state, ["one"]) == []
        processes.adopt(state)
        assert state.processes == {}
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_what_has_ended_is_no_longer_running(state: State) -> None:
    record = processes.start(state, python("one", SLEEP))
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: processes.running(record) is None)
    assert processes.stop(state, ["one"]) == []
    processes.adopt(state)
    assert State.load(state.folder).processes == {}


def test_what_a_killed_command_started_and_never_recorded_is_found(state: State) -> None:
    record = processes.start(state, python("one", SLEEP))
    state.processes.clear()
    state.save()
    later = State.load(state.folder)
    processes.adopt(later)
    assert set(later.processes) == {"one"}
    assert later.processes["one"].pid == record.pid
    assert processes.stop(later, ["one"]) == ["one"]
    assert not alive(record.pid)


def test_what_another_checkout_started_is_left_alone(state: State, tmp_path: Path) -> None:
    neighbour = State.load(tmp_path / "neighbour")
    record = processes.start(neighbour, python("one", SLEEP))
    try:
        processes.adopt(state)
        assert state.processes == {}
        assert processes.stop(state, ["one"]) == []
        assert alive(record.pid)
    finally:
        processes.stop(neighbour, ["one"])


def test_children_left_by_a_server_that_died_are_ended(state: State) -> None:
    record = processes.start(state, python("one", PARENT))
    child = int(said(state, "one").split()[1])
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: processes.running(record) is None)
    assert alive(child)
    processes.adopt(State.load(state.folder))
    assert not alive(child)


def test_the_session_of_a_stranger_with_a_recycled_pid_is_left_alone(state: State, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent
    stranger = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=elsewhere, start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert stranger.stdout is not None
    child = int(stranger.stdout.readline().split()[1])
    try:
        state.processes["one"] = ProcessRecord(stranger.pid, psutil.Process(stranger.pid).create_time() - 3600)
        processes.adopt(state)
        assert stranger.poll() is None
        assert alive(child)
    finally:
        os.killpg(stranger.pid, signal.SIGKILL)
        stranger.communicate()


def test_a_tool_that_fails_says_why(state: State) -> None:
    tool = python("initdb", "import sys; print('no space left on device'); sys.exit(3)")
    with pytest.raises(DistributionError, match="initdb failed with status 3\nno space left on device"):
        processes.run(state, tool)
    processes.run(state, python("initdb", "print('fine')"))


def test_a_tool_of_a_killed_command_is_ended_before_anything_begins_anew(state: State) -> None:
    code = (
        "from pathlib import Path; import sys; from parrot_faust.distribution import processes;"
        "from parrot_faust.distribution.state import State;"
        "tool = processes.Launch('initdb', [sys.executable, '-c', sys.argv[2]]);"
        "processes.run(State.load(Path(sys.argv[1])), tool)"
    )
    marker = "import pathlib, os, time; pathlib.Path('tool').write_text(str(os.getpid())); time.sleep(600)"
    command = subprocess.Popen([sys.executable, "-c", code, str(state.folder), marker])
    until(lambda: (state.folder / "tool").exists() and (state.folder / "tool").read_text())
    tool = int((state.folder / "tool").read_text())
    command.kill()
    command.wait()
    assert alive(tool)
    processes.adopt(State.load(state.folder))
    assert not alive(tool)


def test_memory_counts_what_a_process_has_started(state: State) -> None:
    record = processes.start(state, python("one", PARENT))
    child = int(said(state, "one").split()[1])
    found = processes.running(record)
    assert found is not None
    assert processes.memory(found) > found.memory_info().rss
    assert processes.memory(found) > psutil.Process(child).memory_info().rss


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("".join(f"line {number}\n" for number in range(50_000)))
    assert processes.tail(log, 2) == "line 49998\nline 49999"
    assert processes.tail(tmp_path / "none.log", 2) == ""

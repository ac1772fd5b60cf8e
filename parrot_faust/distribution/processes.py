"""Starting servers in groups of their own, and ending exactly those."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from parrot_faust.distribution.state import ProcessRecord, State
from parrot_faust.errors import DistributionError

STOP_GRACE_S = 15.0  # HBase flushes its regions when asked to end; nothing here needs longer
KILL_WAIT_S = 5.0  # what is killed is gone at once, unless it waits for a disk
END_POLL_S = 0.02
TOOL_LINES = 12
MARK = "PARROT_STATE_ID"
MARK_NAME = "PARROT_PROCESS"
TOOL = "prepare "  # how the names of tools begin, that run to their end before a server starts


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one process. `user` and `group` are ids to run as, None for one's own."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    user: int | None = None
    group: int | None = None


def start(state: State, launch: Launch) -> ProcessRecord:
    """Start a process in a session of its own, its output in its log, and record it.

    The process carries the state's identity in its environment, so that it is found even if this command dies before
    the record is written.
    """
    with state.log(launch.name).open("ab") as log:
        process = _popen(state, launch, stdout=log, stderr=subprocess.STDOUT)
    record = ProcessRecord(process.pid, psutil.Process(process.pid).create_time())
    state.processes[launch.name] = record
    state.save()
    return record


def run(state: State, tool: Launch) -> None:
    """Run a tool to its end. Raise DistributionError, with the end of what it said, when it fails.

    It is marked like a server: if this command is killed meanwhile, the next one ends it before it begins anew.
    """
    marked = replace(tool, name=f"{TOOL}{tool.name}")
    with _popen(state, marked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        said, _ = process.communicate()
    if process.returncode:
        end = "\n".join(said.decode("utf-8", "replace").splitlines()[-TOOL_LINES:])
        raise DistributionError(f"{tool.name} failed with status {process.returncode}\n{end}")


def _popen(state: State, launch: Launch, **output: Any) -> subprocess.Popen[bytes]:
    own = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "TZ", "TMPDIR"}}
    return subprocess.Popen(
        [str(part) for part in launch.command],
        stdin=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8", **own, **launch.environment, MARK: state.identity, MARK_NAME: launch.name},
        cwd=launch.folder or state.folder,
        start_new_session=True,
        user=launch.user,
        group=launch.group,
        extra_groups=[] if launch.user is not None else None,
        **output,
    )


def running(record: ProcessRecord | None) -> psutil.Process | None:
    """The process of a record if it still runs; None when it has ended or its pid belongs to another by now."""
    if record is None:
        return None
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.started) <= 1
    except psutil.NoSuchProcess:
        return None
    return process if same and _alive(process) else None


def adopt(state: State) -> None:
    """Bring the records up to date, under the state's lock.

    Forget what has ended, with the last of its children; find what a killed command has started and not recorded; end
    the tools it was running.
    """
    found: dict[str, ProcessRecord] = {}
    ended = {record.pid for record in state.processes.values() if not running(record)}
    left: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getsid(process.pid) in ended and _works_in(process, state):
                left.append(process)
                continue
            if process.pid != os.getpgid(process.pid):
                continue
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # another user's, or gone: not started from here
        if environment.get(MARK) != state.identity or not (name := environment.get(MARK_NAME)):
            continue
        if name.startswith(TOOL):
            left += [process, *_children(process)]
        else:
            found[name] = ProcessRecord(process.pid, process.create_time())
    _kill(left)
    kept = {name: record for name, record in state.processes.items() if running(record)}
    state.processes = {**found, **kept}
    state.save()


def _works_in(process: psutil.Process, state: State) -> bool:
    """Whether a process works in a folder of this state: one whose session has a pid of ours by chance does not."""
    folder = Path(process.cwd())
    return folder.is_relative_to(state.folder) or any(state.identity in part for part in folder.parts)


def _kill(members: Sequence[psutil.Process]) -> None:
    for member in members:
        with suppress(psutil.NoSuchProcess):
            member.kill()  # psutil compares the time it was started before it sends a signal
    _outlasting(members, KILL_WAIT_S)


def _outlasting(members: Sequence[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until these have ended; return those that have not in time.

    One that has ended and is not yet collected by its parent has ended: in a container it may stay so for good.
    """
    deadline = time.monotonic() + timeout_s
    while (alive := [member for member in members if _alive(member)]) and time.monotonic() < deadline:
        time.sleep(END_POLL_S)
    psutil.wait_procs(members, timeout=0)  # collects those that are our own children
    return alive


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop(state: State, names: Iterable[str], *, grace_s: float = STOP_GRACE_S) -> list[str]:
    """End the processes of these names with all they have started, politely first. Return those that were running."""
    groups = {name: process for name in names if (process := running(state.processes.get(name)))}
    everyone = [member for process in groups.values() for member in (process, *_children(process))]
    for process in groups.values():
        _signal_group(process.pid, signal.SIGTERM)
    _kill(_outlasting(everyone, grace_s))
    for name in groups:
        state.processes.pop(name, None)
    state.save()
    return list(groups)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        children: list[psutil.Process] = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return children


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def memory(process: psutil.Process) -> int:
    """Resident bytes of a process and of all it has started."""
    total = 0
    for member in [process, *_children(process)]:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def tail(log: Path, lines: int) -> str:
    """The last lines of a log file."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 64_000))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])

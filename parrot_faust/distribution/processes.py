"""Starting servers in groups of their own, and ending exactly those."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from parrot_faust.distribution.state import ProcessRecord, State

STOP_GRACE_S = 15.0  # HBase flushes its regions when asked to end; nothing here needs longer
MARK = "PARROT_STATE_ID"
MARK_NAME = "PARROT_PROCESS"


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
    own = {key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "LANG", "TZ", "TMPDIR"}}
    environment = {"LANG": "C.UTF-8", **own, **launch.environment, MARK: state.identity, MARK_NAME: launch.name}
    with state.log(launch.name).open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in launch.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=launch.folder or state.folder,
            start_new_session=True,
            user=launch.user,
            group=launch.group,
            extra_groups=[] if launch.user is not None else None,
        )
    record = ProcessRecord(process.pid, psutil.Process(process.pid).create_time())
    state.processes[launch.name] = record
    state.save()
    return record


def running(record: ProcessRecord | None) -> psutil.Process | None:
    """The process of a record if it still runs; None when it has ended or its pid belongs to another by now."""
    if record is None:
        return None
    try:
        process = psutil.Process(record.pid)
        if abs(process.create_time() - record.started) > 1 or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def adopt(state: State) -> None:
    """Bring the records up to date: forget what has ended, find what a killed command has started and not recorded."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid != os.getpgid(process.pid):
                continue
            environment = process.environ()
        except (psutil.Error, OSError):
            continue  # another user's, or gone: not started from here
        if environment.get(MARK) == state.identity and (name := environment.get(MARK_NAME)):
            found[name] = ProcessRecord(process.pid, process.create_time())
    kept = {name: record for name, record in state.processes.items() if running(record)}
    state.processes = {**found, **kept}
    state.save()


def stop(state: State, names: Iterable[str]) -> list[str]:
    """End the processes of these names with all they have started, politely first. Return those that were running."""
    groups = {}
    for name in names:
        if process := running(state.processes.get(name)):
            groups[name] = process
    members = {name: [process, *_children(process)] for name, process in groups.items()}
    for process in groups.values():
        _signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_GRACE_S
    everyone = [member for group in members.values() for member in group]
    _, alive = psutil.wait_procs(everyone, timeout=max(0.0, deadline - time.monotonic()))
    for member in alive:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=5)
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
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


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

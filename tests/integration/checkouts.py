"""A checkout of its own for a test: a state folder, and the `parrot` command that works on it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from parrot_faust.distribution import Local
from parrot_faust.distribution.processes import MARK
from parrot_faust.distribution.state import State

PARROT = Path(sys.executable).with_name("parrot")
PATIENCE_S = 60.0  # only a failing test waits so long


@dataclass(frozen=True)
class Checkout:
    """One state folder, and the cache it uses."""

    folder: Path
    cache: Path

    @property
    def local(self) -> Local:
        """The same distribution, in this process."""
        return Local(self.folder, self.cache)

    @property
    def state(self) -> State:
        """Its state as it is on disk now."""
        return State.load(self.folder)

    def parrot(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [PARROT, *arguments],
            env=self._environment(environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 3,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command, in a group of its own as a shell does."""
        return subprocess.Popen(
            [PARROT, *arguments],
            env=self._environment({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, "PARROT_STATE": str(self.folder), "PARROT_CACHE": str(self.cache), **more}

    def status(self) -> dict[str, dict[str, Any]]:
        """What `parrot status --json` prints, by name."""
        answer = self.parrot("status", "--json")
        assert answer.returncode == 0, answer.stderr
        return {one["name"]: one for one in json.loads(answer.stdout)}

    def processes(self) -> list[psutil.Process]:
        """Every process that was started from here, however it was recorded: by its mark, its session, its folder."""
        identity = self.state.identity
        return [process for process in psutil.process_iter() if _belongs(process, self.folder, identity)]

    def end(self) -> None:
        """Take away all that the test may have left."""
        for process in self.processes():
            process.kill()
        shutil.rmtree(Path(tempfile.gettempdir()) / f"parrot-postgres-{self.state.identity}", ignore_errors=True)


def shared_cache() -> Path:
    """A cache with the artefacts of the user's own. What is unpacked from them lies where any user can pass.

    PostgreSQL runs as another user when we are root, and unpacks its programs anew for every state folder if that user
    can't reach the cache.
    """
    folder = Path(tempfile.mkdtemp(prefix="parrot-cache-"))
    folder.chmod(0o755)
    (folder / "artefacts").symlink_to(Local.here().cache / "artefacts")
    return folder


def _belongs(process: psutil.Process, folder: Path, identity: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        words = [*process.cmdline(), process.cwd()]
        return process.environ().get(MARK) == identity or any(str(folder) in word or identity in word for word in words)
    except (psutil.Error, OSError):
        return False


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


def kill(process: subprocess.Popen[str], number: signal.Signals = signal.SIGKILL) -> str:
    """Send a signal to a command; return what it had printed when it has ended."""
    process.send_signal(number)
    printed, _ = process.communicate(timeout=PATIENCE_S)
    return printed


def listeners(root: psutil.Process) -> Iterator[tuple[str, int]]:
    """Addresses at which a process, or one that it has started, takes connections or datagrams."""
    for process in [root, *root.children(recursive=True)]:
        for connection in process.net_connections(kind="inet"):
            if connection.status == psutil.CONN_LISTEN or (connection.type == 2 and not connection.raddr):
                yield connection.laddr

"""The state folder of a checkout: ports, processes and passwords of its local distribution."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import secrets
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parrot_faust.errors import DistributionError

_GUARD = threading.Lock()  # components start side by side, each asking for its ports
CHECKOUT = Path(__file__).resolve().parents[2]
#: How a folder says that it is not this user's, as where the package is installed.
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def default_folder() -> Path:
    """The state folder: `PARROT_STATE`, else `.parrot` of this checkout."""
    return Path(os.environ.get("PARROT_STATE") or CHECKOUT / ".parrot").absolute()


@dataclass(slots=True)
class ProcessRecord:
    """A process that was started here. `started` (seconds since the epoch) tells it from a later one with its pid."""

    pid: int
    started: float


@dataclass(slots=True)
class State:
    """What is kept between commands. Change it under `locked` only."""

    folder: Path
    identity: str
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, ProcessRecord] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> State:
        """Read the state, or begin one. Raise DistributionError when that can't be done."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _writing(folder):
                raw = _read(folder)
                if raw is None:
                    raw = {"identity": uuid.uuid4().hex, "ports": {}, "processes": {}}
                    _write(folder, raw)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            cure = "name a folder of your own in PARROT_STATE"
            raise DistributionError(f"{folder} can't be written to ({error.strerror}): {cure}") from None
        try:
            processes = {name: ProcessRecord(**record) for name, record in raw["processes"].items()}
            return cls(folder, raw["identity"], raw["ports"], processes)
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(folder, error) from error

    def save(self) -> None:
        """Write the records of processes. Ports are written when they are chosen, and never change."""
        with _writing(self.folder):
            known = _read(self.folder) or {"identity": self.identity}
            self.ports |= known.get("ports", {})
            known["ports"] = self.ports
            known["processes"] = {
                name: {"pid": record.pid, "started": record.started} for name, record in self.processes.items()
            }
            _write(self.folder, known)

    def port(self, name: str) -> int:
        """The port of that name: a free one at the first asking, by whichever command asks, the same from then on."""
        if name not in self.ports:
            with _writing(self.folder):
                known = _read(self.folder) or {"identity": self.identity, "processes": {}}
                # A command that only looks may ask while another one starts servers: what was written first counts.
                self.ports |= known.get("ports", {})
                if name not in self.ports:
                    self.ports[name] = _free_port(set(self.ports.values()))
                _write(self.folder, {**known, "ports": self.ports})
        return self.ports[name]

    def secret(self, name: str) -> str:
        """The password of that name, made at the first asking and kept in a file only its owner can read."""
        file = self.folder / "secrets" / name
        with _writing(self.folder):
            if not file.exists():
                file.parent.mkdir(mode=0o700, exist_ok=True)
                _replace(file, secrets.token_urlsafe(24))
        return file.read_text(encoding="utf-8")

    def data(self, component: str) -> Path:
        """The data folder of a component."""
        folder = self.folder / "data" / component
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, process: str) -> Path:
        """The log file of a process."""
        folder = self.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{process}.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock: one command at a time changes it."""
        with (self.folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DistributionError(
                    f"another parrot command is working on {self.folder}; wait for it to end"
                ) from None
            yield


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Let one thread of one command at a time read and write the files of the folder."""
    with _GUARD, (folder / "writing").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        raw: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise _unreadable(folder, error) from error
    return raw


def _write(folder: Path, raw: dict[str, Any]) -> None:
    _replace(folder / "state.json", json.dumps(raw, indent=1))


def _replace(file: Path, content: str) -> None:
    """Write a file, readable by its owner only, so that nobody ever sees half of it."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(content)
    Path(name).replace(file)


def _unreadable(folder: Path, error: Exception) -> DistributionError:
    return DistributionError(
        f"{folder / 'state.json'} can't be read ({type(error).__name__}: {error}); end what still runs and delete the "
        f"folder {folder}"
    )


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        # Below the range from which the kernel picks ports of outgoing connections, so that a client that happens to
        # hold it can't keep a server from starting again.
        low = 15_000 + port % 16_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", low))
            except OSError:
                continue
        if low not in taken:
            return low

"""The state folder of a checkout: ports, processes and passwords of its local distribution."""

from __future__ import annotations

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

OWNER_ONLY = 0o600
_GUARD = threading.RLock()  # components start side by side, each asking for its ports
CHECKOUT = Path(__file__).resolve().parents[2]


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
        """Read the state, or begin one. Raise DistributionError when the file can't be read."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "state.json"
        if not file.exists():
            state = cls(folder, uuid.uuid4().hex)
            state.save()
            return state
        try:
            raw: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            processes = {name: ProcessRecord(**record) for name, record in raw["processes"].items()}
            return cls(folder, raw["identity"], raw["ports"], processes)
        except (ValueError, KeyError, TypeError) as error:
            raise DistributionError(
                f"{file} can't be read ({error}); end what still runs and delete the folder {folder}"
            ) from error

    def save(self) -> None:
        """Write the state so that a reader never sees half of it."""
        content = {
            "identity": self.identity,
            "ports": self.ports,
            "processes": {
                name: {"pid": record.pid, "started": record.started} for name, record in self.processes.items()
            },
        }
        with _GUARD, tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            Path(file.name).replace(self.folder / "state.json")

    def port(self, name: str) -> int:
        """The port of that name: a free one at the first asking, the same from then on."""
        with _GUARD:
            if name not in self.ports:
                self.ports[name] = _free_port(set(self.ports.values()))
                self.save()
            return self.ports[name]

    def secret(self, name: str) -> str:
        """The password of that name, made at the first asking and kept in a file only its owner can read."""
        file = self.folder / "secrets" / name
        with _GUARD:
            if not file.exists():
                file.parent.mkdir(mode=0o700, exist_ok=True)
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
                with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(secrets.token_urlsafe(24))
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

"""A Kudu master and tablet server for tests that stop and freeze them, which nobody may do to a shared one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parrot_faust.distribution import fetch, lock
from parrot_faust.distribution.unpack import unpack_zip

START_S = 60.0


@dataclass(frozen=True)
class Servers:
    """`masters` as the sink's settings want it; `tablets` is the tablet server's process."""

    masters: tuple[str, ...]
    master: subprocess.Popen[bytes]
    tablets: subprocess.Popen[bytes]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The tablet server does not answer in here, and goes on as if nothing had been afterwards."""
        self.tablets.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.tablets.send_signal(signal.SIGCONT)


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[Servers]:
    """Start both below `folder` with these flags, wait until a tablet server is known to the master, end both
    afterwards.
    """
    root = _binaries(folder)
    ports = _free_ports(4)
    master_address = f"127.0.0.1:{ports[0]}"
    master = _start(root, folder, "master", ports[0], ports[1], *flags)
    own = f"--tserver_master_addrs={master_address}"
    tablets = _start(root, folder, "tserver", ports[2], ports[3], own, *flags)
    try:
        _wait(master_address, (master, tablets), folder)
        yield Servers((master_address,), master, tablets)
    finally:
        for process in (tablets, master):
            process.kill()
            process.wait()


def _binaries(folder: Path) -> Path:
    cache = fetch.Cache(fetch.default_cache())
    artefacts = lock.bundle("kudu")
    cache.ensure(artefacts, fetch.Silent())
    unpack_zip(cache.path(artefacts[0]), folder / "binaries")
    (root,) = (path for path in (folder / "binaries").iterdir() if (path / "lib").is_dir())
    for program in (root / "bin").iterdir():
        program.chmod(0o755)
    return root


def _start(root: Path, folder: Path, role: str, port: int, web: int, *more: str) -> subprocess.Popen[bytes]:
    (folder / f"{role}-logs").mkdir()
    flags = [
        f"--fs_wal_dir={folder / role}",
        f"--log_dir={folder / f'{role}-logs'}",
        f"--rpc_bind_addresses=127.0.0.1:{port}",
        "--webserver_interface=127.0.0.1",
        f"--webserver_port={web}",
        f"--webserver_doc_root={root / 'www'}",
        "--unlock_experimental_flags",
        "--unlock_unsafe_flags",
        "--time_source=system_unsync",
    ]
    libraries = {"LD_LIBRARY_PATH": str(root / "lib"), "SASL_PATH": str(root / "lib" / "sasl2")}
    with (folder / f"{role}.log").open("wb") as log:
        return subprocess.Popen(
            [str(root / "bin" / f"kudu-{role}"), *flags, *more],
            env={**os.environ, **libraries},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(master: str, processes: tuple[subprocess.Popen[bytes], ...], folder: Path) -> None:
    import kudu
    from kudu.client import Client

    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if any(process.poll() is not None for process in processes):
            break
        try:
            if Client([master], admin_timeout_ms=2_000, rpc_timeout_ms=2_000).list_tablet_servers():
                return
        except kudu.KuduException:
            continue  # its own time-out is the pause between two tries
    logs = "\n".join(path.read_text(errors="replace")[-1000:] for path in folder.glob("*.log"))
    raise AssertionError(f"Kudu did not start:\n{logs}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()

"""Thrift servers for tests that kill and freeze them, which nobody may do to the shared ones, at the shared HBase."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import happybase
from thriftpy2.thrift import TException

from parrot_faust.distribution import Local
from parrot_faust.distribution.components.base import LOOPBACK, Context
from parrot_faust.distribution.components.hbase import OPENS
from parrot_faust.distribution.fetch import Cache, Silent
from parrot_faust.distribution.java import java
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.state import State

START_S = 90.0
IDLE_S = 3  # after which these servers end a connection; as it comes it is a minute


class ThriftServer:
    """One server on a port of its own, which it keeps when it is started again."""

    def __init__(self, command: Sequence[str], folder: Path, name: str) -> None:
        self.port = _free_port()
        self._command = [*command, f"org.apache.hadoop.hbase.{name}.ThriftServer", "start", "-p", str(self.port)]
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """As the sink's settings want it."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it, and return at once."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)

    def wait(self) -> None:
        """Return when it takes connections."""
        assert self._process is not None
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection((LOOPBACK, self.port), 1.0).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"the Thrift server did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End it at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It does not answer in here, and goes on as if nothing had been afterwards."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def running(
    local: Local, folder: Path, more: Mapping[str, object] | None = None
) -> Iterator[tuple[ThriftServer, ThriftServer]]:
    """Both servers, of the first API and of the second. With `more` settings of HBase they may still look for it."""
    state = State.load(local.folder)
    cache = Cache(local.cache)
    context = Context(state, cache, java(cache, Silent()))
    _configure(folder, state, more or {})
    class_path = context.class_path("hbase")
    if more is not None:
        cache.ensure(bundle("hbase-http"), Silent())
        class_path = f"{context.class_path('hbase-http')}:{class_path}"
    command = [*context.jvm(192, *OPENS), "-cp", f"{folder}:{class_path}"]
    servers = ThriftServer(command, folder, "thrift"), ThriftServer(command, folder, "thrift2")
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait()
        if more is None:
            _wait_for_tables(servers[0].port)
        yield servers
    finally:
        for server in servers:
            server.kill()


def _configure(folder: Path, state: State, more: Mapping[str, object]) -> None:
    settings: dict[str, object] = {
        "hbase.zookeeper.quorum": LOOPBACK,
        "hbase.zookeeper.property.clientPort": state.port("hbase-zookeeper"),
        "hbase.regionserver.thrift.ipaddress": LOOPBACK,
        "hbase.thrift.info.port": -1,
        "hbase.thrift.server.socket.read.timeout": IDLE_S * 1000,
        **more,
    }
    entries = "".join(
        f"<property><name>{key}</name><value>{value}</value></property>" for key, value in settings.items()
    )
    (folder / "hbase-site.xml").write_text(f"<configuration>{entries}</configuration>", encoding="utf-8")


def _wait_for_tables(port: int) -> None:
    connection = happybase.Connection(LOOPBACK, port, timeout=int(START_S * 1000))
    try:
        connection.tables()
    except TException as error:
        raise AssertionError(f"the Thrift server does not reach HBase: {error}") from error
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        port: int = one.getsockname()[1]
        return port

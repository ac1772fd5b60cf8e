"""The demo's worker: a real one, as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from parrot_faust.distribution import Addresses
from parrot_faust.distribution.processes import tail
from parrot_faust.distribution.state import CHECKOUT
from parrot_faust.errors import DistributionError
from parrot_faust.web.stats_page import whole

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
ANSWER_TIMEOUT_S = 5

SETTINGS = """\
# Written by `parrot demo`; a worker of your own starts from a file like this one.
app: {app}
brokers: '{brokers}'
state: '{state}'
web: {{port: {port}}}
source:
  topics: 'shop\\.public\\..*'
  registry: {registry}
sinks:
  kudu: {{masters: [{masters}], table: '{{schema}}.{{table}}', buckets: 4, replicas: 1}}
  hbase: {{thrift: '{thrift}', thrift2: '{thrift2}', table: '{{schema}}.{{table}}', family: d}}
quality: '{quality}'
schema_change: lenient
"""


def settings(folder: Path, app: str, addresses: Addresses, port: int) -> str:
    """A settings file for the demo's shop on the local distribution."""
    return SETTINGS.format(
        app=app,
        brokers=addresses.kafka,
        state=folder / "state",
        port=port,
        registry=addresses.registry,
        masters=", ".join(f"'{master}'" for master in addresses.kudu_masters),
        thrift=addresses.hbase_thrift,
        thrift2=addresses.hbase_thrift2,
        quality=CHECKOUT / "quality_rules",
    )


class Worker:
    """`faust -A parrot_faust worker` with these settings, which `folder` keeps with its log. `environment` is added."""

    def __init__(
        self, folder: Path, text: str, port: int, environment: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.log = folder / "worker.log"
        self.settings = folder / "parrot.yaml"
        self.settings.write_text(text, encoding="utf-8")
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faust", "-q", "-A", "parrot_faust", "worker", "--loglevel", "info"],
                cwd=CHECKOUT,
                env={**os.environ, **self._environment, "PARROT_CONFIG": str(self.settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when its web server answers. Raise DistributionError with its last lines otherwise."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.running:
            try:
                self.stats()
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
            else:
                return
        raise DistributionError(f"the worker did not start\n{tail(self.log, 15)}")

    @contextmanager
    def at_work(self) -> Iterator[Worker]:
        """It runs and answers within the block, and has ended after it."""
        try:
            self.launch()
            self.wait()
            yield self
        finally:
            self.stop()

    @property
    def pid(self) -> int | None:
        """The process, None when there is none."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def stats(self) -> dict[str, Any]:
        """The worker's state, from its web server."""
        return whole(self.page)

    def page(self, path: str = "/") -> dict[str, Any]:
        """A page of its web view, as data."""
        address = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - loopback
            view: dict[str, Any] = json.load(answer)
            return view

    def token(self) -> str:
        """What lets people act through its web view."""
        file = self.settings.parent / "state" / "web.token"
        if not file.exists():
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/sign-in", timeout=ANSWER_TIMEOUT_S):
                pass  # it is made for who wants to sign in
        return file.read_text(encoding="utf-8")

    def act(self, action: str, **fields: str) -> dict[str, Any]:
        """Have something done through its web view, as a script does."""
        headers = {"Accept": "application/json", "X-Parrot-Token": self.token()}
        data = urllib.parse.urlencode(fields).encode()
        address = f"http://127.0.0.1:{self.port}/actions/{action}"
        request = urllib.request.Request(address, data, headers)
        with urllib.request.urlopen(request, timeout=6 * ANSWER_TIMEOUT_S) as answer:  # noqa: S310
            done: dict[str, Any] = json.load(answer)
            return done

    def stop(self) -> int | None:
        """Ask it to end, and return its exit status; None when it was not running or had to be killed."""
        process, self._process = self._process, None
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_TIMEOUT_S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise  # somebody is in a hurry


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""The local distribution: everything a pipeline needs, as plain processes on this machine."""

from __future__ import annotations

import platform
import subprocess
import threading
import time
import urllib.error
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg
from aiokafka.errors import KafkaError

from parrot_faust.distribution import processes
from parrot_faust.distribution.components import (
    COMPONENTS,
    Component,
    Context,
    connect,
    kafka,
    kudu,
    postgres,
    registry,
)
from parrot_faust.distribution.components.base import LOOPBACK
from parrot_faust.distribution.fetch import Cache, Progress, Silent, default_cache
from parrot_faust.distribution.java import installed, java
from parrot_faust.distribution.lock import Artefact, artefacts
from parrot_faust.distribution.state import State, default_folder
from parrot_faust.errors import DistributionError

ALL = tuple(COMPONENTS)
POLL_S = 0.15
LOG_LINES = 15

#: What a readiness check may meet while a server is starting.
NOT_YET = (OSError, urllib.error.URLError, psycopg.Error, KafkaError, ValueError, subprocess.TimeoutExpired)

#: Hears of components: name, what happens to it ("starting", "up", "was up"), and seconds since the command began.
Events = Callable[[str, str, float], None]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the components are, for clients. Passwords are among `postgres`: don't print it.

    `postgres_inside` (host and port), `registry_native` and `kafka_inside` (empty: as `kafka`) are what Connect uses,
    which may live in another network.
    """

    kafka: str
    registry: str
    registry_native: str
    connect: str
    postgres: dict[str, Any]
    postgres_inside: tuple[str, int]
    hbase_thrift: str
    hbase_thrift2: str
    kudu_masters: tuple[str, ...]
    kafka_inside: str = ""


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """A component as it is now. `memory` in bytes, `uptime` in seconds; both 0 and `pid` None when it is down."""

    name: str
    version: str
    address: str
    pid: int | None
    healthy: bool
    memory: int
    uptime: float


class Local:
    """The distribution of one state folder."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self._cache = Cache(cache)
        self._lock = threading.Lock()
        self._given_up = threading.Event()

    @cached_property
    def _java_is_missing(self) -> bool:
        return installed() is None

    @classmethod
    def here(cls) -> Local:
        """The distribution of this checkout, or of the folders the environment names."""
        return cls(default_folder(), default_cache())

    @property
    def cache(self) -> Path:
        """The cache folder."""
        return self._cache.root

    # -- fetching ----------------------------------------------------------------------------------------------------

    def wanted(self, names: Sequence[str] = ALL) -> list[Artefact]:
        """The artefacts that these components and what they depend on need; with a Java runtime if there is none."""
        components = [COMPONENTS[name] for name in _with_needs(names)]
        bundles = {bundle for component in components for bundle in component.bundles}
        if any(component.java for component in components) and self._java_is_missing:
            bundles.add("java")
        return [artefact for artefact in artefacts() if artefact.bundle in bundles]

    def fetch(self, names: Sequence[str] = ALL, progress: Progress | None = None, *, fully: bool = False) -> int:
        """Fetch and verify what the components need; return the number of artefacts that had to be fetched."""
        check_platform()
        return len(self._cache.ensure(self.wanted(names), progress or Silent(), fully=fully))

    def cached(self, artefact: Artefact) -> bool:
        """Whether an artefact is in the cache, whole."""
        return self._cache.check(artefact)

    # -- up and down -------------------------------------------------------------------------------------------------

    def up(self, names: Sequence[str] = ALL, *, progress: Progress | None = None, events: Events | None = None) -> None:
        """Start what is not running, what it needs first, side by side where nothing is waited for.

        Returns when every component has answered for itself. Raise DistributionError, with the last lines of its log,
        for one that did not in time; what was started stays, for `logs` and the next `up`.
        """
        check_platform()
        chosen = _with_needs(names)
        self.fetch(chosen, progress)
        began = time.monotonic()
        say = events or (lambda _name, _what, _seconds: None)
        state = State.load(self.folder)
        with state.locked():
            state = State.load(self.folder)
            processes.adopt(state)
            needs_java = any(COMPONENTS[name].java for name in chosen)
            runtime = java(self._cache, progress or Silent()) if needs_java else None
            context = Context(state, self._cache, runtime)
            self._start_all([COMPONENTS[name] for name in chosen], context, say, began)

    def _start_all(self, components: list[Component], context: Context, say: Events, began: float) -> None:
        done: set[str] = set()
        waiting = list(components)
        self._given_up.clear()
        with ThreadPoolExecutor(len(components)) as pool:
            running: dict[Future[None], str] = {}
            try:
                while waiting or running:
                    for component in [one for one in waiting if done.issuperset(one.needs)]:
                        waiting.remove(component)
                        running[pool.submit(self._start, component, context, say, began)] = component.name
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
                        done.add(running.pop(future))
            except BaseException:
                self._given_up.set()  # else Ctrl-C would have to wait for the slowest
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _start(self, component: Component, context: Context, say: Events, began: float) -> None:
        state = context.state
        missing = [name for name in component.processes if not processes.running(state.processes.get(name))]
        if missing:
            say(component.name, "starting", time.monotonic() - began)
            component.prepare(context)
            launches = [launch for launch in component.launches(context) if launch.name in missing]
            for launch in launches:
                with self._lock:
                    processes.start(state, launch)
        self._wait_ready(component, context)
        say(component.name, "up" if missing else "was up", time.monotonic() - began)

    def _wait_ready(self, component: Component, context: Context) -> None:
        deadline = time.monotonic() + component.timeout_s
        reason = "it did not answer"
        while time.monotonic() < deadline:
            if self._given_up.is_set():
                raise DistributionError(f"{component.name} was not waited for")
            for name in component.processes:
                if not processes.running(context.state.processes.get(name)):
                    raise DistributionError(
                        f"{name} ended while it was starting\n{self._log_tail(context.state, name)}"
                    )
            try:
                if component.ready(context):
                    return
            except NOT_YET as error:
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
            time.sleep(POLL_S)
        tails = "\n".join(self._log_tail(context.state, name) for name in component.processes)
        raise DistributionError(
            f"{component.name} was not ready within {component.timeout_s:.0f} s ({reason})\n{tails}"
        )

    @staticmethod
    def _log_tail(state: State, process: str) -> str:
        log = state.log(process)
        return f"--- the last lines of {log}\n{processes.tail(log, LOG_LINES)}"

    def down(self, names: Sequence[str] = ALL) -> list[str]:
        """End the processes of these components, and only those; return the names of the processes that ran."""
        state = State.load(self.folder)
        with state.locked():
            state = State.load(self.folder)
            processes.adopt(state)
            ended = []
            for wave in _ending_waves(names):
                ended += processes.stop(state, [process for name in wave for process in COMPONENTS[name].processes])
            return ended

    # -- looking -----------------------------------------------------------------------------------------------------

    def status(self) -> list[ComponentStatus]:
        """Every component as it is now; those that run are asked whether they are well, all at once."""
        state = State.load(self.folder)
        context = Context(state, self._cache, None)
        with ThreadPoolExecutor(len(COMPONENTS)) as pool:
            return list(pool.map(lambda component: _status(component, context), COMPONENTS.values()))

    def running(self) -> set[str]:
        """Names of components of which every process runs."""
        state = State.load(self.folder)
        return {
            component.name
            for component in COMPONENTS.values()
            if all(processes.running(state.processes.get(name)) for name in component.processes)
        }

    def processes(self) -> dict[str, psutil.Process]:
        """Every process that runs, by its name."""
        state = State.load(self.folder)
        found = {name: processes.running(record) for name, record in state.processes.items()}
        return {name: process for name, process in found.items() if process}

    def log(self, component: str) -> list[Path]:
        """The log files of a component's processes."""
        state = State.load(self.folder)
        return [state.log(process) for process in COMPONENTS[component].processes]

    def addresses(self) -> Addresses:
        """Where the components are. Ports are chosen at the first asking."""
        state = State.load(self.folder)
        return Addresses(
            kafka=kafka.bootstrap(state),
            registry=f"{registry.url(state)}/ccompat/v7",
            registry_native=f"{registry.url(state)}/registry/v2",
            connect=connect.url(state),
            postgres=postgres.parameters(state),
            postgres_inside=(LOOPBACK, state.port("postgres")),
            hbase_thrift=f"{LOOPBACK}:{state.port('hbase-thrift')}",
            hbase_thrift2=f"{LOOPBACK}:{state.port('hbase-thrift2')}",
            kudu_masters=(kudu.masters(state),),
        )


def check_platform() -> None:
    """Raise DistributionError where the servers have no binaries."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise DistributionError(
            f"the local distribution has binaries for Linux x86_64 only, this is {platform.system()} "
            f"{platform.machine()}: use `docker compose up` instead"
        )


def _with_needs(names: Sequence[str]) -> list[str]:
    chosen: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in COMPONENTS:
            raise DistributionError(f"there is no component {name!r}; there are {', '.join(COMPONENTS)}")
        if name not in chosen:
            chosen.add(name)
            queue.extend(COMPONENTS[name].needs)
    return [name for name in COMPONENTS if name in chosen]


def _ending_waves(names: Iterable[str]) -> Iterator[list[str]]:
    """Groups to end one after the other: who needs another ends before it, or would wait for it in vain."""
    left = set(names)
    while left:
        needed = {need for name in left for need in COMPONENTS[name].needs}
        wave = [name for name in COMPONENTS if name in left and name not in needed]
        yield wave
        left.difference_update(wave)


def _status(component: Component, context: Context) -> ComponentStatus:
    state = context.state
    alive = [processes.running(state.processes.get(name)) for name in component.processes]
    up = [process for process in alive if process]
    healthy = False
    if len(up) == len(alive):
        try:
            healthy = component.ready(context)
        except NOT_YET:
            healthy = False
    return ComponentStatus(
        name=component.name,
        version=component.version,
        address=component.address(state),
        pid=up[0].pid if up else None,
        healthy=healthy,
        memory=sum(processes.memory(process) for process in up),
        uptime=round(time.time() - up[0].create_time(), 1) if up else 0.0,
    )

"""What a fault needs: the servers, a pipeline under load, the means to break things, and the judgement at the end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
from durable import Watched
from load import TABLES, Load, LoadTable, Work
from oracle import Oracle
from pipelines import Pipeline, eventually
from proxies import Proxy
from report import ENOUGH_CHANGES, LAG_LIMIT_S, Result

from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses, Local
from parrot_faust.distribution.processes import tail

#: Sessions and retries short enough that a fault's end is seen soon; the rest is as by default.
QUICK_DELIVERY = "session_timeout_s: 6.0, heartbeat_s: 1.0, lease_s: 4.0, retry_first_s: 0.3, retry_cap_s: 1.0"
RATE = 300  # changes a second at the source
GIVE_UP_S = 180.0  # beyond P5's limit, so that a run which is late still says by how much
STABLE_S = 1.0


@dataclass
class World:
    """The servers, shared by all faults of a run, and how it is run."""

    local: Local
    seed: int = 1
    quick: bool = False
    say: Callable[[str], None] = print

    @property
    def addresses(self) -> Addresses:
        """Where the servers are."""
        return self.local.addresses()

    def kill(self, process: str) -> None:
        """Kill a server's process (kill -9), by the pid that the state folder has for it."""
        self.local.processes()[process].kill()

    def freeze(self, process: str) -> None:
        """Stop a server's process as if its machine stood still."""
        self.local.processes()[process].suspend()

    def thaw(self, process: str) -> None:
        """Let it go on."""
        self.local.processes()[process].resume()

    def up(self, *components: str) -> None:
        """Start what is not running of these, and return when it answers."""
        self.local.up(components)

    @contextmanager
    def scene(
        self,
        number: int,
        title: str,
        planned: int,
        *,
        tables: Sequence[LoadTable] = TABLES,
        rate: int = RATE,
        bad_share: float = 0.03,
    ) -> Iterator[Scene]:
        """A pipeline of its own with a load; everything is removed at the end, also after an error."""
        folder = self.local.folder / "scenes" / f"f{number:02d}-{int(time.time() * 1000)}"
        began = time.monotonic()
        result = Result(number, title, planned, self.seed)
        run = Pipeline(self.addresses, folder)
        work = Work(self.seed * 1_000 + number, bad_share, tuple(tables))
        made = Scene(self, run, result, work, rate)
        try:
            yield made
        except Exception as error:  # noqa: BLE001 - it is the fault's verdict, and the next fault is tried
            result.problems.append(f"{type(error).__name__}: {error}")
            made.keep_logs = True
        finally:
            made.close()
            result.seconds = time.monotonic() - began
            if result.passed and not made.keep_logs:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                result.notes.append(f"logs are in {folder}")


@dataclass
class Scene:
    """One pipeline, its load, its workers, and what has been found out."""

    world: World
    run: Pipeline
    result: Result
    work: Work
    rate: int
    keep_logs: bool = False
    proxies: list[Proxy] = field(default_factory=list)
    _load: Load | None = None
    _before: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.work.seed)
        self.oracle = Oracle(self.run, [Watched(one.name, one.keys, one.drops) for one in self.work.tables])

    # -- before the fault --------------------------------------------------------------------------------------------

    def begin(
        self,
        *,
        workers: int = 1,
        failpoints: str = "",
        form: str = "avro",
        delivery: str = QUICK_DELIVERY,
        more: str = "",
        capture: Mapping[str, str] = MappingProxyType({}),
        **settings: Any,
    ) -> list[Worker]:
        """Make and capture the tables, start workers, wait until both stores are equal, and begin the load.

        `capture` is added to the connector's configuration, `more` and `settings` to the workers'.
        """
        for statement in self.work.create():
            self.run.sql(statement)
        for table in self.work.tables:
            self.run.rules(table.name, table.rules)
        with self.run.database.pipeline():
            for statement, values in self.work.initial():
                self.run.sql(statement, *values)
        self.run.capture(form=form, **capture)
        made = [self.worker(failpoints, delivery=delivery, more=more, **settings) for _ in range(workers)]
        self.caught_up(GIVE_UP_S)
        self.start_load()
        return made

    def worker(
        self, failpoints: str = "", *, delivery: str = QUICK_DELIVERY, more: str = "", **settings: Any
    ) -> Worker:
        """Start a worker and wait until its page answers. `failpoints` are armed in it."""
        worker = self.run.launch(more, failpoints, delivery=delivery, **settings)
        worker.wait()
        return worker

    def start_load(self) -> None:
        """Begin the load; what it makes from now on counts as passed during the fault."""
        self._load = Load(self.run.addresses.postgres, self.run.name, self.work, self.rate)
        self._load.start()

    def proxy(self, target: str) -> Proxy:
        """A proxy before a server (host:port), closed at the end."""
        self.proxies.append(Proxy(target))
        return self.proxies[-1]

    # -- during ------------------------------------------------------------------------------------------------------

    @property
    def made(self) -> int:
        """Changes made by the load so far."""
        return self._before + (self._load.made if self._load else 0)

    def fired(self, times: int = 1) -> None:
        """Count firings of the fault."""
        self.result.fired += times

    def check(self, kept: bool, what: str) -> None:
        """Note a promise that was not kept."""
        if not kept:
            self.problem(what)

    def problem(self, what: str) -> None:
        """Note what is wrong."""
        self.result.problems.append(what)
        self.world.say(f"  ✗ {what}")

    def note(self, what: str) -> None:
        """Note something to tell."""
        self.result.notes.append(what)
        self.world.say(f"  {what}")

    def wait_made(self, changes: int, timeout_s: float = 120.0) -> None:
        """Wait until the load has made so many changes more."""
        wanted = self.made + changes

        def enough() -> bool:
            return self.made >= wanted

        eventually(enough, timeout_s)

    def kill_worker(self, worker: Worker) -> None:
        """Kill a worker's process (kill -9); its sinks' processes end with it."""
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        self.ended(worker, -signal.SIGKILL)

    def ended(self, worker: Worker, status: int | None = None, timeout_s: float = 60.0) -> int | None:
        """Wait until a worker has ended by itself or was killed; return its status, and note another than `status`."""

        def gone() -> bool:
            return not worker.running

        eventually(gone, timeout_s)
        found = worker.stop()
        if status is not None:
            self.check(found == status, f"a worker ended with status {found}, not {status}\n{tail(worker.log, 5)}")
        return found

    def log(self) -> str:
        """What all workers of this scene have logged."""
        return self.run.log()

    def durable(self, when: str) -> None:
        """P2, now: what is committed is durable."""
        checked, problems = self.oracle.beyond_durable()
        self.world.say(f"  {when}: {checked:,} committed rows held against the stores, {len(problems)} problems")
        for problem in problems:
            self.problem(f"{when}: {problem}")

    def lag(self) -> int:
        """Records that are not committed yet."""
        return self.oracle.lag()[0]

    # -- after -------------------------------------------------------------------------------------------------------

    def caught_up(self, timeout_s: float) -> float:
        """Mark each table and wait until both stores show the marks and nothing is uncommitted; return the seconds."""
        began = time.monotonic()
        with self.run.database.pipeline():
            for statement, values in self.work.marks():
                self.run.sql(statement, *values)
        marks = self.marks()
        ends: Any = None
        since = 0.0

        def lag_is_0() -> bool:
            nonlocal ends, since
            lag, now = self.oracle.lag()
            if lag or not all(
                self._shown(store, table, n) for table, n in marks.items() for store in ("kudu", "hbase")
            ):
                ends = None
                return False
            if now != ends:
                ends, since = now, time.monotonic()
            return time.monotonic() - since >= STABLE_S

        eventually(lag_is_0, timeout_s, every_s=0.2)
        return since - began

    def caught_up_in(self, store: str, limit_s: float) -> None:
        """Mark each table under load and hold that this store shows the marks, or later ones, within the limit."""
        began = time.monotonic()
        with self.run.database.pipeline():
            for statement, values in self.work.marks():
                self.run.sql(statement, *values)
        marks = self.marks()

        def shown() -> bool:
            return all(self._shown(store, table, n) for table, n in marks.items())

        try:
            eventually(shown, limit_s)
        except AssertionError:
            self.problem(f"{store} does not show after {time.monotonic() - began:.0f} s what was committed before")

    def marks(self) -> dict[str, int]:
        """The number of each table's last mark, as the source has it."""
        return {
            table.name: self.run.database.execute(
                f"select n from {table.name} where {' and '.join(f'{name} = %s' for name in table.keys)}", table.key(0)
            ).fetchall()[0][0]
            for table in self.work.tables
        }

    def _shown(self, store: str, name: str, n: int) -> bool:
        (table,) = [one for one in self.work.tables if one.name == name]
        row = self.run.store(store, name, *table.keys).get(table.key(0))
        return row is not None and row[-1] == n

    def stop_load(self) -> None:
        """End the load. Raise what has ended it before."""
        if self._load is not None:
            load, self._load = self._load, None
            load.stop()
            self._before += load.made

    def healed(self) -> float:
        """Say that all is whole again: ends the load, once enough was tried, and waits for lag 0 (P5)."""
        if self._load is not None and self.made < ENOUGH_CHANGES:
            self.wait_made(ENOUGH_CHANGES - self.made)
        self.stop_load()
        self.result.changes = self.made
        try:
            seconds = self.caught_up(GIVE_UP_S)
        except AssertionError as error:
            self.result.lag_s = GIVE_UP_S
            self.problem(f"P5: {error}")
            return GIVE_UP_S
        self.result.lag_s = max(self.result.lag_s, seconds)
        self.check(seconds <= LAG_LIMIT_S, f"P5: lag 0 only {seconds:.0f} s after healing")
        return seconds

    def judge(self, *, dead: int | None = 0) -> None:
        """P1, P2 and P3 at lag 0. `dead` is how many records must be dead-lettered, None when the fault checks that."""
        picture = self.oracle.picture()
        comparison = self.oracle.compare(picture)
        self.result.rows += comparison.rows
        self.result.differences += len(comparison.differences)
        for difference in comparison.differences[:5]:
            self.problem(f"P1: {difference}")
        account = self.oracle.account(picture)
        self.note(account.line())
        for problem in account.problems:
            self.problem(problem)
        if dead is not None:
            self.check(account.dead == dead, f"{account.dead} records are dead-lettered, not {dead}")
        self.durable("at the end")

    def close(self) -> None:
        """Stop everything that was started and remove what was made."""
        try:
            self.stop_load()
        except Exception as error:  # noqa: BLE001 - the scene is over, and its verdict says it
            self.problem(f"the load failed: {error!r}")
        for proxy in self.proxies:
            proxy.heal()
        try:
            self.run.close()
        finally:
            for proxy in self.proxies:
                proxy.close()


def rss(pid: int) -> int:
    """Resident bytes of a process and its children."""
    main = psutil.Process(pid)
    return sum(one.memory_info().rss for one in [main, *main.children(recursive=True)])


def scene_folder(local: Local) -> Path:
    """Where scenes keep settings and logs."""
    return local.folder / "scenes"

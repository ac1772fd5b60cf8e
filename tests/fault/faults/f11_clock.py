"""Clocks jump an hour either way: those of the worker and its sinks, and the one that the source's times are of."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
from durable import Watched
from pipelines import STORES, eventually
from report import Result
from world import Scene, World

from faults import Fault
from parrot_faust.demo import stores
from parrot_faust.demo.worker import Worker

CLOCK = Path(__file__).parents[1] / "clock"
HOUR_S = 3600
JUMPS = (HOUR_S, 0, -HOUR_S, HOUR_S, -HOUR_S)  # by how much the running worker's clock is off, one after the other
TAKE_OVERS = (HOUR_S, -HOUR_S)  # the clocks of workers that take over, each from one whose clock is otherwise
SOURCE_JUMPS = 12
KEYS = 10
TYPES = {"id": "integer", "n": "integer"}


def run(world: World, fault: Fault) -> Result:
    """Under load: a running worker's clock jumps; others take over with other clocks; the source's times jump."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        file = scene.run.folder / "clock"
        set_clock(file, 0)
        environment = {"PYTHONPATH": str(CLOCK), "PARROT_TEST_CLOCK": str(file)}
        source = Source(scene)
        more = f"tables: {{{source.topic}: {{key: [id], columns: {{id: int32, n: int32}}}}}}"
        (worker,) = scene.begin(more=more, environment=environment)
        processes_share_it(scene, worker)
        for jump in JUMPS:
            before, uptime = read(file), worker.stats()["uptime"]
            set_clock(file, jump)
            seen(worker, uptime + jump - before)
            scene.fired()
            source.change(scene, jump)
            scene.wait_made(150)
        for off in TAKE_OVERS:
            scene.kill_worker(worker)
            set_clock(file, off)
            worker = scene.worker(more=more, environment=environment)
            scene.fired()
            scene.wait_made(150)
            scene.durable(f"after a worker with a clock off by {off:+} s took over")
        for turn in range(SOURCE_JUMPS):
            source.change(scene, HOUR_S * (-1) ** turn)
            scene.fired()
        scene.healed()
        source.compare(scene)
        scene.judge()
    return scene.result


def set_clock(file: Path, seconds: int) -> None:
    """Let the clock be off by so much from now on."""
    fresh = file.with_suffix(".new")
    fresh.write_text(str(seconds), encoding="ascii")
    fresh.replace(file)


def read(file: Path) -> int:
    """By how much the clock is off."""
    return int(file.read_text(encoding="ascii"))


def seen(worker: Worker, uptime: float) -> None:
    """Wait until the worker's own clock shows that it has jumped: what it takes for its uptime did."""

    def jumped() -> bool:
        return abs(worker.stats()["uptime"] - uptime) < HOUR_S / 10

    eventually(jumped)


def processes_share_it(scene: Scene, worker: Worker) -> None:
    """The sinks' processes have the same clock."""
    children = psutil.Process(worker.pid).children(recursive=True)
    scene.check(len(children) >= len(STORES), f"the worker has only {len(children)} processes")
    for child in children:
        scene.check("PARROT_TEST_CLOCK" in child.environ(), f"the clock of {child.name()} does not jump")


class Source:
    """A table's topic that is written by hand, so that its times may jump; PostgreSQL's are the machine's."""

    def __init__(self, scene: Scene) -> None:
        self._run, self._tapes, self._n = scene.run, scene.oracle.tapes, 0
        self.topic = scene.run.topic("jumpy")
        self._rows: dict[int, int] = {}
        self._tapes.make(self.topic, 1)
        scene.oracle.tables.append(Watched("jumpy", ("id",), n=None, rows=False))

    def change(self, scene: Scene, off_s: int) -> None:
        """Change every key in a random way, at a time that is off by so much."""
        for key in range(KEYS):
            self._n += 1
            there = key in self._rows
            op = scene.random.choice("ud" if there else "c")
            row = None if op == "d" else {"id": key, "n": self._n}
            self._send(op, key, row, time.time_ns() // 1000 + off_s * 1_000_000)
            if row is None:
                del self._rows[key]
            else:
                self._rows[key] = self._n

    def _send(self, op: str, key: int, row: dict[str, Any] | None, time_us: int) -> None:
        source = {"db": "shop", "schema": self._run.name, "table": "jumpy", "ts_us": time_us}
        before = None if op == "c" else {"id": key, "n": None}  # as of a table with the default replica identity
        value = {"before": before, "after": row, "source": source, "op": op}
        self._tapes.produce(self.topic, json.dumps(value).encode(), json.dumps({"id": key}).encode(), 0)

    def compare(self, scene: Scene) -> None:
        """Both stores show the last change of each key, whatever its time was."""
        wanted = {(key,): (key, n) for key, n in self._rows.items()}
        name = f"{self._run.name}.jumpy"
        for store, take in (("kudu", stores.kudu_rows), ("hbase", stores.hbase_rows)):
            found = take(self._run.addresses, name, TYPES, ("id",))
            differing = {key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)}
            scene.check(not differing, f"P1: jumpy {sorted(differing)} differ in {store}: {found}, not {wanted}")
            scene.result.rows += len(wanted)
            scene.result.differences += len(differing)
        scene.note(f"{self._n} changes with times an hour ahead and behind, {len(wanted)} rows equal")


FAULT = Fault(
    11, "clock jumps an hour either way", planned=len(JUMPS) + len(TAKE_OVERS) + SOURCE_JUMPS, quick=None, run=run
)

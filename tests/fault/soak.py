"""The soak: `make soak MINUTES=n`. Load and random faults for as long as asked; what our processes hold stays flat.

    python tests/fault/soak.py [--minutes N] [--seed S] [--json FILE] [--state FOLDER] [--keep]

Memory and file handles of the worker and of its sinks' processes are sampled all the time. After a warm-up a line is
laid through each by least squares; its slope an hour is printed and held against a bound. A run of a few minutes can
only see a leak that is gross, so what is bounded is the growth over the run too. At the end the oracle judges.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import psutil
from rich.console import Console
from rich.table import Table
from run import STATE, servers
from world import Scene, World

from parrot_faust.demo.worker import Worker

WARM_UP_S = 60.0
SHORT_WARM_UP = 0.3  # of a run that is not much longer than that
SAMPLE_S = 1.0
CALM_S = (8.0, 20.0)  # between two faults
BROKEN_S = (2.0, 8.0)
STORES = ("kudu", "hbase")
KILLED = "a sink's process killed"
KILLS_UNTIL = 0.3  # of the run: so that the processes which come after live long enough to be measured
ENOUGH_SAMPLES = 30
#: What may come on top within the run once all is warm: allocators and caches settle for minutes; a leak of one object
#: a change would be beyond it. Memory in MB, handles as they are.
GROWTH = {"memory_mb": 24.0, "handles": 12.0}
#: And an hour, for runs long enough that a slope says something.
SLOPE = {"memory_mb": 60.0, "handles": 10.0}
SLOPE_COUNTS_S = 1_200.0


@dataclass(frozen=True)
class Sample:
    """What one process held at a moment, `at` in seconds since the load began."""

    at: float
    memory_mb: float
    handles: float


@dataclass
class Line:
    """One measure of one process: where it began and ended by the line through its samples, and its slope an hour."""

    process: str
    measure: str
    samples: int
    first: float
    last: float
    per_hour: float
    flat: bool


@dataclass
class Soak:
    """Samples by process; a process that is started again begins a series of its own."""

    series: dict[str, list[Sample]] = field(default_factory=dict)
    missed: int = 0

    def sample(self, worker: Worker, at: float) -> None:
        """Look at the worker and at its sinks' processes; not when the page does not answer in time."""
        try:
            stats = worker.stats()
        except OSError:
            self.missed += 1
            return
        found = {"worker": worker.pid, **{store: stats["sinks"][store].get("pid") for store in STORES}}
        for name, pid in found.items():
            if pid is None:
                continue
            try:
                process = psutil.Process(pid)
                held = Sample(at, process.memory_info().rss / 2**20, process.num_fds())
            except psutil.NoSuchProcess:
                continue
            self.series.setdefault(f"{name} {pid}", []).append(held)

    def lines(self, warm_up_s: float) -> list[Line]:
        """A line for each measure of each process, of its samples after the warm-up of the process."""
        lines = []
        for name, samples in self.series.items():
            warm = [one for one in samples if one.at >= samples[0].at + warm_up_s]
            if len(warm) < ENOUGH_SAMPLES:
                continue  # it lived too briefly to say anything
            for measure in GROWTH:
                lines.append(_line(name, measure, [(one.at, getattr(one, measure)) for one in warm]))
        return lines


def fit(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope and intercept of the line through the points by least squares."""
    count = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
    return slope, middle_y - slope * middle_x


def _line(process: str, measure: str, points: list[tuple[float, float]]) -> Line:
    slope, base = fit(points)
    began, ended = points[0][0], points[-1][0]
    first, last = base + slope * began, base + slope * ended
    flat = last - first <= GROWTH[measure]
    if ended - began >= SLOPE_COUNTS_S:
        flat = flat and slope * 3_600 <= SLOPE[measure]
    return Line(process, measure, len(points), round(first, 1), round(last, 1), round(slope * 3_600, 1), flat)


def faults_of(scene: Scene, worker: Worker) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
    """What may be broken for a moment, and how it is healed. The worker itself lives on: it is what is watched."""
    world, hbase = scene.world, scene.proxies

    def kill_host(store: str) -> None:
        pid = worker.stats()["sinks"][store].get("pid")
        if pid is not None:
            psutil.Process(pid).kill()

    def each(action: str) -> Callable[[], None]:
        def act() -> None:
            for proxy in hbase:
                getattr(proxy, action)()

        return act

    return {
        "HBase cut off": (each("cut"), each("heal")),
        "HBase swallows": (each("freeze"), each("heal")),
        "Kudu's tablet server frozen": (lambda: world.freeze("kudu-tserver"), lambda: world.thaw("kudu-tserver")),
        "Kudu's tablet server killed": (lambda: world.kill("kudu-tserver"), lambda: world.up("kudu")),
        "broker frozen": (lambda: world.freeze("kafka"), lambda: world.thaw("kafka")),
        "registry frozen": (lambda: world.freeze("registry"), lambda: world.thaw("registry")),
        KILLED: (lambda: kill_host(scene.random.choice(STORES)), lambda: None),
    }


def soak(world: World, minutes: float) -> tuple[Scene, list[Line]]:
    """Run it; the scene's result has the oracle's verdict."""
    held = Soak()
    with world.scene(99, f"soak of {minutes:g} min", 1) as scene:
        for address in (world.addresses.hbase_thrift, world.addresses.hbase_thrift2):
            scene.proxy(address)
        worker, *_ = scene.begin(thrift=scene.proxies[0].address, thrift2=scene.proxies[1].address)
        faults = faults_of(scene, worker)
        began = time.monotonic()
        end = began + minutes * 60

        def watch(until: float) -> None:
            while time.monotonic() < min(until, end):
                held.sample(worker, time.monotonic() - began)
                time.sleep(SAMPLE_S)

        while time.monotonic() < end:
            watch(time.monotonic() + scene.random.uniform(*CALM_S))
            if time.monotonic() >= end:
                break
            name = scene.random.choice(list(faults))
            if name == KILLED and time.monotonic() - began > minutes * 60 * KILLS_UNTIL:
                continue
            breaks, heals = faults[name]
            world.say(f"  {time.monotonic() - began:.0f} s: {name}; {scene.made:,} changes, lag {scene.lag():,}")
            breaks()
            scene.fired()
            try:
                watch(time.monotonic() + scene.random.uniform(*BROKEN_S))
            finally:
                heals()
        scene.healed()
        scene.judge()
        scene.check(worker.running, "the worker has ended")
        scene.check(held.missed < 10 * minutes, f"the page did not answer {held.missed} times")
    return scene, held.lines(min(WARM_UP_S, minutes * 60 * SHORT_WARM_UP))


def table_of(lines: Sequence[Line]) -> Table:
    """The lines as a table for people."""
    table = Table("process", "measure", "samples", "first", "last", "an hour", "", title="soak", title_justify="left")
    for line in lines:
        shown = (str(value) for value in (line.samples, line.first, line.last, f"{line.per_hour:+}"))
        table.add_row(line.process, line.measure, *shown, "[green]flat[/]" if line.flat else "[red]GROWS[/]")
    return table


def main() -> int:
    """Run what the arguments ask for; 0 only when all was equal and nothing grew."""
    parser = argparse.ArgumentParser(prog="make soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--state", type=Path, default=STATE)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    with servers(asked.state, keep=asked.keep) as local:
        world = World(local, asked.seed, False, lambda text: console.print(text, highlight=False, markup=False))
        scene, lines = soak(world, asked.minutes)
    result = scene.result
    console.print(table_of(lines))
    problems = verdict(scene, lines)
    for problem in problems:
        console.print(f"✗ {problem}", markup=False, highlight=False)
    console.print(
        f"{result.fired} faults, {result.changes:,} changes, {result.rows:,} rows compared, "
        f"{result.differences} differ, lag 0 after {result.lag_s:.1f} s, seed {asked.seed}"
    )
    if asked.json is not None:
        report = {**result.plain(), "lines": [asdict(line) for line in lines], "passed": not problems}
        asked.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if problems else 0


def verdict(scene: Scene, lines: Sequence[Line]) -> list[str]:
    """What was not as it must be."""
    problems = scene.result.plain()["problems"]
    problems += [
        f"{line.measure} of {line.process} grows: {line.first} to {line.last}, {line.per_hour:+} an hour"
        for line in lines
        if not line.flat
    ]
    watched = {line.process.split()[0] for line in lines}
    problems += [f"nothing was measured of {name}" for name in ("worker", *STORES) if name not in watched]
    return problems


if __name__ == "__main__":
    sys.exit(main())

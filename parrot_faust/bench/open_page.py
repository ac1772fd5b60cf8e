"""What an open page costs a worker of very many tables: changes a second with it and without it, in turns."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event, Thread

import psutil

from parrot_faust.bench.tables import Tables
from parrot_faust.bench.transport import machine
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Local
from parrot_faust.errors import DistributionError

TARGET = 0.98  # of what it takes without the page
RENEW_S = 1.5  # after an answer, as the page's own script does
ANSWER_S = 10.0
BEGIN_S = 600.0  # until a worker has made all tables
TURN_S = 300.0
POLL_S = 0.25
LOOKS = 200  # of which a worker's CPU is taken, in hundredths of a second

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Turn:
    """Changes a second, from when the first is written to its topic until Kudu has the last, and CPU seconds of the
    worker for 100,000 of them.
    """

    rate: float
    cpu_s_per_100k: float


@dataclass(frozen=True, slots=True)
class OpenPageReport:
    """Turns with an open page and without, in pairs. `ratio` is the median of the pairs' ratios, `cpu_ratio` that of
    the CPU seconds a change; `answers` is how often the page was renewed and `answer_ms` how long that took, by median.
    `answer_cpu_ms` is what an answer costs the worker when it has nothing else to do, and `core` that of a page that is
    renewed all the time, as a share of a core: figures that other work on the machine disturbs less.
    """

    tables: int
    page: str
    opened: list[Turn]
    closed: list[Turn]
    ratio: float
    cpu_ratio: float
    answers: int
    answer_ms: float
    answer_cpu_ms: float
    core: float
    target: float
    met: bool
    machine: str


class Browser:
    """Has a page open, as far as a worker can tell."""

    def __init__(self, address: str) -> None:
        self._address, self._closed = address, Event()
        self.took: list[float] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        """Renew the page until the block ends."""
        self._closed.clear()
        thread = Thread(target=self._renew)
        thread.start()
        try:
            yield
        finally:
            self._closed.set()
            thread.join()

    def look(self) -> None:
        """Ask for the page once."""
        request = urllib.request.Request(self._address, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - loopback
            answer.read()

    def _renew(self) -> None:
        while not self._closed.is_set():
            began = time.perf_counter()
            self.look()
            self.took.append(time.perf_counter() - began)
            self._closed.wait(RENEW_S)


def measure_open_page(local: Local, tables: int, changes: int, rounds: int, page: str, say: Say) -> OpenPageReport:
    """Let one worker apply `changes` of all tables to Kudu a turn, with the page open in every other one."""
    opened: list[Turn] = []
    closed: list[Turn] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Tables(local, Path(folder) / "w", ["kudu"], tables, 1).there(say) as bench,
        bench.working() as worker,
    ):
        _wait_for_all(worker, tables, say)
        browser = Browser(f"http://127.0.0.1:{worker.port}{page}")
        answer_cpu_s = _answer_cpu_s(worker, browser)
        for number in range(rounds):
            for is_open in (True, False) if number % 2 else (False, True):
                say(f"round {number + 1} of {rounds}, {'with' if is_open else 'without'} the page")
                with browser.open() if is_open else nullcontext():
                    turn = _turn(worker, partial(bench.pile_up, changes, say))
                (opened if is_open else closed).append(turn)
    ratio = median(one.rate / other.rate for one, other in zip(opened, closed, strict=True))
    cpu = median(one.cpu_s_per_100k / other.cpu_s_per_100k for one, other in zip(opened, closed, strict=True))
    return OpenPageReport(
        tables=tables,
        page=page,
        opened=opened,
        closed=closed,
        ratio=round(ratio, 3),
        cpu_ratio=round(cpu, 3),
        answers=len(browser.took),
        answer_ms=round(median(browser.took) * 1e3, 1),
        answer_cpu_ms=round(answer_cpu_s * 1e3, 1),
        core=round(answer_cpu_s / RENEW_S, 4),
        target=TARGET,
        met=ratio >= TARGET,
        machine=machine(),
    )


def _wait_for_all(worker: Worker, tables: int, say: Say) -> None:
    """Return once the worker knows every table and has made it, so that turns are alike."""
    deadline = time.monotonic() + BEGIN_S
    while (begun := sum(each["applied"] > 0 for each in worker.stats()["sinks"]["kudu"]["tables"].values())) < tables:
        say(f"{begun:,} of {tables:,} tables are made")
        if time.monotonic() > deadline:
            raise DistributionError(f"in {BEGIN_S:.0f} s {begun} tables only were made; see {worker.log}")
        time.sleep(POLL_S)


def _answer_cpu_s(worker: Worker, browser: Browser) -> float:
    """CPU seconds of an answer beyond what the worker takes anyway, having nothing to do."""
    process = psutil.Process(worker.pid)
    before, began = _cpu(process), time.perf_counter()
    for _ in range(LOOKS):
        browser.look()
    spent, took = _cpu(process) - before, time.perf_counter() - began
    before = _cpu(process)
    time.sleep(took)
    return max(0.0, spent - (_cpu(process) - before)) / LOOKS


def _turn(worker: Worker, pile_up: Callable[[], int]) -> Turn:
    process = psutil.Process(worker.pid)
    began, before, cpu = time.perf_counter(), _applied(worker), _cpu(process)
    count, deadline = pile_up(), time.monotonic() + TURN_S
    while _applied(worker) < before + count:
        if time.monotonic() > deadline:
            raise DistributionError(f"{count:,} changes were not applied within {TURN_S:.0f} s; see {worker.log}")
        time.sleep(POLL_S)
    took, spent = time.perf_counter() - began, _cpu(process) - cpu
    return Turn(round(count / took, 1), round(spent / count * 1e5, 3))


def _applied(worker: Worker) -> int:
    found: int = sum(each["applied"] for each in worker.stats()["sinks"]["kudu"]["tables"].values())
    return found


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))

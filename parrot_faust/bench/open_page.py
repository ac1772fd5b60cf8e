"""What an open page costs a worker of very many tables: changes a second with it and without it, in turns."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
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
POLL_S = 0.25

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Turn:
    """So many seconds of a worker: changes a second that Kudu has, and CPU seconds of the worker for 100,000."""

    rate: float
    cpu_s_per_100k: float


@dataclass(frozen=True, slots=True)
class OpenPageReport:
    """Turns with an open page and without, in pairs. `ratio` is the median of the pairs' ratios, `cpu_ratio` that of
    the CPU seconds a change; `answers` is how often the page was renewed and `answer_ms` how long that took, by median.
    """

    tables: int
    page: str
    opened: list[Turn]
    closed: list[Turn]
    ratio: float
    cpu_ratio: float
    answers: int
    answer_ms: float
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

    def _renew(self) -> None:
        request = urllib.request.Request(self._address, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})  # noqa: S310
        while not self._closed.is_set():
            began = time.perf_counter()
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - loopback
                answer.read()
            self.took.append(time.perf_counter() - began)
            self._closed.wait(RENEW_S)


def measure_open_page(
    local: Local, tables: int, changes: int, rounds: int, seconds: float, page: str, say: Say
) -> OpenPageReport:
    """Let one worker apply a backlog of `changes` of all tables to Kudu, with the page open in every other turn."""
    opened: list[Turn] = []
    closed: list[Turn] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Tables(local, Path(folder) / "w", ["kudu"], tables, 1).there(say) as bench,
        bench.working() as worker,
    ):
        _wait_for_all(worker, tables, say)
        piled = bench.pile_up(changes, say)  # quicker than any worker
        browser = Browser(f"http://127.0.0.1:{worker.port}{page}")
        for number in range(rounds):
            for is_open in (True, False) if number % 2 else (False, True):
                say(f"round {number + 1} of {rounds}, {'with' if is_open else 'without'} the page")
                with browser.open() if is_open else nullcontext():
                    (opened if is_open else closed).append(_turn(worker, seconds))
                if _applied(worker) >= piled:
                    raise DistributionError(f"{piled:,} changes are too few for {rounds} rounds of {seconds:g} s")
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


def _turn(worker: Worker, seconds: float) -> Turn:
    process = psutil.Process(worker.pid)
    began, before, cpu = time.perf_counter(), _applied(worker), _cpu(process)
    time.sleep(seconds)
    took, done, spent = time.perf_counter() - began, _applied(worker) - before, _cpu(process) - cpu
    if not done:
        raise DistributionError(f"the worker has applied nothing for {took:.0f} s; see {worker.log}")
    return Turn(round(done / took, 1), round(spent / done * 1e5, 3))


def _applied(worker: Worker) -> int:
    found: int = sum(each["applied"] for each in worker.stats()["sinks"]["kudu"]["tables"].values())
    return found


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))

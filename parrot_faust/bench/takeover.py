"""How long a killed worker's partitions stand still: kill -9 of one of two, with default settings."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from parrot_faust.bench.pipeline import Bench, Say
from parrot_faust.bench.transport import machine
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Local
from parrot_faust.errors import DistributionError

TARGET_S = 12.0
CHANGES = 10_000
FIRST_KEY = 10_000_000  # of the rows that are inserted to be waited for
PATIENCE_S = 120.0
POLL_S = 0.05
SETTLING_S = 2.0
READY = "Worker ready"


@dataclass(frozen=True, slots=True)
class TakeoverReport:
    """Seconds from each kill until a row committed right after it was in Kudu by the other worker's hand."""

    seconds: list[float]
    longest: float
    target: float
    met: bool
    machine: str


def measure_takeover(local: Local, rounds: int, say: Say) -> TakeoverReport:
    """Let two workers share an app, and kill the one that reads the source, `rounds` times."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(local, Path(folder), "avro", ["kudu"], CHANGES)
        stack.enter_context(bench.captured(say))
        pair = _Pair(bench, stack, say)
        seconds = [round(pair.take_over(number), 2) for number in range(rounds)]
    return TakeoverReport(seconds, max(seconds), TARGET_S, max(seconds) < TARGET_S, machine())


class _Pair:
    def __init__(self, bench: Bench, stack: ExitStack, say: Say) -> None:
        self._bench, self._stack, self._say = bench, stack, say
        self._key = FIRST_KEY
        self._started = 0
        self._workers = [self._start(), self._start()]
        self._applied(self._change())

    def take_over(self, number: int) -> float:
        """Kill the reader of the source; return seconds until the other has applied what comes after."""
        reader = self._reader()
        pid = reader.pid
        if pid is None:
            raise DistributionError(f"the worker has ended; see {reader.log}")
        self._say(f"kill {number + 1}: waiting for the other worker")
        os.kill(pid, signal.SIGKILL)
        began = time.perf_counter()
        self._applied(self._change())
        taken = time.perf_counter() - began
        self._workers.remove(reader)
        self._workers.append(self._start())
        self._applied(self._change())
        return taken

    def _start(self) -> Worker:
        self._say("starting a worker")
        self._started += 1
        worker = self._stack.enter_context(self._bench.another(f"worker{self._started}"))
        _until(lambda: READY in worker.log.read_text(errors="replace"), f"a worker was not ready; see {worker.log}")
        return worker

    def _change(self) -> int:
        self._key += 1
        self._bench.change(self._key)
        return self._key

    def _applied(self, key: int) -> None:
        _until(lambda: self._bench.in_kudu(key), f"row {key} did not come")

    def _reader(self) -> Worker:
        """The worker that reads the source, once it has for a while: partitions move for some time after a start."""
        seen: list[list[Worker]] = []

        def settled() -> bool:
            before = [_captured(worker) for worker in self._workers]
            self._applied(self._change())
            time.sleep(SETTLING_S)
            seen.append(
                [worker for worker, count in zip(self._workers, before, strict=True) if _captured(worker) > count]
            )
            return len(seen) > 1 and seen[-1] == seen[-2] and len(seen[-1]) == 1

        _until(settled, "no worker has read the source")
        return seen[-1][0]


def _captured(worker: Worker) -> int:
    captured: int = sum(source["captured"] for source in worker.stats()["sources"].values())
    return captured


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise DistributionError(f"{otherwise} within {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)

"""What happens in the demo before its web view is pictured, so that every page has something to show."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running_demo import Demo

from parrot_faust.demo.loosening import ORDER
from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution.state import CHECKOUT

PARROT = Path(sys.executable).with_name("parrot")
TICK_S, CHANGES_A_TICK, WAVE_S = 0.25, 12, 150.0
PATIENCE_S = 120.0
COMMAND_S = 180.0
VERIFIED = (0, 1)  # all is equal, or every difference is explained

#: What the demo's rules get beside them: windows, of which one finds an order's channel that nobody foresaw.
WINDOWS = """\
windows:
  - every: 10s
    grace: 2s
    checks:
      - row_count_to_be_between: {min_value: 1}
      - distinct_values_to_be_in_set: {column: channel, value_set: [web, shop]}
        severity: warning
breaker: {failed: 20%, within: 1m, at_least: 100, resume: 10m}
"""


@contextmanager
def staged(demo: Demo, folder: Path, state: Path, minutes: float) -> Iterator[None]:
    """The demo with a second worker, windows and a breaker, verified tables, and a schema change that waits.

    `state` is the distribution's folder. The shop's people go on working until the end.
    """
    second = _second_worker(demo.worker, folder)
    try:
        with working(demo):
            _apply(demo, folder)
            time.sleep(60 * minutes)
        _parrot(demo, state, "verify", expected=VERIFIED)
        with working(demo):
            demo.sql("alter table products add column origin text")
            _until(lambda: demo.worker.page("/schema")["held"], "a schema change waits")
            _until(lambda: _judged(demo.worker), "a window has failed")
            _until(lambda: demo.worker.page("/errors")["groups"], "the dead letters have been read")
            path = f"/tables/shop.public.orders?key={ORDER}"
            _until(lambda: demo.worker.page(path)["trace"], "a row has been looked for")
            yield
    finally:
        second.stop()


def _second_worker(first: Worker, folder: Path) -> Worker:
    port = free_port()
    text = first.settings.read_text(encoding="utf-8").replace(f"port: {first.port}", f"port: {port}")
    text = text.replace(str(first.settings.parent / "state"), str(folder / "state"))
    second = Worker(folder, text, port)
    second.launch()
    second.wait()
    return second


def _apply(demo: Demo, folder: Path) -> None:
    """Put the windows and the breaker in force."""
    rules = (CHECKOUT / "quality_rules" / "orders.yaml").read_text(encoding="utf-8")
    file = folder / "orders.yaml"
    file.write_text(rules + WINDOWS, encoding="utf-8")
    _parrot(demo, folder, "rules", "apply", str(file))


def _parrot(demo: Demo, state: Path, *arguments: str, expected: tuple[int, ...] = (0,)) -> None:
    environment = {**os.environ, "PARROT_CONFIG": str(demo.worker.settings), "PARROT_STATE": str(state)}
    done = subprocess.run(
        [PARROT, *arguments], env=environment, capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    assert done.returncode in expected, done.stdout + done.stderr


@contextmanager
def working(demo: Demo) -> Iterator[None]:
    """The shop's people at work meanwhile, now more and now less of them."""
    over = threading.Event()

    def work() -> None:
        began = time.monotonic()
        while not over.wait(TICK_S):
            wave = math.sin(2 * math.pi * (time.monotonic() - began) / WAVE_S)
            demo.change(round(CHANGES_A_TICK * (1 + 0.7 * wave)))

    with ThreadPoolExecutor(1) as thread:
        done = thread.submit(work)
        try:
            yield
        finally:
            over.set()
            done.result()


def _judged(worker: Worker) -> bool:
    windows: list[dict[str, Any]] = worker.page("/quality")["windows"]
    return any(one["failed"] for one in windows) and all(one["judged"] for one in windows)


def _until(reached: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s in vain until {what}"
        time.sleep(TICK_S)

"""The web view with very many tables: how large its answers are, and how long they take."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from parrot_faust.bench.crowded import addresses, crowded
from parrot_faust.bench.transport import machine
from parrot_faust.transport.heap import settle_heap

MOST_BYTES, MOST_MS = 150_000, 50.0
#: Prometheus wants every series in one answer, so this one grows with the tables.
NO_PAGES = ("/metrics",)
FORMS = {"html": "text/html", "json": "application/json"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """One address in one form: bytes before compression, milliseconds until all of it was there (median, and the
    longest), and milliseconds of the processor for it, those of the client among them.
    """

    path: str
    form: str
    size: int
    ms: float
    longest_ms: float
    cpu_ms: float
    is_page: bool
    met: bool


@dataclass(frozen=True, slots=True)
class WebReport:
    """All answers of a worker that knows so many tables."""

    tables: int
    answers: list[Answer]
    most_bytes: int
    most_ms: float
    met: bool
    machine: str


def measure_web(tables: int, times: int, say: Say) -> WebReport:
    """Ask a crowded worker's server, in this process, for everything `times` times."""
    with tempfile.TemporaryDirectory() as folder:
        say(f"filling a worker with {tables:,} tables")
        answers = asyncio.run(_ask_all(Path(folder), tables, times, say))
    return WebReport(tables, answers, MOST_BYTES, MOST_MS, all(answer.met for answer in answers), machine())


async def _ask_all(folder: Path, tables: int, times: int, say: Say) -> list[Answer]:
    app = crowded(folder, tables)
    await app.web.start_server()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{app.parts.settings.web.port}") as client:
            found = addresses(app)
            for path in found:  # what is read beside the snapshots is there from now on
                await _ask(client, path, "html")
            settle_heap()
            answers = []
            for path in found:
                for form in FORMS:
                    say(f"{path} as {form}")
                    answers.append(await _measured(client, path, form, times))
            return answers
    finally:
        await app.web.stop_server()
        await app.parts.observing.close()


async def _ask(client: aiohttp.ClientSession, path: str, form: str) -> int:
    async with client.get(path, headers={"Accept": FORMS[form]}) as answer:
        answer.raise_for_status()
        return len(await answer.read())


async def _measured(client: aiohttp.ClientSession, path: str, form: str, times: int) -> Answer:
    took, size, cpu = [], 0, time.process_time()
    for _ in range(times):
        began = time.perf_counter()
        size = max(size, await _ask(client, path, form))
        took.append((time.perf_counter() - began) * 1e3)
    cpu_ms = (time.process_time() - cpu) * 1e3 / times
    median = statistics.median(took)
    is_page = path not in NO_PAGES
    met = not is_page or (size < MOST_BYTES and median < MOST_MS)
    return Answer(path, form, size, round(median, 1), round(max(took), 1), round(cpu_ms, 1), is_page, met)

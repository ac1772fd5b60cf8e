"""The demo's pipeline, kept running behind its web view: the shop captured, checked, changed at, and in both stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sources import make_topic

from parrot_faust.demo.run import Options, Run
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

CHANGES, RATE = 600, 400


class Demo:
    """A demo that is at rest, for whoever wants to see pages of it and do something to it."""

    def __init__(self, run: Run, database: psycopg.Connection[Any]) -> None:
        self._run, self._database = run, database
        self.work = run.work.changes()

    @property
    def worker(self) -> Worker:
        """The worker."""
        return self._run.worker

    @property
    def address(self) -> str:
        """Where its web view is."""
        return f"http://127.0.0.1:{self.worker.port}"

    def sql(self, statement: str, *values: Any) -> None:
        """Run a statement at the source, in a transaction of its own."""
        self._database.execute(statement, values or None)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that the source answers."""
        return self._database.execute(query).fetchall()

    def change(self, count: int) -> None:
        """Let the shop's people do so many things more."""
        for _, (statement, values) in zip(range(count), self.work, strict=False):
            self.sql(statement, *values)

    def produce(self, topic: str, value: bytes, key: bytes | None = None) -> tuple[int, int]:
        """Put a record into a topic; return partition and offset."""
        found: tuple[int, int] = _beside(self._run.broker.produce, topic, value, key)
        return found

    def make_topic(self, topic: str) -> None:
        """Make a topic, as a connector would for a table of its own."""
        _beside(make_topic, self._run.addresses.kafka, topic)


def _beside(ask: Callable[..., Any], *arguments: Any) -> Any:
    """Ask the broker from a thread of its own: in the one with the browser no event loop can begin."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(ask, *arguments).result()


@contextmanager
def running_demo(addresses: Addresses, folder: Path, more: str = "") -> Iterator[Demo]:
    """The demo on servers that run. `folder` gets its settings, state and log; `more` is added to the settings.

    At the end its worker is stopped and its connector removed; the next demo removes the rest.
    """
    run = Run(addresses, folder, Options(CHANGES, RATE), lambda *_: None)
    settings = run.worker.settings
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    try:
        run.prepare()
        run.settle("applying the initial snapshot")
        run.generate()
        run.mark_end()
        run.settle("waiting until all is applied")
        with psycopg.connect(**addresses.postgres, autocommit=True) as database:
            yield Demo(run, database)
    finally:
        run.worker.stop()
        run.clear()

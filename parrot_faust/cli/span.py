"""Which events a command reads, as options, and how it shows how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from parrot_faust.cli.progress import counting
from parrot_faust.letters.kept import moment
from parrot_faust.recent import Span

LAST = 10_000  # events that are read unless told: seconds of work
PATIENCE_S = 1.0  # what is done sooner shows no bar


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--since`, `--last` and `--from-beginning`; the command gets a `Span`."""

    @click.option("--since", metavar="SPAN|TIME", help="Events since then: 10m, 1h, 3d, or an ISO time (UTC).")
    @click.option(
        "--last", type=click.IntRange(1), help=f"So many of the newest events, of all partitions.  [default: {LAST}]"
    )
    @click.option("--from-beginning", is_flag=True, help="Every event there is.")
    @wraps(command)
    def with_span(since: str | None, last: int | None, from_beginning: bool, **options: Any) -> Any:
        if (since is not None) + (last is not None) + from_beginning > 1:
            raise click.UsageError("choose one of --since, --last and --from-beginning")
        if since is not None:
            span = Span(since_ms=moment(since, datetime.now(UTC)))
        else:
            span = Span() if from_beginning else Span(last=last or LAST)
        return command(span=span, **options)

    return with_span


class Bar:
    """A progress bar on a terminal, for what takes longer than a second."""

    def __init__(self, what: str) -> None:
        self._bar = counting()
        self._task = self._bar.add_task(what, total=None)
        self._from, self._started = time.monotonic() + PATIENCE_S, False

    def __call__(self, done: int, of: int) -> None:
        """Show how far it is."""
        if not self._started and time.monotonic() > self._from:
            self._bar.start()
            self._started = True
        self._bar.update(self._task, completed=done, total=of)

    def close(self) -> None:
        """Show it no more."""
        if self._started:
            self._bar.stop()

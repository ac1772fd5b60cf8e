"""Which events a command reads, as options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from parrot_faust.letters.kept import moment
from parrot_faust.recent import Span

LAST = 10_000  # events that are read unless told: seconds of work


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

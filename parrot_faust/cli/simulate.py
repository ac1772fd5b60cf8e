"""`parrot simulate`: run the delivery against anything that may happen, and name the seeds that broke a promise."""

from __future__ import annotations

import secrets
import sys

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from parrot_faust.simulation.runs import Tally, simulate

SEEDS = 2**32
SHOWN_AFTER = 200  # runs: fewer are over before a bar is read


@click.command(name="simulate")
@click.option("--seed", type=click.IntRange(0), help="The first seed; a random one without it.")
@click.option("--runs", type=click.IntRange(1), help="How many seeds. [default: 1 with --seed, else 1000]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(seed: int | None, runs: int | None, as_json: bool) -> None:
    """Simulate crashes, rebalances, replays and failing stores, and compare what the stores hold in the end.

    A run is decided by its seed alone: `--seed S` repeats it. Exit status 1 when a run has broken a promise.
    """
    first = secrets.randbelow(SEEDS) if seed is None else seed
    count = runs or (1000 if seed is None else 1)
    seeds = range(first, first + count)
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=count < SHOWN_AFTER or not console.is_terminal,
        transient=True,
    ) as progress:
        bar = progress.add_task(f"seeds from {first}", total=count)

        def after_each(tally: Tally) -> None:
            progress.update(bar, completed=tally.runs)

        tally = simulate(seeds, after_each)
    if as_json:
        report = {"first": first, "runs": tally.runs, "findings": tally.findings, "happened": dict(tally.happened)}
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        _show(tally, first)
    if tally.findings:
        sys.exit(1)


def _show(tally: Tally, first: int) -> None:
    console = Console(highlight=False)
    for finding in tally.findings:
        console.print(f"[red]seed {finding.seed}[/]: ", end="")
        console.print(finding.broken, markup=False)
    events = ", ".join(f"{count:,} {event}" for event, count in sorted(tally.happened.items()) if count)
    console.print(f"{tally.runs:,} runs from seed {first}: {events}", style="dim", soft_wrap=True)
    if tally.findings:
        failed = len(tally.findings)
        console.print(f"{failed:,} failed; repeat one with `parrot simulate --seed {tally.findings[0].seed}`")
    else:
        console.print("[green]✓[/] both stores ended equal to the source in every run")

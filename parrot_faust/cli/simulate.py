"""`parrot simulate`: run the delivery against anything that may happen, and name the seeds that broke a promise."""

from __future__ import annotations

import secrets

import click

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.cli.progress import Bar
from parrot_faust.simulation.runs import Tally, simulate

SEEDS = 2**32


@click.command(name="simulate")
@click.option("--seed", type=click.IntRange(0), help="The first seed; a random one without it.")
@click.option("--runs", type=click.IntRange(1), help="How many seeds. [default: 1 with --seed, else 1000]")
@json_option("what happened, and the seeds that broke a promise")
@ends_with({1: "a run has broken a promise"})
def command(seed: int | None, runs: int | None, as_json: bool) -> None:
    """Simulate crashes, rebalances, replays and failing stores, and compare what the stores hold in the end.

    A run is decided by its seed alone: `--seed S` repeats it.
    """
    first = secrets.randbelow(SEEDS) if seed is None else seed
    count = runs or (1000 if seed is None else 1)
    seeds = range(first, first + count)
    bar = Bar(f"seeds from {first}")
    try:
        tally = simulate(seeds, lambda so_far: bar(so_far.runs, count))
    finally:
        bar.close()
    if as_json:
        report = {"first": first, "runs": tally.runs, "findings": tally.findings, "happened": dict(tally.happened)}
        terminal.print_json(report)
    else:
        _show(tally, first)
    if tally.findings:
        end(1)


def _show(tally: Tally, first: int) -> None:
    console = terminal.result()
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

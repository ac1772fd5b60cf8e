"""`parrot bench web`: how large and how quick the answers of the web view are, and what an open page costs."""

from __future__ import annotations

import click
from rich.console import Console

from parrot_faust.bench.open_page import OpenPageReport, measure_open_page
from parrot_faust.bench.web import WebReport, measure_web
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import json_option
from parrot_faust.cli.measured import mark, running
from parrot_faust.cli.progress import Waiting


@click.command()
@click.option("--tables", type=click.IntRange(10), default=500, show_default=True, help="How many tables there are.")
@click.option("--times", type=click.IntRange(1), default=20, show_default=True, help="How often each is asked for.")
@click.option("--pipeline/--no-pipeline", default=True, help="Measure a real worker with an open page as well.")
@click.option("--changes", type=click.IntRange(10_000), default=200_000, show_default=True, help="Of each turn.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="How often with and without.")
@click.option("--page", default="/", show_default=True, help="The page that is open.")
@json_option("the figures")
def web(tables: int, times: int, pipeline: bool, changes: int, rounds: int, page: str, as_json: bool) -> None:
    """Measure every page with many tables, all of which have something to say, and what an open one costs a worker.

    The latter needs Kafka and Kudu, the former nothing that runs.
    """
    local = running("kafka", "kudu") if pipeline else None
    with Waiting("") as wait:
        pages = measure_web(tables, times, wait.say)
        cost = measure_open_page(local, tables, changes, rounds, page, wait.say) if local else None
    if as_json:
        terminal.print_json({"pages": pages, "open_page": cost})
        return
    console = terminal.result()
    show_pages(pages, console)
    if cost is not None:
        show_open_page(cost, console)


def show_pages(report: WebReport, console: Console) -> None:
    """Print a line an answer."""
    table = terminal.Table("answer", "form", "kB", "ms", "longest", "CPU ms", "")
    for one in report.answers:
        figures = (f"{one.size / 1e3:.1f}", f"{one.ms:.1f}", f"{one.longest_ms:.1f}", f"{one.cpu_ms:.1f}")
        table.add_row(one.path, one.form, *figures, mark(one.met) if one.is_page else "")
    console.print(table)
    console.print(
        f"{mark(report.met)} pages below {report.most_bytes / 1e3:g} kB within {report.most_ms:g} ms (median) at "
        f"{report.tables:,} tables"
    )
    console.print(report.machine, style="dim")


def show_open_page(report: OpenPageReport, console: Console) -> None:
    """Print a line a turn of either kind."""
    turns = [f"round {number + 1}" for number in range(len(report.opened))]
    table = terminal.Table(f"{report.tables:,} tables into Kudu, changes/s", *turns)
    table.add_row("no page open", *(f"{turn.rate:,.0f}" for turn in report.closed))
    table.add_row(f"{report.page} open", *(f"{turn.rate:,.0f}" for turn in report.opened))
    console.print(table)
    console.print(
        f"{mark(report.met)} {report.ratio:.3f} × of without (wanted {report.target:g} ×), {report.cpu_ratio:.3f} × "
        f"the worker's CPU for a change; renewed {report.answers} times, {report.answer_ms:.0f} ms each"
    )
    console.print(
        f"an answer costs the worker {report.answer_cpu_ms:.1f} ms of CPU, an open page {report.core:.2%} of a core"
    )
    console.print(report.machine, style="dim")

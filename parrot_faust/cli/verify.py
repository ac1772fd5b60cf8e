"""`parrot verify`: whether Kudu and HBase hold what the source holds, and why not where they do not."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.cli.progress import Counting
from parrot_faust.errors import ParrotError
from parrot_faust.settings import load
from parrot_faust.verify.access import broker_of, database_of, schemas_of, slot_of
from parrot_faust.verify.report import STATUS, Report, RowDifference, Verdict
from parrot_faust.verify.run import Options, Verification, Watch

SHOWN = 20  # differing rows on the screen; a page of them says what is wrong
FAILED = 4  # the exit status when nothing could be compared
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
MARKS = {
    Verdict.EQUAL: "[green]✓ equal[/]",
    Verdict.EXPLAINED: "[yellow]explained[/]",
    Verdict.UNEXPLAINED: "[red]✗ unexplained[/]",
    Verdict.UNDECIDED: "[yellow]? undecided[/]",
}


class Every(click.ParamType):
    """A span such as 90s, 15m, 1h, 1d, in seconds."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", str(value))
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is no span; write 90s, 15m, 1h or 1d", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@click.command()
@click.option("--table", "tables", multiple=True, help="Only this table: topic, schema.table, or table. Repeatable.")
@click.option("--since", help="Only rows whose key (its first column) is this or greater.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Only this share of the source's rows, for example 0.01; rows that only a store has are not looked for.",
)
@click.option("--every", type=Every(), help="Compare again and again, this long apart: 15m, 1h. Ctrl-C ends it.")
@click.option("--wait", default=60.0, show_default=True, help="Seconds that rows in flight get to arrive.")
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(1), help="Differing rows to list.")
@click.option("--repair", is_flag=True, help="Send unexplained rows through the pipeline again, and verify them again.")
@click.option("--repair-explained", is_flag=True, help="Send the explained ones again too.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="The settings file, else PARROT_CONFIG."
)
@json_option("the report; with --every one a line")
@ends_with(
    {
        0: "all equal",
        1: "all differences are explained: a rule held the row back, it is a dead letter",
        2: "there are differences that nothing explains",
        3: "undecided, because rows were still in flight",
        FAILED: "nothing could be compared",
    }
)
def verify(
    tables: tuple[str, ...],
    since: str | None,
    sample: float | None,
    every: float | None,
    wait: float,
    limit: int,
    repair: bool,
    repair_explained: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Compare the source's tables with Kudu and HBase, row by row, while everything runs."""
    options = Options(
        tables, since, sample, wait, limit, "all" if repair_explained else "unexplained" if repair else ""
    )
    while True:
        try:
            report = once(config, options)
        except ParrotError as error:
            terminal.fail(str(error))
            if every is None:
                end(FAILED)
        else:
            if as_json:
                terminal.print_json(report, line=every is not None)
            else:
                show(report, terminal.result())
            if every is None:
                end(STATUS[report.verdict])
        time.sleep(every)


def once(config: Path | None, options: Options) -> Report:
    """One verification."""
    settings = load(config)
    with (
        progress() as watch,
        Verification(
            settings, database_of(settings), slot_of(settings), broker_of(settings), schemas_of(settings), watch
        ) as verification,
    ):
        return verification.run(options)


class Bar(Watch):
    """Progress as a bar with rows a second and the time left."""

    def __init__(self, bar: Counting) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, rate="")
        self._began, self._done, self._total = time.monotonic(), 0, 0

    def step(self, text: str) -> None:
        self._bar.update(self._task, description=text)

    def total(self, rows: int) -> None:
        self._total += rows
        self._bar.update(self._task, total=self._total or None)

    def rows(self, _store: str, count: int) -> None:
        self._done += count
        rate = self._done / max(0.1, time.monotonic() - self._began)
        self._bar.update(self._task, completed=self._done, rate=f"{rate:,.0f} rows/s")


@contextmanager
def progress() -> Iterator[Watch]:
    """A bar on a terminal, nothing elsewhere."""
    bar = Counting(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    try:
        yield Bar(bar)
    finally:
        bar.stop()


def show(report: Report, console: Console) -> None:
    """Print a line a table, then the rows that differ, then what was not compared."""
    stores = sorted({store for table in report.tables for store in table.rows} - {"source"})
    in_flight = any(result.in_flight for result in report.tables)
    table = terminal.Table(
        "table", "source", *stores, "differ", "explained", *(("in flight",) if in_flight else ()), "verdict"
    )
    for result in report.tables:
        more = "+" if result.unexamined else ""
        table.add_row(
            result.table,
            f"{result.rows.get('source', 0):,}",
            *(f"{result.rows[store]:,}" if store in result.rows else "" for store in stores),
            f"{result.differences:,}{more}",
            f"{result.explained:,}",
            *((f"{result.in_flight:,}",) if in_flight else ()),
            MARKS[result.verdict],
        )
    console.print(table)
    for pause in report.paused:
        console.print(
            f"[yellow]{escape(pause.what)} is paused since {pause.since}: {escape(pause.reason)}; what was committed "
            f"since then waits, and differs or is in flight. `{escape(pause.command)}` lets it go on[/]"
        )
    for row in report.differences[:SHOWN]:
        show_row(row, console)
    if (unshown := len(report.differences) - SHOWN) > 0:
        console.print(f"[dim]and {unshown:,} more rows, which --json lists[/]", highlight=False)
    for result in report.tables:
        if result.aged_out:
            console.print(f"{result.table}: {result.aged_out:,} rows are aged out of Kudu ({escape(result.aging)})")
        if result.undecided:
            console.print(f"[yellow]{escape(f'{result.table}: {result.undecided}')}[/]", highlight=False)
        if result.unexamined:
            console.print(
                f"[yellow]{result.table}: {result.unexamined} more ranges of keys differ and were not looked into[/]",
                highlight=False,
            )
    for skipped in report.not_compared:
        name = f"{skipped.table}, column {skipped.column}" if skipped.column else skipped.table
        console.print(f"[yellow]not compared: {escape(f'{name}: {skipped.reason}')}[/]", highlight=False)
    if report.repaired:
        console.print(f"[green]{report.repaired:,} rows were sent again and are right now[/]", highlight=False)
    for problem in report.not_repaired:
        console.print(f"[red]not repaired: {escape(problem)}[/]", highlight=False)
    console.print(
        f"{report.rows:,} rows of the source in {report.seconds:.1f} s, {report.rows_per_second:,}/s while reading",
        style="dim",
        highlight=False,
    )


def show_row(row: RowDifference, console: Console) -> None:
    """Print one row that differs: its key, why, and the values that differ."""
    key = ", ".join(f"{name}={value}" for name, value in row.key.items())
    alike: dict[tuple[str, str, str], list[str]] = {}
    for store in row.stores:
        alike.setdefault((store.kind, store.reason, store.detail), []).append(store.store)
    for (kind, reason, detail), stores in alike.items():
        colour = "red" if not row.explained else "yellow"
        said = escape(f"{row.table} {key}: {kind} in {' and '.join(stores)}, {reason}")
        console.print(f"[{colour}]{said}[/] {escape(detail)}".rstrip())
    for value in row.values:
        shown = ", ".join(f"{store}: {text!r}" for store, text in value.stores.items())
        console.print(f"    {value.column}: source {value.source!r}; {shown}", highlight=False, markup=False)

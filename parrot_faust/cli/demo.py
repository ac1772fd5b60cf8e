"""`parrot demo`: the whole pipeline, seen running."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape

from parrot_faust.cli import local as local_commands
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_file_option
from parrot_faust.demo.report import STORES, Report, tables_of
from parrot_faust.demo.run import Options, Run
from parrot_faust.distribution import ALL, Local

PLAIN_EVERY_S = 5.0


@click.command()
@click.option("--changes", default=10_000, show_default=True, help="Changes to make at the source.")
@click.option("--rate", default=500, show_default=True, help="Changes a second.")
@click.option("--seed", default=1, show_default=True, help="The same seed does the same work.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["avro", "json", "json-schema"]),
    default="avro",
    show_default=True,
    help="How changes travel.",
)
@click.option("--once", is_flag=True, help="End by taking down what was started, also on a terminal.")
@json_file_option("the report")
@ends_with({1: "the stores are not equal to the source, or a change is not accounted for"})
def demo(changes: int, rate: int, seed: int, form: str, once: bool, as_json: bool, file: Path | None) -> None:
    """Show PostgreSQL's changes captured, checked, and equal in Kudu and HBase."""
    local, console = Local.here(), terminal.remarks() if as_json or terminal.quiet() else terminal.result()
    stays = terminal.result().is_terminal and not (once or as_json)
    before = local.running()
    began = time.monotonic()
    seconds = {"fetch": 0.0}
    try:
        with local_commands.bars(local, ALL) as progress:
            local.fetch(ALL, progress)
        seconds["fetch"] = round(time.monotonic() - began, 1)
        began = time.monotonic()
        console.print("starting PostgreSQL, Kafka, Connect with Debezium, the schema registry, HBase and Kudu")
        local_commands.start(local, ALL)
        screen = Screen(console)
        options = Options(changes, rate, seed, form)
        run = Run(local.addresses(), local.folder / "demo", options, screen.watch)
        run.seconds |= seconds | {"start": round(time.monotonic() - began, 1)}
        try:
            with screen:
                report = run()
            if file is not None:
                file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
            if as_json:
                terminal.print_json(report)
            else:
                tell(report)
            if stays and not report.problems:
                stay(console, run)
        finally:
            run.worker.stop()
            if not stays:
                run.clear()
    finally:
        if not stays:
            local.down([name for name in ALL if name not in before])
    end(1 if report.problems else 0)


def tell(report: Report) -> None:
    """Print what came of it."""
    console = terminal.result()
    for table in tables_of(report):
        console.print(table)
    for problem in report.problems:
        console.print(f"[red]✗[/] {escape(problem)}")
    if not report.problems:
        console.print("[green]✓[/] source, Kudu and HBase are equal, and every change is accounted for")


def stay(console: Console, run: Run) -> None:
    """Keep the pipeline running and say how to look around, until Ctrl-C."""
    run.worker.launch()
    run.worker.wait()
    console.print(
        f"\nThe pipeline goes on. Look around:\n"
        f"  web view          http://127.0.0.1:{run.worker.port}/\n"
        f"  ask the source    .venv/bin/parrot sql 'table orders limit 5'\n"
        f"  ask the stores    .venv/bin/parrot rows kudu public.orders --limit 5\n"
        f"                    .venv/bin/parrot rows hbase public.orders --limit 5\n"
        f"  compare all       .venv/bin/parrot verify --config {run.worker.settings}\n"
        f"  components        .venv/bin/parrot status\n"
        f"Ctrl-C ends the worker; `.venv/bin/parrot down` ends the rest."
    )
    try:
        while run.worker.running:
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("ending the worker")


class Screen:
    """Shows a run: live on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=8) if console.is_terminal and not terminal.plain() else None
        )
        self._said, self._said_at = "", 0.0

    def __enter__(self) -> Screen:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def watch(self, step: str, stats: dict[str, Any] | None) -> None:
        """Show where the run is."""
        if self._live:
            self._live.update(Group(step, *([_live_view(stats)] if stats else [])))
            return
        key = step.lstrip("0123456789,")
        if key != self._said or time.monotonic() - self._said_at > PLAIN_EVERY_S:
            self._said, self._said_at = key, time.monotonic()
            self._console.print(f"{step}{_line(stats) if stats else ''}", highlight=False)


def _line(stats: dict[str, Any]) -> str:
    total = {
        name: sum(source[name] for source in stats["sources"].values())
        for name in ("captured", "quarantined", "dropped", "dead_lettered")
    }
    applied = ", ".join(f"{sink} {_applied(stats, sink):,}" for sink in STORES)
    return (
        f": captured {total['captured']:,}, quarantined {total['quarantined']}, dropped {total['dropped']}, "
        f"dead-lettered {total['dead_lettered']}, applied {applied}"
    )


def _applied(stats: dict[str, Any], sink: str) -> int:
    return sum(table["applied"] for table in stats["sinks"][sink]["tables"].values())


def _live_view(stats: dict[str, Any]) -> Group:
    table = terminal.Table("table", "captured", "quarantined", "dropped", "dead", *(f"in {sink}" for sink in STORES))
    for topic, source in stats["sources"].items():
        applied = (str(stats["sinks"][sink]["tables"].get(topic, {}).get("applied", 0)) for sink in STORES)
        counts = (str(source[name]) for name in ("captured", "quarantined", "dropped", "dead_lettered"))
        table.add_row(topic, *counts, *applied)
    lines = []
    for sink in STORES:
        view = stats["sinks"][sink]
        visible = view["visible_ms"]
        lines.append(
            f"[dim]{sink}: {view['lag_chunks']} chunks waiting, commit to visible p50 {visible['p50']:.0f} ms, "
            f"p99 {visible['p99']:.0f} ms[/]"
        )
    lines += [f"[yellow]{rule['table']} {rule['rule']}: {rule['failed']} failed[/]" for rule in stats["rules"]]
    for change in stats["schema_changes"]:
        if change["change"] != "CreateTable":
            where = f"in {change['sink']} after {change['seconds']:.2f} s" if change["sink"] else "at the source"
            lines.append(f"[cyan]{change['table']}: {change['change']} {change['detail']} {where}[/]")
    return Group(table, *lines)

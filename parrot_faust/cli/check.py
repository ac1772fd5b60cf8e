"""`parrot check`: everything a worker needs, looked at before it starts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from parrot_faust.checkup import Finding, Outcome, look_at
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.distribution import Local
from parrot_faust.errors import ParrotError

MARKS = {
    Outcome.OK: "[green]✓[/]",
    Outcome.WARNING: "[yellow]![/]",
    Outcome.FAILED: "[red]✗[/]",
    Outcome.SKIPPED: "[dim]·[/]",
}


@click.command()
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="The settings file, else PARROT_CONFIG."
)
@click.option(
    "--connect", envvar="PARROT_CONNECT", help="Kafka Connect's address; the local distribution's if that runs."
)
@json_option("a list of what was looked at")
@ends_with({0: "nothing has failed; there may be warnings", 1: "something is to be put right"})
def check(config: Path | None, connect: str | None, as_json: bool) -> None:
    """Look at settings, rules, brokers, topics, registry, connectors, source and stores, and say what to do.

    Nothing is made or changed.
    """
    console, found = terminal.result(), list[Finding]()
    for finding in look_at(config, connect or _local_connect()):
        found.append(finding)
        if not as_json:
            line = Table.grid(padding=(0, 1))
            line.add_row(MARKS[finding.outcome], f"{escape(finding.subject)}: {escape(finding.text)}")
            console.print(line)
            if finding.cure:  # there may be a command in it, which is to be copied as it is
                console.print(f"  [dim]→[/] {escape(finding.cure)}", soft_wrap=True)
    counts = Counter(finding.outcome for finding in found)
    if as_json:
        terminal.print_json(found)
    elif counts[Outcome.FAILED]:
        console.print(f"[red]{counts[Outcome.FAILED]} to put right[/], {counts[Outcome.WARNING]} to know of")
    elif counts[Outcome.WARNING]:
        console.print(f"[green]a worker can begin[/]; {counts[Outcome.WARNING]} to know of")
    else:
        console.print("[green]a worker can begin[/]: faust -A parrot_faust worker")
    end(1 if counts[Outcome.FAILED] else 0)


def _local_connect() -> str | None:
    try:
        here = Local.here()
        return here.addresses().connect if "connect" in here.running() else None
    except ParrotError:
        return None  # no local distribution to ask

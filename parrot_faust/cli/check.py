"""`parrot check`: everything a worker needs, looked at before it starts."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from parrot_faust.checkup import Finding, Outcome, look_at
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
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def check(config: Path | None, connect: str | None, as_json: bool) -> None:
    """Look at settings, rules, brokers, topics, registry, connectors, source and stores, and say what to do.

    Nothing is made or changed. Exit status 1 when something has failed; warnings alone are 0.
    """
    console, found = Console(), list[Finding]()
    for finding in look_at(config, connect or _local_connect()):
        found.append(finding)
        if not as_json:
            console.print(
                f"{MARKS[finding.outcome]} {escape(finding.subject)}: {escape(finding.text)}", highlight=False
            )
            if finding.cure:
                console.print(f"  [dim]→[/] {escape(finding.cure)}", highlight=False, soft_wrap=True)
    counts = Counter(finding.outcome for finding in found)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif counts[Outcome.FAILED]:
        console.print(f"[red]{counts[Outcome.FAILED]} to put right[/], {counts[Outcome.WARNING]} to know of")
    elif counts[Outcome.WARNING]:
        console.print(f"[green]a worker can begin[/]; {counts[Outcome.WARNING]} to know of")
    else:
        console.print("[green]a worker can begin[/]: faust -A parrot_faust worker")
    sys.exit(1 if counts[Outcome.FAILED] else 0)


def _local_connect() -> str | None:
    try:
        here = Local.here()
        return here.addresses().connect if "connect" in here.running() else None
    except ParrotError:
        return None  # no local distribution to ask

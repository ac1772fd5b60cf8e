"""`parrot up`, `down`, `status`, `logs`, `fetch`: the local distribution."""

from __future__ import annotations

import dataclasses
import json
import threading
import time

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from parrot_faust.distribution import ALL, Local
from parrot_faust.distribution.fetch import Silent
from parrot_faust.distribution.lock import Artefact

FOLLOW_POLL_S = 0.3


class FetchBars:
    """A bar for each artefact on its way, and one for all."""

    def __init__(self, console: Console, wanted: list[Artefact]) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=console
        )
        self._wanted = wanted
        self._total: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def begin(self, artefact: Artefact) -> None:
        """Show the artefact's bar."""
        with self._lock:
            if self._total is None:
                self.progress.start()
                self._total = self.progress.add_task("fetching", total=sum(one.size for one in self._wanted))
            self._tasks[artefact.coordinate] = self.progress.add_task(artefact.filename, total=artefact.size)

    def advance(self, artefact: Artefact, count: int) -> None:
        """Move the artefact's bar and the total."""
        self.progress.advance(self._tasks[artefact.coordinate], count)
        if self._total is not None:
            self.progress.advance(self._total, count)

    def end(self, artefact: Artefact) -> None:
        """Take the artefact's bar away."""
        self.progress.remove_task(self._tasks[artefact.coordinate])

    def __enter__(self) -> FetchBars:
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def bars(console: Console, local: Local, names: tuple[str, ...]) -> FetchBars:
    """Progress bars for what is missing from the cache."""
    missing = [artefact for artefact in local.wanted(names) if not local.cached(artefact)]
    return FetchBars(console, missing)


def start(local: Local, names: tuple[str, ...], console: Console) -> None:
    """Bring components up, showing what is fetched and when each is up."""
    with bars(console, local, names) as progress:
        local.fetch(names, progress)

    def say(name: str, what: str, seconds: float) -> None:
        if what != "starting":
            console.print(f"  [green]✓[/] {name:<10} {what} after {seconds:.1f} s")

    local.up(names, progress=Silent(), events=say)


@click.command()
@click.argument("components", nargs=-1, type=click.Choice(ALL), metavar="[COMPONENT]...")
def up(components: tuple[str, ...]) -> None:
    """Start the local distribution, or some of it with what that needs."""
    local, console = Local.here(), Console()
    start(local, components or ALL, console)
    console.print(_table(local))


@click.command()
@click.argument("components", nargs=-1, type=click.Choice(ALL), metavar="[COMPONENT]...")
def down(components: tuple[str, ...]) -> None:
    """End what `up` started, and nothing else."""
    ended = Local.here().down(components or ALL)
    click.echo(f"ended: {', '.join(ended)}" if ended else "nothing was running")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def status(as_json: bool) -> None:
    """Show each component: address, process, health, memory, uptime."""
    local = Local.here()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in local.status()], indent=1))
    else:
        Console().print(_table(local))


@click.command()
@click.argument("component", type=click.Choice(ALL))
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is written.")
def logs(component: str, follow: bool) -> None:
    """Print a component's logs."""
    files = [
        (path, path.open(encoding="utf-8", errors="replace")) for path in Local.here().log(component) if path.exists()
    ]
    if not files:
        click.echo(f"{component} has written no log yet", err=True)
    while files:
        for path, file in files:
            for line in file:
                click.echo(f"{path.stem}: {line}", nl=False)
        if not follow:
            break
        time.sleep(FOLLOW_POLL_S)


@click.command()
@click.option("--verify", is_flag=True, help="Read every file again and compare its hash.")
def fetch(verify: bool) -> None:
    """Fetch everything into the cache, so that all else works offline."""
    local, console = Local.here(), Console()
    with bars(console, local, ALL) as progress:
        fetched = local.fetch(ALL, progress, fully=verify)
    console.print(f"{fetched} artefacts fetched, {len(local.wanted(ALL))} in {local.cache}")


def _table(local: Local) -> Table:
    table = Table("component", "version", "address", "pid", "state", "memory", "up for", box=None, header_style="dim")
    for one in local.status():
        state = "[green]healthy[/]" if one.healthy else "[red]not healthy[/]" if one.pid else "[dim]down[/]"
        table.add_row(
            one.name,
            one.version,
            one.address,
            str(one.pid or ""),
            state,
            f"{one.memory / 1e6:.0f} MB" if one.pid else "",
            f"{one.uptime:.0f} s" if one.pid else "",
        )
    return table

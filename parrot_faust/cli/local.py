"""`parrot up`, `down`, `status`, `logs`, `fetch`: the local distribution."""

from __future__ import annotations

import dataclasses
import threading
import time

import click
from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Column

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import json_option
from parrot_faust.cli.progress import Counting, Waiting
from parrot_faust.distribution import ALL, ComponentStatus, Local
from parrot_faust.distribution.fetch import Silent
from parrot_faust.distribution.lock import Artefact
from parrot_faust.web.markup import span

FOLLOW_POLL_S = 0.3
_components_as_json = json_option("a list of the components")


class FetchBars:
    """A bar for each artefact on its way, and one for all."""

    def __init__(self, wanted: list[Artefact]) -> None:
        self.progress = Counting(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._wanted = wanted
        self._total: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def begin(self, artefact: Artefact) -> None:
        """Show the artefact's bar."""
        with self._lock:
            if self._total is None:
                self._total = self.progress.add_task("fetching", total=sum(one.size for one in self._wanted))
            self._tasks[artefact.coordinate] = self.progress.add_task(artefact.filename, total=artefact.size)

    def advance(self, artefact: Artefact, count: int) -> None:
        """Move the artefact's bar and the total."""
        self.progress.update(self._tasks[artefact.coordinate], advance=count)
        if self._total is not None:
            self.progress.update(self._total, advance=count)

    def end(self, artefact: Artefact) -> None:
        """Take the artefact's bar away."""
        self.progress.remove_task(self._tasks[artefact.coordinate])

    def __enter__(self) -> FetchBars:
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


def bars(local: Local, names: tuple[str, ...]) -> FetchBars:
    """Progress bars for what is missing from the cache."""
    missing = [artefact for artefact in local.wanted(names) if not local.cached(artefact)]
    if missing:
        terminal.remark(f"fetching {len(missing)} artefacts")
    return FetchBars(missing)


def start(local: Local, names: tuple[str, ...]) -> None:
    """Bring components up, showing what is fetched and when each is up."""
    with bars(local, names) as progress:
        local.fetch(names, progress)

    with Waiting("starting") as wait:

        def say(name: str, what: str, seconds: float) -> None:
            if what == "starting":
                wait.say(f"starting {name}")
            else:
                wait.note(f"  [green]✓[/] {name:<10} {what} after {seconds:.1f} s")

        local.up(names, progress=Silent(), events=say)


@click.command()
@click.argument("components", nargs=-1, type=click.Choice(ALL), metavar="[COMPONENT]...")
@_components_as_json
def up(components: tuple[str, ...], as_json: bool) -> None:
    """Start the local distribution, or some of it with what that needs."""
    local = Local.here()
    start(local, components or ALL)
    _show(local, as_json)


@click.command()
@click.argument("components", nargs=-1, type=click.Choice(ALL), metavar="[COMPONENT]...")
@json_option("a list of the components that were ended")
def down(components: tuple[str, ...], as_json: bool) -> None:
    """End what `up` started, and nothing else."""
    with Waiting("ending"):
        ended = Local.here().down(components or ALL)
    if as_json:
        terminal.print_json(ended)
    else:
        terminal.done(f"ended: {', '.join(ended)}" if ended else "nothing was running")


@click.command()
@_components_as_json
def status(as_json: bool) -> None:
    """Show each component: address, process, health, memory, uptime."""
    _show(Local.here(), as_json)


@click.command()
@click.argument("component", type=click.Choice(ALL))
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is written.")
@json_option("each line as an object")
def logs(component: str, follow: bool, as_json: bool) -> None:
    """Print a component's logs."""
    files = [
        (path, path.open(encoding="utf-8", errors="replace")) for path in Local.here().log(component) if path.exists()
    ]
    if not files:
        terminal.remark(f"{component} has written no log yet; start it with `parrot up {component}`")
    while files:
        for path, file in files:
            for line in file:
                if as_json:
                    terminal.print_json({"process": path.stem, "line": line.rstrip("\n")}, line=True)
                else:
                    click.echo(f"{path.stem}: {line}", nl=False)
        if not follow:
            break
        time.sleep(FOLLOW_POLL_S)


@click.command()
@click.option("--verify", is_flag=True, help="Read every file again and compare its hash.")
@json_option("how many artefacts were fetched, how many there are, and where")
def fetch(verify: bool, as_json: bool) -> None:
    """Fetch everything into the cache, so that all else works offline."""
    local = Local.here()
    if verify:
        with Waiting("reading every file again"):
            fetched = local.fetch(ALL, Silent(), fully=True)
    else:
        with bars(local, ALL) as progress:
            fetched = local.fetch(ALL, progress)
    found = {"fetched": fetched, "artefacts": len(local.wanted(ALL)), "cache": str(local.cache)}
    if as_json:
        terminal.print_json(found)
    else:
        terminal.done(f"{fetched} artefacts fetched, {found['artefacts']} in {found['cache']}")


def _show(local: Local, as_json: bool) -> None:
    with Waiting("asking the components"):
        found = local.status()
    if as_json:
        terminal.print_json([dataclasses.asdict(one) for one in found])
    else:
        terminal.result().print(_table(found))


def _table(found: list[ComponentStatus]) -> terminal.Table:
    table = terminal.Table(
        "component", "version", Column("address", overflow="fold", min_width=21), "pid", "state", "memory", "up for"
    )
    for one in found:
        state = "[green]healthy[/]" if one.healthy else "[red]not healthy[/]" if one.pid else "[dim]down[/]"
        table.add_row(
            one.name,
            one.version,
            one.address,
            str(one.pid or ""),
            state,
            f"{one.memory / 1e6:.0f} MB" if one.pid else "",
            span(one.uptime) if one.pid else "",
        )
    return table

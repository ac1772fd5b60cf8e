"""`parrot top`: the first page of the web view in the terminal, live."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import click
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from parrot_faust import __version__
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import json_option
from parrot_faust.errors import WorkerUnavailable
from parrot_faust.web.markup import ago, span

EVERY_S = 1.5
ANSWER_S = 10.0
COLOURS = {"good": "green", "warn": "yellow", "bad": "red", "none": "dim"}


@click.command()
@click.option(
    "--url",
    envvar="PARROT_WEB",
    default="http://127.0.0.1:6066",
    show_default=True,
    help="The page of any worker of the app.",
)
@click.option("--once", is_flag=True, help="Print it once and end; so it does where the output is no terminal.")
@json_option("the page's data, once")
def top(url: str, once: bool, as_json: bool) -> None:
    """Show every table, the worst first, and what needs a person; Ctrl-C ends it."""
    if as_json:
        terminal.print_json(fetch(url))
        return
    console = terminal.result()
    if once or not console.is_terminal:
        console.print(looked_at(url))
        return
    with Live(looked_at(url), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(EVERY_S)
                try:
                    view = looked_at(url)
                except WorkerUnavailable as error:  # it may be starting again: the last view stays, and says so
                    view = Group(Text(f"{error}; trying again", style="red"), live.renderable)
                live.update(view, refresh=True)
        except KeyboardInterrupt:
            return


def fetch(url: str) -> dict[str, Any]:
    """The first page of a worker as data. Raise WorkerUnavailable."""
    try:
        request = urllib.request.Request(url.rstrip("/") + "/", headers={"Accept": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
            view: dict[str, Any] = json.load(answer)
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", None) or error
        text = f"{getattr(why, 'strerror', None) or why}; see whether one runs there, or name another with --url"
        raise WorkerUnavailable(url, text) from None
    return view


def looked_at(url: str) -> RenderableType:
    """The first page of a worker for a terminal. Raise WorkerUnavailable."""
    view = fetch(url)
    try:
        return shown(view)
    except (KeyError, TypeError) as error:
        text = f"its page is not that of Parrot Faust {__version__} ({error}): it may be of another version"
        raise WorkerUnavailable(url, text) from None


def shown(view: dict[str, Any]) -> RenderableType:
    """The page for a terminal."""
    kind, words = view["standing"]["kind"], view["standing"]["words"]
    parts: list[RenderableType] = [
        Text.from_markup(f"[b]{escape(view['app'])}[/]  {_coloured(kind, words)}  [dim]{escape(view['about'])}[/]"),
        Columns(
            [
                f"[b]{view['rate']:,.0f}[/] changes/s",
                *(f"[dim]{name.replace('_', ' ')}[/] {count:,}" for name, count in view["totals"].items()),
            ],
            padding=(0, 2),
        ),
    ]
    for trouble in (*view["troubles"], *view["watched"]):
        since = f" [dim]for {span(view['at'] - trouble['since'])}[/]" if trouble["since"] else ""
        colour = "bad" if trouble["act"] else "warn"
        parts.append(Text.from_markup(_coloured(colour, f"● {trouble['what']} {trouble['words']}") + since))
        if trouble["command"]:
            parts.append(Text.from_markup(f"  [dim]→[/] {escape(trouble['command'])}"))
    return Group(*parts, Text(), _tables(view), *_rest(view))


def _rest(view: dict[str, Any]) -> list[Text]:
    """How much more there is, and where."""
    what = {"troubles": "things that need a person", "watched": "things worth a look", "tables": "tables"}
    left = [f"{part['left_out']:,} more {what[name]}" for name, part in view["lists"].items() if part["left_out"]]
    where = next((part["next"] for part in view["lists"].values() if part["next"]), "")
    return [Text(f"{', '.join(left)}: {where} of the web view", style="dim")] if left else []


def _tables(view: dict[str, Any]) -> terminal.Table:
    table = terminal.Table(expand=True)
    table.add_column("table", overflow="ellipsis", no_wrap=True, ratio=3, min_width=12)
    table.add_column("state", ratio=2, min_width=12)
    stores = list(view["stores"])
    for name in ("changes/s", *stores, "held", "dead"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in view["tables"]:
        since = f" {span(view['at'] - line['since'])}" if line["since"] else ""
        table.add_row(
            escape(line["table"]),
            _coloured(line["kind"], line["words"]) + f"[dim]{since}[/]",
            f"{line['rate']:,.0f}",
            *(_age(line["stores"].get(name), view["at"]) for name in stores),
            _count(line["quarantined"], "yellow"),
            _count(line["dead_lettered"], "red"),
        )
    return table


def _age(store: dict[str, Any] | None, now: float) -> str:
    if not store or not store["newest_ms"]:
        return "[dim]–[/]"
    age = escape(ago(now - store["newest_ms"] / 1000))
    return f"[yellow]{age}[/]" if store["behind_since"] else age


def _count(number: int, colour: str) -> str:
    return f"[{colour}]{number:,}[/]" if number else "0"


def _coloured(kind: str, words: str) -> str:
    return f"[{COLOURS.get(kind, 'default')}]{escape(words)}[/]"

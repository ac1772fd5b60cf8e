"""`parrot breaker`: which tables circuit breakers have paused, and letting one go on."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from models import Pause
from parrot_faust.errors import ParrotError
from parrot_faust.rules_desk import RulesDesk, run
from parrot_faust.settings import load as load_settings

WITHIN_S = 15.0  # a worker takes it within a second; one that has just been started needs some more


@click.group()
def breaker() -> None:
    """Look at tables that were paused because too many of their rows failed, and let them go on."""


@breaker.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects.")
def list_paused(as_json: bool) -> None:
    """List the tables that are paused now, with the reason."""

    async def work(desk: RulesDesk) -> dict[str, Pause]:
        return await desk.pauses()

    paused = _paused(run(load_settings(), work))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode([_view(one) for one in paused.values()])).decode())
        return
    if not paused:
        click.echo("no table is paused")
        return
    shown = Table("table", "since", "goes on", "because", box=None, header_style="dim")
    for one in paused.values():
        view = _view(one)
        shown.add_row(escape(one.table), view["since"], view["until"] or "by command", escape(one.reason))
    Console().print(shown)


@breaker.command()
@click.argument("table")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def resume(table: str, as_json: bool) -> None:
    """Let TABLE go on from where it was paused. Exit status 3 when no worker has taken it yet."""

    async def work(desk: RulesDesk) -> tuple[str, bool]:
        paused = _paused(await desk.pauses())
        if not paused:
            raise ParrotError("no table is paused")
        name = _named(paused, table)
        return name, await desk.go_on(paused[name], WITHIN_S)

    name, taken = run(load_settings(), work)
    if as_json:
        click.echo(msgspec.json.encode({"table": name, "taken": taken}).decode())
    elif taken:
        click.echo(f"✓ {name} goes on")
    else:
        click.echo(f"{name} will go on: no worker has taken it within {WITHIN_S:g} s; is one running?", err=True)
    if not taken:
        sys.exit(3)


def _named(paused: dict[str, Pause], text: str) -> str:
    """The table that a person means: its topic, or the end of its name."""
    found = [table for table in paused if table == text or table.endswith(f".{text}")]
    if len(found) != 1:
        raise ParrotError(f"{text} names {len(found)} of the tables that are paused: {', '.join(paused)}")
    return found[0]


def _paused(pauses: dict[str, Pause]) -> dict[str, Pause]:
    now = int(time.time() * 1000)
    return {table: pause for table, pause in sorted(pauses.items()) if pause.holds(now)}


def _view(pause: Pause) -> dict[str, Any]:
    until = _at(pause.at_ms + pause.resume_ms) if pause.resume_ms else None
    return {"table": pause.table, "since": _at(pause.at_ms), "until": until, "reason": pause.reason}


def _at(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")

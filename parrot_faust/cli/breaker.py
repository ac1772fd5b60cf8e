"""`parrot breaker`: which tables circuit breakers have paused, and letting one go on."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import click
from rich.markup import escape

from models import Pause
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import Group, end, ends_with, json_option
from parrot_faust.cli.progress import Waiting
from parrot_faust.errors import ParrotError
from parrot_faust.rules_desk import RulesDesk, run
from parrot_faust.settings import load as load_settings

WITHIN_S = 15.0  # a worker takes it within a second; one that has just been started needs some more


@click.group(cls=Group)
def breaker() -> None:
    """Look at tables that were paused because too many of their rows failed, and let them go on."""


@breaker.command(name="list")
@json_option("a list of the tables")
def list_paused(as_json: bool) -> None:
    """List the tables that are paused now, with the reason."""

    async def work(desk: RulesDesk) -> dict[str, Pause]:
        return await desk.pauses()

    with Waiting("reading what is paused"):
        paused = _paused(run(load_settings(), work))
    if as_json:
        terminal.print_json([_view(one) for one in paused.values()])
        return
    if not paused:
        terminal.done("no table is paused")
        return
    shown = terminal.Table("table", "since", "goes on", "because")
    for one in paused.values():
        view = _view(one)
        shown.add_row(escape(one.table), view["since"], view["until"] or "by command", escape(one.reason))
    terminal.result().print(shown)


@breaker.command()
@click.argument("table")
@json_option("which table, and whether a worker has taken it")
@ends_with({3: "no worker has taken it yet"})
def resume(table: str, as_json: bool) -> None:
    """Let TABLE go on from where it was paused."""

    async def work(desk: RulesDesk) -> tuple[str, bool]:
        paused = _paused(await desk.pauses())
        if not paused:
            raise ParrotError("no table is paused")
        name = _named(paused, table)
        return name, await desk.go_on(paused[name], WITHIN_S)

    with Waiting("waiting for a worker to take it"):
        name, taken = run(load_settings(), work)
    if as_json:
        terminal.print_json({"table": name, "taken": taken})
    elif taken:
        terminal.done(f"✓ {name} goes on")
    else:
        terminal.warn(f"{name} will go on: no worker has taken it within {WITHIN_S:g} s; is one running?")
    if not taken:
        end(3)


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

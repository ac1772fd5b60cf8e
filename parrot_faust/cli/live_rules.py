"""`parrot rules apply`, `list`, `pause`, `resume`, `remove` and `history`: the rules that workers judge by, now."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.cli.letter_tables import at
from parrot_faust.cli.progress import Waiting
from parrot_faust.cli.rule_files import text_of
from parrot_faust.errors import ParrotError, RuleError
from parrot_faust.quality import RuleSet, load
from parrot_faust.quality.standing import Doing, Happening, InForce, RuleCommand, RuleEntry, WorkerReport, decide
from parrot_faust.rules_desk import RulesDesk, Taken, named, run, state_of, tables_at, who
from parrot_faust.settings import load as load_settings

WAIT_S = 15.0
NOT_TAKEN = 3  # the exit status when the broker has a command and no worker has taken it yet

_taken_as_json = json_option("what was done, and which workers have taken it")
_ends = ends_with({1: "nothing is done: a file or a name is wrong", NOT_TAKEN: "no worker has taken it yet"})
_wait = click.option("--wait", "wait_s", default=WAIT_S, show_default=True, help="Seconds to wait for the workers.")


@dataclass(slots=True)
class _Given:
    """A file that is to be applied."""

    file: Path
    rules: RuleSet


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_wait
@_taken_as_json
@_ends
def apply(files: tuple[Path, ...], wait_s: float, as_json: bool) -> None:
    """Put the rules of FILES in force in every worker, from its next batch on.

    Nothing is applied when any file is wrong.
    """
    given = _read(files)
    by, results = who(), []

    async def work(desk: RulesDesk) -> None:
        known = await desk.entries()
        for one in given:
            results.append(await _apply(desk, one, known.get(one.rules.table), by, wait_s))

    with Waiting("waiting for the workers"):
        run(load_settings(), work)
    _tell(results, as_json)


async def _apply(desk: RulesDesk, one: _Given, known: RuleEntry | None, by: str, wait_s: float) -> dict[str, Any]:
    table, version = one.rules.table, one.rules.version
    command = RuleCommand(table, Doing.APPLY, int(time.time() * 1000), by, one.file.name, one.rules.to_json())
    try:
        decision = decide(known, command)
    except ValueError as error:
        raise RuleError(str(error), file=str(one.file)) from None
    if decision.entry is None:
        same = {"done": False, "changed": False, "taken": True, "workers": {}, "silent": []}
        return {"table": table, "version": version, **same}
    await desk.send(command)
    taken = await desk.taken(table, lambda entry: entry.version == version and bool(entry.rules), wait_s)
    known_tables = tables_at(await desk.reports())
    return _result(taken, command, version, waiting=table not in known_tables, before=known)


def _result(
    taken: Taken, command: RuleCommand, version: str, *, waiting: bool, before: RuleEntry | None
) -> dict[str, Any]:
    last = taken.entry.history[-1] if taken.entry and taken.entry.history else None
    changes = {"added": [], "removed": [], "changed": []} if last is None else _changes(last)
    return {
        "table": command.table,
        "version": version,
        "before": before.version if before and before.rules else None,
        "done": True,
        "taken": taken.entry is not None,
        "paused": bool(taken.entry and taken.entry.paused),
        "waiting": waiting,
        "workers": {worker: max(0, since - command.at_ms) for worker, since in taken.since_ms.items()},
        "silent": list(taken.silent),
        **changes,
    }


def _tell(results: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        terminal.print_json(results)
    else:
        for result in results:
            _tell_one(result)
    if not all(result["taken"] for result in results):
        end(NOT_TAKEN)


def _tell_one(result: dict[str, Any]) -> None:
    table, version = result["table"], result["version"]
    if not result["done"]:
        terminal.done(f"= {table}: version {version} is in force already, nothing changes")
        return
    if not result["taken"]:
        terminal.warn(f"? {table}: version {version} is sent, and no worker has taken it yet: it counts once one runs")
        return
    counts = ", ".join(f"{len(result[word])} {word}" for word in ("added", "removed", "changed") if result[word])
    terminal.done(
        f"✓ {table}: version {version} instead of {result['before'] or 'none'} ({counts or 'no rule differs'})"
    )
    if result["workers"]:
        ms = max(result["workers"].values())
        terminal.done(f"  in force in {len(result['workers'])} of {_all(result)} workers after {ms} ms")
    for worker in result["silent"]:
        terminal.warn(f"  worker {worker} has not followed yet; `parrot rules list` shows when it does")
    if result["paused"]:
        terminal.warn("  the table's rules are PAUSED: nothing is checked until `parrot rules resume`")
    if result["waiting"]:
        terminal.warn("  waiting: no worker knows a source topic of this name yet")


def _all(result: dict[str, Any]) -> int:
    return len(result["workers"]) + len(result["silent"])


def _read(files: tuple[Path, ...]) -> list[_Given]:
    """The sets of all files. Every error of every file is said, and then nothing is applied."""
    given: dict[str, _Given] = {}
    errors: list[str] = []
    for file in files:
        try:
            rules = load(text_of(file), str(file))
            if other := given.get(rules.table):
                text = f"table {rules.table} has rules in {other.file} as well: apply one of them"
                raise RuleError(text, file=str(file))
            given[rules.table] = _Given(file, rules)
        except RuleError as error:
            errors += [str(one) for one in (error, *error.also)]
    if errors:
        for text in errors:
            terminal.refuse(text)
        raise RuleError("nothing is applied, the rules in force stay")
    return list(given.values())


# -- pause, resume, remove -------------------------------------------------------------------------------------------


_DONE = {Doing.PAUSE: "paused: nothing is checked", Doing.RESUME: "in force again", Doing.REMOVE: "removed"}


def _command(doing: Doing, text: str, wait_s: float, as_json: bool) -> None:
    wanted: dict[Doing, Callable[[RuleEntry], bool]] = {
        Doing.PAUSE: lambda entry: entry.paused,
        Doing.RESUME: lambda entry: not entry.paused,
        Doing.REMOVE: lambda entry: not entry.rules,
    }

    async def work(desk: RulesDesk) -> dict[str, Any]:
        known = await desk.entries()
        table = named(known, text)
        command = RuleCommand(table, doing, int(time.time() * 1000), who())
        decision = decide(known[table], command)
        if decision.entry is None:
            return {"table": table, "done": False, "changed": False, "taken": True, "version": known[table].version}
        await desk.send(command)
        taken = await desk.taken(table, wanted[doing], wait_s)
        return _result(taken, command, decision.entry.version, waiting=False, before=known[table])

    with Waiting("waiting for the workers"):
        result = run(load_settings(), work)
    if as_json:
        terminal.print_json(result)
    elif not result["done"]:
        terminal.done(f"= {result['table']}: nothing to {doing}")
    elif not result["taken"]:
        terminal.warn(f"? {result['table']}: the {doing} is sent, and no worker has taken it yet")
    else:
        terminal.done(f"✓ {result['table']}: {_DONE[doing]}, in {len(result['workers'])} of {_all(result)} workers")
    if not result["taken"]:
        end(NOT_TAKEN)


@click.command()
@click.argument("table")
@_wait
@_taken_as_json
@_ends
def pause(table: str, wait_s: float, as_json: bool) -> None:
    """Check nothing of TABLE until `resume`: every row passes. What is applied meanwhile waits too."""
    _command(Doing.PAUSE, table, wait_s, as_json)


@click.command()
@click.argument("table")
@_wait
@_taken_as_json
@_ends
def resume(table: str, wait_s: float, as_json: bool) -> None:
    """Check TABLE again."""
    _command(Doing.RESUME, table, wait_s, as_json)


@click.command()
@click.argument("table")
@_wait
@_taken_as_json
@_ends
def remove(table: str, wait_s: float, as_json: bool) -> None:
    """Take TABLE's rules away, until some are applied or a file with new content is given to a worker."""
    _command(Doing.REMOVE, table, wait_s, as_json)


# -- list, history ---------------------------------------------------------------------------------------------------


@click.command("list")
@json_option("the tables with their rules, and the workers")
def list_rules(as_json: bool) -> None:
    """Show each table's rules, which version each worker judges by since when, and the rules that are suspended."""

    async def work(desk: RulesDesk) -> tuple[dict[str, RuleEntry], list[WorkerReport]]:
        return await desk.entries(), await desk.reports()

    with Waiting("reading the rules"):
        entries, reports = run(load_settings(), work)
    rows = [_row(table, entries.get(table), reports) for table in sorted({*entries, *_told(reports)})]
    if as_json:
        terminal.print_json({"tables": rows, "workers": [_worker(report) for report in reports]})
        return
    console = terminal.result()
    if not rows:
        terminal.done("no rules: none were applied, and no worker was given a file")
        return
    shown = terminal.Table("table", "version", "state", "rules", "since", "by", "workers")
    for row in rows:
        shown.add_row(
            escape(row["table"]),
            row["version"] or "-",
            _state(row["state"]) + (f", [red]{len(row['suspended'])} suspended[/]" if row["suspended"] else ""),
            str(row["rules"]),
            row["since"] or "",
            escape(f"{row['by']}, {row['origin']}".strip(", ")),
            "\n".join(f"{escape(one['worker'])} {one['version'] or '-'} since {one['since']}" for one in row["workers"])
            or "none runs",
        )
    console.print(shown)
    for row in rows:
        for one in row["suspended"]:
            told = f"{row['table']}: rule {one['rule']} is SUSPENDED, nothing is checked by it: {one['reason']}"
            console.print(f"[red]{escape(told)}[/]", soft_wrap=True)
    for row in rows:
        for one in row["workers"]:
            if one["why"] and " wins over " in one["why"]:
                console.print(f"[dim]{escape(row['table'])} at {escape(one['worker'])}: {escape(one['why'])}[/]")


def _row(table: str, entry: RuleEntry | None, reports: list[WorkerReport]) -> dict[str, Any]:
    sources = tables_at(reports)
    told = [(report.worker, report.rules[table]) for report in reports if table in report.rules]
    state = state_of(entry) if entry else "in force"
    waiting = bool(reports) and table not in sources and state == "in force"
    return {
        "table": table,
        "version": entry.version if entry else (told[0][1].version if told else ""),
        "state": "waiting for its topic" if waiting else state,
        "rules": len(RuleSet.from_json(entry.rules).every_rule()) if entry and entry.rules else 0,
        "since": at(entry.at_ms) if entry else None,
        "by": entry.by if entry else "",
        "origin": entry.origin if entry else (told[0][1].origin if told else ""),
        "suspended": _suspended(told),
        "workers": [
            {
                "worker": worker,
                "version": one.version,
                "state": one.state,
                "since": _exactly(one.since_ms),
                "why": one.why,
                "same": entry is None or (one.version, one.state) == (entry.version, state_of(entry)),
            }
            for worker, one in told
        ],
    }


def _suspended(told: list[tuple[str, InForce]]) -> list[dict[str, Any]]:
    """The rules that check nothing in some worker, why, and in which."""
    found: dict[tuple[str, str], list[str]] = {}
    for worker, one in told:
        for rule, reason in one.suspended.items():
            found.setdefault((rule, reason), []).append(worker)
    return [{"rule": rule, "reason": reason, "workers": workers} for (rule, reason), workers in sorted(found.items())]


def _worker(report: WorkerReport) -> dict[str, Any]:
    return {
        "worker": report.worker,
        "started": _exactly(report.started_ms),
        "heard": _exactly(report.at_ms),
        "sources": list(report.sources),
    }


def _told(reports: list[WorkerReport]) -> set[str]:
    return {table for report in reports for table in report.rules}


@click.command()
@click.argument("table")
@json_option("what was done, one after another")
def history(table: str, as_json: bool) -> None:
    """Show what was done to TABLE's rules: when, by whom, and which rules were added, removed and changed."""

    async def work(desk: RulesDesk) -> tuple[str, RuleEntry]:
        known = await desk.entries()
        return (name := named(known, table)), known[name]

    with Waiting("reading the rules"):
        name, entry = run(load_settings(), work)
    if not entry.history:
        raise ParrotError(f"nothing is known of what was done to the rules of {name}")
    if as_json:
        lines = [
            {"at": at(one.at_ms), "done": one.doing.value, "version": one.version, "by": one.by, "origin": one.origin}
            | _changes(one)
            for one in entry.history
        ]
        terminal.print_json({"table": name, "history": lines})
        return
    shown = terminal.Table("when", "what", "version", "by", "rules")
    for one in entry.history:
        parts = [f"{sign}{escape(rule)}" for sign, rules in _signs(one) for rule in rules]
        what = f"{one.doing} {one.origin}".strip()
        shown.add_row(at(one.at_ms), escape(what), one.version or "-", escape(one.by), " ".join(parts))
    terminal.result().print(shown)


def _changes(one: Happening) -> dict[str, list[str]]:
    return {"added": list(one.added), "removed": list(one.removed), "changed": list(one.changed)}


def _signs(one: Happening) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("+", one.added), ("-", one.removed), ("~", one.changed))


def _state(word: str) -> str:
    return word if word == "in force" else f"[yellow]{word}[/]"


def _exactly(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


COMMANDS = (apply, list_rules, pause, resume, remove, history)

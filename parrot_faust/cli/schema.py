"""`parrot schema`: what changes of the tables' shapes would do, have done, and wait for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from models import StoreShape, TableSchema
from parrot_faust.choices import claims_of, sink_specs, terms_of
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import Group, end, ends_with, json_option
from parrot_faust.cli.progress import Waiting
from parrot_faust.errors import ParrotError, TableRefused
from parrot_faust.schema import STORES, Claims, SchemaHistory
from parrot_faust.schema.diff import type_text
from parrot_faust.schema.history import APPROVE, REJECT, SchemaSeen, encoded, fold
from parrot_faust.schema_desk import Desk, named, run
from parrot_faust.settings import Settings, load
from parrot_faust.sinks.base import Sink
from parrot_faust.sinks.factory import build

TO_DO = 2  # the exit status of `plan` and `diff` when something is to be done, or differs
NOT_TAKEN = 3  # that of `approve` and `reject` when no worker has taken the verdict yet
WAIT_S = 15.0

_config = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="The settings file, else PARROT_CONFIG."
)
_taken_as_json = json_option("the verdict, and whether a worker has taken it")
_ends = ends_with({0: "a worker has taken it", NOT_TAKEN: "none has taken it yet"})


@click.group(cls=Group)
def schema() -> None:
    """Changes of the tables' shapes: planned, held, done."""


class StorePlan(msgspec.Struct, frozen=True):
    """What is to be done in one store. `refused` says why its table does not fit and can't be made to."""

    store: str
    target: str
    statements: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    refused: str = ""


class TablePlan(msgspec.Struct, frozen=True):
    """What is to be done for one table. `held` says why it waits, or would."""

    table: str
    held: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    stores: tuple[StorePlan, ...] = ()
    error: str = ""

    @property
    def to_do(self) -> bool:
        """Whether anything is."""
        return bool(self.held or self.error or any(each.statements or each.refused for each in self.stores))


@dataclass(slots=True)
class Whose:
    """Whose the stores' tables are, those among them that are only planned."""

    claims: Claims
    histories: dict[str, str]

    def claimed(self, table: str, shape: TableSchema, after: SchemaHistory) -> tuple[str, ...]:
        """Why rows of a shape can't go where they would; where they can, others can't from now on."""
        placed = after.placements(shape).items() if after.has(shape) else ()
        shapes = {store: place.schema for store, place in placed if place is not None}
        if not (others := self.claims.others(self.histories, table, shapes)):
            self.histories[table] = encoded(after)
        return tuple(each.told(table) for each in others)


@schema.command()
@click.argument("table", required=False)
@_config
@json_option("a list of what is to be done for each table")
@ends_with({0: "nothing is to be done", TO_DO: "something is to be done"})
def plan(table: str | None, config: Path | None, as_json: bool) -> None:
    """Show what would be done so that both stores fit the newest shapes in the topics. Changes nothing."""
    settings = load(config)
    with Waiting("reading the tables' shapes"):
        histories, shapes = run(settings, lambda desk: _state(desk, table))
    whose = Whose(claims_of(settings, sink_specs(settings)), {name: encoded(each) for name, each in histories.items()})
    with Waiting("asking the stores"), _sinks(settings) as sinks:
        plans = [_plan(settings, sinks, name, histories.get(name), shape, whose) for name, shape in shapes.items()]
    if as_json:
        terminal.print_json([msgspec.to_builtins(each) | {"to_do": each.to_do} for each in plans])
    else:
        _show_plans(plans, terminal.result())
    end(TO_DO if any(each.to_do for each in plans) else 0)


@schema.command()
@click.argument("table", required=False)
@_config
@json_option("what happened, and what is held")
def history(table: str | None, config: Path | None, as_json: bool) -> None:
    """Show what became of the shape of a TABLE, or of all, in the order it happened."""
    settings = load(config)
    with Waiting("reading the histories"):
        histories: dict[str, SchemaHistory] = run(settings, lambda desk: desk.histories())
    chosen = [named(histories, table)] if table else sorted(histories)
    events = sorted((event for name in chosen for event in histories[name].events), key=lambda event: event.at_ms)
    waiting = {name: histories[name].held for name in chosen if histories[name].held}
    if as_json:
        terminal.print_json({"events": [_event(each) for each in events], "held": msgspec.to_builtins(waiting)})
        return
    shown = terminal.Table("when", "table", "from", "what", "in", "took")
    for event in events:
        what = [f"{change.change} {change.column} {change.detail}".replace("  ", " ") for change in event.changes]
        what += event.notes
        verdict = f"{event.verdict}: " if event.verdict else ""
        shown.add_row(
            datetime.fromtimestamp(event.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            escape(event.topic),
            f"[{event.partition}] {event.offset}".replace("[", "\\[") if event.partition >= 0 else "",
            escape(verdict + "; ".join(what)),
            event.sink or "source",
            f"{event.seconds:.2f} s" if event.sink else "",
        )
    terminal.result().print(shown)
    for name, held in waiting.items():
        for each in held:
            terminal.warn(f"{name} is held since {_since(each.since_ms)}: {'; '.join(each.reasons)}")


@schema.command()
@click.argument("table")
@_config
@json_option("the columns and where they lie")
@ends_with({0: "every column has its place", TO_DO: "some have none"})
def diff(table: str, config: Path | None, as_json: bool) -> None:
    """Show the columns of a TABLE at the source, in Kudu and in HBase, as they are now."""
    settings = load(config)
    with Waiting("reading the tables' shapes"):
        histories, shapes = run(settings, lambda desk: _state(desk, table))
    ((name, shape),) = shapes.items()
    if not isinstance(shape, TableSchema):
        raise ParrotError(f"{name}: {shape or 'its topic shows no row whose shape could be told'}")
    known = histories.get(name, SchemaHistory(None, ()))
    placements = known.placements(shape)
    there: dict[str, StoreShape | None] = {}
    with Waiting("asking the stores"), _sinks(settings) as sinks:
        for store, sink in sinks.items():
            placed = placements.get(store)
            there[store] = sink.shape(placed.schema if placed else shape)
    lines = list(_lines(shape, known, there))
    if as_json:
        terminal.print_json({"table": name, "columns": lines, "stores": msgspec.to_builtins(there)})
    else:
        shown = terminal.Table("column", "source", *there)
        for line in lines:
            cells = (escape(line[store]) or "[red]none[/]" for store in there)
            shown.add_row(escape(line["column"]), line["source"] or "[dim]none[/]", *cells)
        terminal.result().print(shown)
    end(TO_DO if any(not line[store] for line in lines if line["source"] for store in there) else 0)


@schema.command()
@click.argument("table")
@_config
@_taken_as_json
@_ends
def approve(table: str, config: Path | None, as_json: bool) -> None:
    """Let the held change of a TABLE pass: as lenient, and what a store can't do is left out."""
    _verdict(table, APPROVE, config, as_json)


@schema.command()
@click.argument("table")
@_config
@_taken_as_json
@_ends
def reject(table: str, config: Path | None, as_json: bool) -> None:
    """Turn the held change of a TABLE down: its tables stay, and values without a place there are not written.

    Rows of a key that has no table become dead letters.
    """
    _verdict(table, REJECT, config, as_json)


def _verdict(text: str, word: str, config: Path | None, as_json: bool) -> None:
    async def work(desk: Desk) -> tuple[str, bool, SchemaHistory]:
        histories = await desk.histories()
        table = named(histories, text)
        if not histories[table].held:
            raise ParrotError(f"nothing of {table} is held; `parrot schema history {table}` says what became of it")
        taken = await desk.verdict(table, word, WAIT_S, int(time.time() * 1000))
        return table, taken, (await desk.histories())[table]

    with Waiting("waiting for a worker to take it"):
        table, taken, after = run(load(config), work)
    notes = after.events[-1].notes if taken and after.events else ()
    if as_json:
        terminal.print_json({"table": table, "verdict": word, "taken": taken, "notes": notes})
    elif taken:
        terminal.done(f"{table}: {'approved' if word == APPROVE else 'rejected'}; its changes go on")
        for note in notes:
            terminal.done(f"  {note}")
    else:
        terminal.warn(f"{table}: sent, and kept until a worker of {load(config).app} runs: none has taken it yet")
    end(0 if taken else NOT_TAKEN)


# -- reading --------------------------------------------------------------------------------------------------------


async def _state(desk: Desk, table: str | None) -> tuple[dict[str, SchemaHistory], dict[str, Any]]:
    histories = await desk.histories()
    shapes = await desk.shapes(lambda topic: table is None or topic == table or topic.endswith(f".{table}"))
    if table is not None:
        name = named(shapes or histories, table)
        shapes = {name: shapes.get(name)}
    return histories, shapes


@contextmanager
def _sinks(settings: Settings) -> Iterator[dict[str, Sink]]:
    sinks = {spec.kind: build(spec) for spec in sink_specs(settings)}
    opened = []
    try:
        for sink in sinks.values():
            sink.open()
            opened.append(sink)
        yield sinks
    finally:
        for sink in opened:
            sink.close()


def _plan(
    settings: Settings, sinks: dict[str, Sink], table: str, known: SchemaHistory | None, shape: Any, whose: Whose
) -> TablePlan:
    """Decide as the worker would, and ask each store what its table lacks."""
    if not isinstance(shape, TableSchema):
        return TablePlan(table, error=str(shape) if shape else "")
    terms = terms_of(settings, sinks)
    event = SchemaSeen(shape, table, -1, -1, "", (), int(time.time() * 1000))
    after = fold(known or SchemaHistory(None, ()), event, terms)
    if after.held:
        return TablePlan(
            table,
            held=tuple(reason for each in after.held for reason in each.reasons),
            notes=tuple(f"when approved: {note}" for each in after.held for note in each.notes),
        )
    if claimed := whose.claimed(table, shape, after):
        return TablePlan(table, held=claimed)
    settled = settings.tables.get(table)
    chosen = (settled.sinks if settled else ()) or tuple(sinks)
    stores = tuple(_in_store(name, sinks[name], shape, after) for name in chosen)
    new = after.events[len(known.events) if known else 0 :]
    return TablePlan(table, notes=tuple(note for each in new for note in each.notes), stores=stores)


def _in_store(name: str, sink: Sink, shape: TableSchema, after: SchemaHistory) -> StorePlan:
    placed = after.placements(shape).get(name)
    if placed is None:
        return StorePlan(name, "", refused=f"the key ({', '.join(shape.key)}) was turned down: dead letters")
    try:
        planned = sink.plan(placed.schema)
    except TableRefused as error:
        return StorePlan(name, "", (), placed.left_out, str(error))
    target = planned[0].target if planned else ""
    return StorePlan(name, target, tuple(each.statement for each in planned), placed.left_out)


def _lines(shape: TableSchema, known: SchemaHistory, there: dict[str, StoreShape | None]) -> Iterator[dict[str, str]]:
    """Each column of the source, and of the stores' alone, with where it lies."""
    places: dict[str, dict[str, list[str]]] = {}
    for store, found in there.items():
        names = dict(found.columns) if found else {}
        layout = known.layouts.get(store)
        generation = layout.find(STORES[store], shape) if layout else None
        claimed = set()
        for each in generation.columns if generation else ():
            kind = names.get(each.name)
            if found is None or (kind is None and store == "kudu"):
                continue
            claimed.add(each.name)
            text = f"{each.name} {kind or STORES[store].type_of(each.column)}"
            places.setdefault(each.column.name, {}).setdefault(store, []).append(text)
        for name, kind in names.items():
            if name not in claimed:
                places.setdefault(name, {}).setdefault(store, []).append(f"{name} {kind}".strip())
    source = {column.name: type_text(column) for column in shape.columns}
    for name in (*source, *(name for name in places if name not in source)):
        line = {"column": name, "source": source.get(name, "")}
        yield line | {store: ", ".join(places.get(name, {}).get(store, [])) for store in there}


# -- showing --------------------------------------------------------------------------------------------------------


def _show_plans(plans: list[TablePlan], console: Console) -> None:
    for each in plans:
        if not (each.to_do or each.notes):
            continue
        console.print(f"[bold]{escape(each.table)}[/]")
        if each.error:
            console.print(f"  [red]{escape(each.error)}[/]")
        for reason in each.held:
            console.print(f"  [yellow]held[/] {escape(reason)}")
        for store in each.stores:
            for statement in store.statements:
                console.print(f"  [cyan]{store.store}[/] {escape(statement)}", soft_wrap=True)
            if store.refused:
                console.print(f"  [cyan]{store.store}[/] [red]{escape(store.refused)}[/]", soft_wrap=True)
        for note in each.notes:
            console.print(f"  [dim]{escape(note)}[/]", soft_wrap=True)
    if not any(each.to_do for each in plans):
        console.print(f"nothing to do: {len(plans)} tables fit")


def _event(event: SchemaSeen) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(event)
    plain["changes"] = [
        {"change": change.change, "column": change.column, "detail": change.detail} for change in event.changes
    ]
    del plain["schema"]
    return plain


def _since(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

"""`parrot rules backtest` and `suggest`: what rules would do to events that have been, and rules made of such."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
import msgspec
from aiokafka.errors import KafkaError
from rich.markup import escape

from models import TableSchema
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.cli.letter_tables import at
from parrot_faust.cli.progress import Bar
from parrot_faust.cli.rule_files import text_of
from parrot_faust.cli.span import span_options
from parrot_faust.errors import BrokerUnavailable, ParrotError, RuleError, TableRefused
from parrot_faust.masking import Masking
from parrot_faust.quality import RuleSet, load
from parrot_faust.quality.profile import Profile
from parrot_faust.quality.suggestion import suggestion
from parrot_faust.quality.trial import RuleTrial, Shown, Trial, as_they_are, view
from parrot_faust.recent import Recent, Span, reading
from parrot_faust.rules_desk import RulesDesk, state_of
from parrot_faust.schema_desk import named
from parrot_faust.settings import Settings, masking_of
from parrot_faust.settings import load as load_settings

BROKEN = 2  # the exit status for a file that is no rule file
_BLIND = "(not shown: its masks do not fit the table)"


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@span_options
@json_option("what each rule would have done")
@ends_with({BROKEN: "FILE is broken"})
def backtest(file: Path, span: Span, as_json: bool) -> None:
    """Say what the rules of FILE would have done to events that are in the table's topic, beside those in force.

    Nothing is written anywhere, and no consumer group takes part.
    """
    try:
        rules = load(text_of(file), str(file))
    except RuleError as error:
        for one in (error, *error.also):
            terminal.refuse(str(one))
        end(BROKEN)
    report = asyncio.run(_backtest(load_settings(), rules, span))
    if as_json:
        terminal.print_json(report)
    else:
        _show(report)


async def _backtest(settings: Settings, rules: RuleSet, span: Span) -> dict[str, Any]:
    state, active = await _in_force(settings, rules.table)
    masking = masking_of(settings)
    masked = frozenset(masking.columns(rules.table))
    shown = _shown(masking) if masked else as_they_are
    trial = Trial(rules, active, shown, time.perf_counter, masked, masking.secret)
    bar, began_ms = Bar(rules.table), int(time.time() * 1000)
    firsts: dict[int, int] = {}
    try:
        async with reading(settings) as recent, aclosing(recent.runs(rules.table, span, bar)) as runs:
            async for run in runs:
                for segment in run.decoded.segments:
                    changes = segment.changes
                    times = [one.time_us // 1000 or run.records[one.index].timestamp for one in changes]
                    firsts.setdefault(run.partition, times[0])
                    trial.take(segment.schema, changes, times, (rules.table, run.partition))
    finally:
        bar.close()
    whole = span.since_ms is None and span.last is None
    cut_ms = 0 if whole or not firsts else max(firsts.values())
    return _report(trial, trial.results(began_ms, cut_ms), recent, state)


async def _in_force(settings: Settings, table: str) -> tuple[str, RuleSet | None]:
    """How things stand with a table's rules, by the workers' table, and the set that they judge by."""
    try:
        async with RulesDesk(settings) as desk:
            entry = (await desk.entries()).get(table)
        state = state_of(entry) if entry else "none"
        return state, RuleSet.from_json(entry.rules) if entry and state == "in force" else None
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(settings.brokers, error) from error
    except ValueError as error:
        raise ParrotError(f"the rules in force can't be read: {error}") from None


def _shown(masking: Masking) -> Callable[[TableSchema], Shown]:
    def shown(schema: TableSchema) -> Shown:
        try:
            mask = masking.of(schema)
        except TableRefused:
            return Shown(
                lambda change: msgspec.structs.replace(change, key=(_BLIND,) * len(change.key)),
                lambda failures: tuple(msgspec.structs.replace(f, value=_BLIND, reason=_BLIND) for f in failures),
            )
        return Shown(mask.change, mask.failures) if mask else as_they_are(schema)

    return shown


def _report(trial: Trial, results: list[RuleTrial], recent: Recent, state: str) -> dict[str, Any]:
    return {
        "table": trial.rules.table,
        "version": trial.rules.version,
        "now": {"version": trial.active.version if trial.active else None, "state": state},
        "events": trial.changes,
        "partitions": recent.partitions,
        "undecodable": dict(recent.undecodable),
        "first_at": at(recent.first_ms) if recent.first_ms else None,
        "last_at": at(recent.last_ms) if recent.last_ms else None,
        "rows": msgspec.to_builtins(trial.outcome),
        "windows_left_out": trial.windows_left_out(),
        "rules": [view(one) for one in results],
    }


def _show(report: dict[str, Any]) -> None:
    console, now, rows = terminal.result(), report["now"], report["rows"]
    against = f"the rules in force ({now['version']})" if now["version"] else f"no rules ({_WHY[now['state']]})"
    when = f", from {report['first_at']} to {report['last_at']}" if report["events"] else ""
    console.print(
        f"{escape(report['table'])}: {report['events']:,} events of {report['partitions']} partitions{when}\n"
        f"version {report['version']} against {against}; nothing was written",
        soft_wrap=True,
    )
    for error, count in report["undecodable"].items():
        console.print(
            f"[yellow]{count:,} records could not be decoded ({error}): no rule was asked about them[/]", soft_wrap=True
        )
    if left := report["windows_left_out"]:
        console.print(
            f"[yellow]{left:,} windows were too many values to keep: the oldest are not judged[/]", soft_wrap=True
        )
    shown = terminal.Table("rule", "would fail", "of", "share", "now", "change", "action", "µs/event")
    for column in shown.columns[1:6] + shown.columns[7:]:
        column.justify = "right"
    for one in report["rules"]:
        shown.add_row(*_cells(one))
    if report["rules"]:
        console.print(shown)
    for one in report["rules"]:
        if one["suspended"]:
            console.print(
                f"[yellow]{escape(one['rule'])} would be suspended: {escape(one['suspended'])}[/]", soft_wrap=True
            )
        for sample in one["samples"]:
            where = f"{sample['address']} {sample['key']}"
            console.print(
                f"  {escape(one['rule'])}: [dim]{escape(where)}:[/] {escape(sample['reason'])}", soft_wrap=True
            )
    console.print(
        f"{rows['held']:,} rows would be held back, {rows['held_now']:,} are by what is in force: "
        f"{rows['newly_held']:,} only then, {rows['let_through']:,} only now",
        soft_wrap=True,
    )


_WHY = {"none": "none are in force", "paused": "they are paused", "removed": "they were removed"}
_UNIT = {"rows": "", "windows": " windows", "shape": " shape"}


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    gone = one["action"] == "gone"
    change = "new" if one["now"] is None else f"{one['change']:+,}" if one["change"] else "="
    return (
        escape(one["rule"]),
        "-" if gone else f"{one['failed']:,}",
        f"{one['of']:,}{_UNIT[one['judges']]}",
        "-" if gone else f"{one['share']:.2%}",
        "-" if one["now"] is None else f"{one['now']:,}",
        change,
        one["action"] if one["judges"] == "rows" or gone else "tells",
        "-" if one["us"] is None else f"{one['us']:.2f}",
    )


# -- suggest ---------------------------------------------------------------------------------------------------------


@click.command()
@click.argument("table")
@span_options
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="A new file to write; else it is printed.")
@json_option("the table, its rule file, and where it was written")
def suggest(table: str, span: Span, to: Path | None, as_json: bool) -> None:
    """Propose a rule file for TABLE (a source topic, or the end of its name) from events that are in its topic.

    It holds for all events that were read, and shows no value of a masked column.
    """
    if to is not None and to.exists():
        raise RuleError("is there already, and is not written over", file=str(to))
    text = asyncio.run(_suggest(load_settings(), table, span))
    if to is not None:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(text, encoding="utf-8")
    rules = load(text, str(to or "proposal"))
    if as_json:
        terminal.print_json({"table": rules.table, "rules": text, "to": str(to) if to else None})
    elif to is None:
        click.echo(text, nl=False)
    else:
        terminal.done(
            f"✓ {to}: {rules.table}, {len(rules.every_rule())} rules; `parrot rules backtest {to}` tries them"
        )


async def _suggest(settings: Settings, wanted: str, span: Span) -> str:
    profile, bar = Profile(), Bar(wanted)
    try:
        async with reading(settings) as recent:
            table = named(await recent.topics(), wanted)
            async with aclosing(recent.runs(table, span, bar)) as runs:
                async for run in runs:
                    for segment in run.decoded.segments:
                        profile.take(segment.schema, segment.changes)
    finally:
        bar.close()
    for error, count in recent.undecodable.items():
        terminal.warn(f"{count:,} records could not be decoded ({error}) and tell nothing")
    mask = settings.tables[table].mask if table in settings.tables else {}
    seen = f"{at(recent.first_ms)} to {at(recent.last_ms)} UTC" if recent.first_ms else ""
    try:
        return suggestion(table, profile, frozenset(mask), seen)
    except ValueError as error:
        raise ParrotError(f"{table}: {error}") from None


COMMANDS = (backtest, suggest)

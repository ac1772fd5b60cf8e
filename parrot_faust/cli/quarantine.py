"""`parrot quarantine`: rows that rules have held back, and letting them through once that is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from models import Edit
from parrot_faust.cli import letter_work
from parrot_faust.cli.conventions import Group, ends_with, json_option
from parrot_faust.cli.letter_session import PATIENCE_S, Choice, place_of
from parrot_faust.letters.kept import Wanted, moment
from parrot_faust.rules_desk import who


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which rows are chosen; the command gets a `Choice`."""

    @click.argument("places", metavar="[TOPIC/PARTITION/OFFSET]...", nargs=-1)
    @click.option(
        "--table", "tables", multiple=True, help="Of this table: its topic or the end of its name, or both with *."
    )
    @click.option("--rule", "rules", multiple=True, help="Held by this rule, such as status.be_in_set; * is allowed.")
    @click.option("--since", metavar="SPAN|TIME", help="Filed since then: 10m, 2h, 3d, or an ISO time (UTC).")
    @click.option("--key", "keys", multiple=True, help="Of this row: its key's text, or its values joined with |.")
    @wraps(command)
    def with_choice(
        places: Sequence[str],
        tables: Sequence[str],
        rules: Sequence[str],
        since: str | None,
        keys: Sequence[str],
        **options: Any,
    ) -> Any:
        wanted = Wanted(
            topics=[pattern for table in tables for pattern in (table, f"*.{table}")],
            since_ms=moment(since, datetime.now(UTC)) if since else 0,
            keys=keys,
            places=[place_of(text) for text in places],
            rules=rules,
        )
        return command(choice=Choice(wanted, quarantine=True), **options)

    return with_choice


_LEFT = {1: "some have failed again, or are still open or on their way; or not done"}
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group(cls=Group)
def quarantine() -> None:
    """List, show, let through or throw away rows that rules have held back.

    Every filter may be given several times; a row is chosen when each filter matches. Settings are taken from
    parrot.yaml, or from where PARROT_CONFIG points; the workers may be anywhere.
    """


@quarantine.command("list")
@_filters
@click.option("--each", is_flag=True, help="Show every row by itself.")
@click.option("--all", "everything", is_flag=True, help="Also those that are done with.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Rows that --each shows.")
@json_option("counts and groups; with --each also the rows")
def list_rows(choice: Choice, each: bool, everything: bool, limit: int, as_json: bool) -> None:
    """Count the rows that are held, by table, rules and state."""
    letter_work.list_letters(choice, each=each, everything=everything, limit=limit, as_json=as_json)


@quarantine.command()
@_filters
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True, help="Rows to show.")
@json_option("the rows")
def show(choice: Choice, limit: int, as_json: bool) -> None:
    """Show rows: where each comes from, which rules hold it and why, and the record's head, masked as `mask:` says."""
    letter_work.show_letters(choice, limit=limit, as_json=as_json)


@quarantine.command()
@_filters
@click.option("--set", "--edit", "values", metavar="COLUMN=VALUE", multiple=True, help="Put this value into the row.")
@click.option("--set-null", "nulls", metavar="COLUMN", multiple=True, help="Put null into the row.")
@_dry_run
@_yes
@click.option("--patience", default=PATIENCE_S, show_default=True, help="Seconds to wait while nothing is answered.")
@json_option("what became of each row")
@ends_with(_LEFT)
def redrive(
    choice: Choice,
    values: Sequence[str],
    nulls: Sequence[str],
    dry_run: bool,
    yes: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Judge rows again by the rules in force, and send on what passes, in the order of their keys.

    A row that a newer change of its key has replaced, or deleted, is not applied. With --set a value is corrected on
    the way; who did so, and when, is kept with the row.
    """
    edit = _edit(values, nulls)
    letter_work.send_again(choice, dry_run=dry_run, patience=patience, as_json=as_json, edit=edit, yes=yes)


@quarantine.command()
@_filters
@click.option("--replaced", is_flag=True, help="Only rows that a newer change of their key has replaced or deleted.")
@_dry_run
@_yes
@json_option("how many, and what is open before and after")
def discard(choice: Choice, replaced: bool, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Say of rows that nothing is to be done about them. Their records stay in the quarantine topic."""
    letter_work.discard_letters(choice, dry_run=dry_run, yes=yes, as_json=as_json, replaced=replaced)


def _edit(values: Sequence[str], nulls: Sequence[str]) -> Edit | None:
    given: dict[str, str | None] = {}
    for text in values:
        name, sign, value = text.partition("=")
        if not name or not sign:
            raise click.BadParameter(f"{text!r} is not written COLUMN=VALUE", param_hint="--set")
        given[name] = value
    for name in nulls:
        given[name] = None
    return Edit(given, who(), int(time.time() * 1000)) if given else None

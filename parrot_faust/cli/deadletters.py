"""`parrot deadletters`: what could not be applied, why, and sending it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from parrot_faust.cli import letter_work
from parrot_faust.cli.conventions import Group, ends_with, json_option
from parrot_faust.cli.letter_session import PATIENCE_S, Choice, place_of
from parrot_faust.letters.kept import Wanted, moment


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which letters are chosen; the command gets a `Choice`."""

    @click.argument("places", metavar="[TOPIC/PARTITION/OFFSET]...", nargs=-1)
    @click.option("--topic", "topics", multiple=True, help="Of this source topic; wildcards are allowed.")
    @click.option("--reason", "reasons", multiple=True, help="With this class of error, such as DecodeError.")
    @click.option("--since", metavar="SPAN|TIME", help="Filed since then: 10m, 2h, 3d, or an ISO time (UTC).")
    @click.option("--key", "keys", multiple=True, help="Of this row: its key's text, or its values joined with |.")
    @click.option("--quarantine", is_flag=True, help="What rules have held back, instead of dead letters.")
    @wraps(command)
    def with_choice(
        places: Sequence[str],
        topics: Sequence[str],
        reasons: Sequence[str],
        since: str | None,
        keys: Sequence[str],
        quarantine: bool,
        **options: Any,
    ) -> Any:
        wanted = Wanted(
            topics=topics,
            reasons=reasons,
            since_ms=moment(since, datetime.now(UTC)) if since else 0,
            keys=keys,
            places=[place_of(text) for text in places],
        )
        return command(choice=Choice(wanted, quarantine), **options)

    return with_choice


_LEFT = {1: "some have failed again, or are still open or on their way; or not done"}
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.group(cls=Group)
def deadletters() -> None:
    """List, show, send again or throw away what could not be applied.

    Every filter may be given several times; a letter is chosen when each filter matches. Settings are taken from
    parrot.yaml, or from where PARROT_CONFIG points; the workers may be anywhere.
    """


@deadletters.command("list")
@_filters
@click.option("--each", is_flag=True, help="Show every letter by itself.")
@click.option("--all", "everything", is_flag=True, help="Also those that are done with.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Letters that --each shows.")
@json_option("counts and groups; with --each also the letters")
def list_letters(choice: Choice, each: bool, everything: bool, limit: int, as_json: bool) -> None:
    """Count the letters that are open, by topic, reason, stage and sink."""
    letter_work.list_letters(choice, each=each, everything=everything, limit=limit, as_json=as_json)


@deadletters.command()
@_filters
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True, help="Letters to show.")
@json_option("the letters")
def show(choice: Choice, limit: int, as_json: bool) -> None:
    """Show letters: where each comes from, why it is held, and the head of the record."""
    letter_work.show_letters(choice, limit=limit, as_json=as_json)


@deadletters.command()
@_filters
@_dry_run
@click.option("--patience", default=PATIENCE_S, show_default=True, help="Seconds to wait while nothing is answered.")
@json_option("what became of each letter")
@ends_with(_LEFT)
def replay(choice: Choice, dry_run: bool, patience: float, as_json: bool) -> None:
    """Send letters through decode, rules and schema again, in the order of their keys.

    A letter that a newer record of its key has replaced is not applied.
    """
    letter_work.send_again(choice, dry_run=dry_run, patience=patience, as_json=as_json)


@deadletters.command()
@_filters
@_dry_run
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option("how many, and what is open before and after")
def discard(choice: Choice, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Say of letters that nothing is to be done about them. Their records stay in the dead-letter topic."""
    letter_work.discard_letters(choice, dry_run=dry_run, yes=yes, as_json=as_json)

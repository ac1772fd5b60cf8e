"""`parrot deadletters`: what could not be applied, why, and sending it again."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import uuid4

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models import Fate, Place, Resolution
from parrot_faust.cli.letter_tables import group_table, letter_table, letter_view, outcome_table, print_json, shown
from parrot_faust.errors import LetterError
from parrot_faust.letters.box import Box, opened
from parrot_faust.letters.kept import Kept, Wanted, counts, groups, key_texts, moment, restanding
from parrot_faust.letters.keys import Keys
from parrot_faust.letters.planning import plan
from parrot_faust.letters.sending import redrive
from parrot_faust.masking import Masking
from parrot_faust.registry import registry_of
from parrot_faust.settings import Settings, load

PATIENCE_S = 60.0
ERRORS_PAGE = "docs/errors.md"


@dataclass(frozen=True, slots=True)
class Choice:
    """The filters of a command line."""

    wanted: Wanted
    quarantine: bool


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
            places=[_place(text) for text in places],
        )
        return command(choice=Choice(wanted, quarantine), **options)

    return with_choice


_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@click.group()
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
@_as_json
def list_letters(choice: Choice, each: bool, everything: bool, limit: int, as_json: bool) -> None:
    """Count the letters that are open, by topic, reason, stage and sink."""

    async def run(box: Box, session: _Session) -> None:
        chosen = [kept for kept in await session.chosen(box) if everything or not kept.standing.closed]
        made = groups(chosen)
        if as_json:
            listed = {"letters": [session.view(kept) for kept in chosen]} if each else {}
            print_json({"counts": counts(chosen), "groups": [group_view(group) for group in made], **listed})
            return
        console = Console()
        if not chosen:
            console.print("no dead letters" if choice.wanted.everything else "no dead letters match")
            return
        if each:
            console.print(letter_table([(kept, session.key_text(kept)) for kept in chosen[:limit]]))
            if len(chosen) > limit:
                console.print(f"[dim]{len(chosen) - limit:,} more; --limit shows more of them[/]")
        else:
            console.print(group_table(made))
        console.print(f"[dim]{_counted(chosen)}; what each reason means is in {ERRORS_PAGE}[/]")

    _run(choice, run)


@deadletters.command()
@_filters
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True, help="Letters to show.")
@_as_json
def show(choice: Choice, limit: int, as_json: bool) -> None:
    """Show letters: where each comes from, why it is held, and the head of the record."""

    async def run(box: Box, session: _Session) -> None:
        chosen = await session.chosen(box)
        if not chosen:
            raise LetterError("no dead letter matches; `parrot deadletters list --all --each` shows what there is")
        if as_json:
            print_json({"letters": [session.view(kept, head=True) for kept in chosen]})
            return
        console = Console()
        for kept in chosen[:limit]:
            console.print(letter_view(kept, session.key_text(kept), session.head(kept)))
        if len(chosen) > limit:
            console.print(f"[dim]{len(chosen) - limit:,} more; choose by filters, or --limit[/]")

    _run(choice, run)


@deadletters.command()
@_filters
@_dry_run
@click.option("--patience", default=PATIENCE_S, show_default=True, help="Seconds to wait while nothing is answered.")
@_as_json
def replay(choice: Choice, dry_run: bool, patience: float, as_json: bool) -> None:
    """Send letters through decode, rules and schema again, in the order of their keys.

    A letter that a newer record of its key has replaced is not applied. Ends with 0 when all are done with, with 1 when
    some have failed again or are still open or on their way.
    """

    async def run(box: Box, session: _Session) -> None:
        chosen = [kept for kept in await session.chosen(box) if not kept.standing.closed]
        other = await box.letters(quarantine=not choice.quarantine, progress=session.progress)
        held = [kept for kept in (*session.all, *other) if not kept.standing.closed]
        before = counts(session.all)
        if dry_run:
            made = await plan(box, chosen, held, uuid4().hex, session.progress)
            for resolution in made.decided:
                box.resolutions.add(resolution)
            after = restanding(chosen, box.resolutions)
            session.close()
            _report_plan(after, len(made.asked), before, as_json)
            return
        await redrive(box, chosen, held, patience_s=patience, progress=session.progress, answered=session.answered)
        session.close()
        _report(restanding(chosen, box.resolutions), before, counts(restanding(session.all, box.resolutions)), as_json)

    _run(choice, run)


@deadletters.command()
@_filters
@_dry_run
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
def discard(choice: Choice, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Say of letters that nothing is to be done about them. Their records stay in the dead-letter topic."""

    async def run(box: Box, session: _Session) -> None:
        chosen = [kept for kept in await session.chosen(box) if not kept.standing.closed]
        before = counts(session.all)
        session.close()
        if not (dry_run or yes or not chosen):
            click.confirm(f"throw away {len(chosen):,} dead letters?", abort=True, err=True)
        resolutions = [Resolution(kept.filing.place, Fate.DISCARDED, uuid4().hex) for kept in chosen]
        if dry_run:
            for resolution in resolutions:
                box.resolutions.add(resolution)
        elif resolutions:
            await box.write(resolutions)
        after = counts(restanding(session.all, box.resolutions))
        if as_json:
            print_json({"dry_run": dry_run, "discarded": len(chosen), "before": before, "after": after})
            return
        word = "would be thrown away" if dry_run else "thrown away"
        Console().print(f"{len(chosen):,} dead letters {word}; open before {before['open']:,}, after {after['open']:,}")

    _run(choice, run)


# -- what the commands share -----------------------------------------------------------------------------------------


class _Session:
    """What one command reads and shows on the way."""

    def __init__(self, settings: Settings, choice: Choice) -> None:
        self._choice = choice
        self._registry = registry_of(settings.source)
        self._masking = Masking({name: table.mask for name, table in settings.tables.items()}, settings.masking.key)
        self._keys = Keys()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, Any] = {}
        self.all: list[Kept] = []

    async def chosen(self, box: Box) -> list[Kept]:
        """The letters that the filters match."""
        self._bar.start()
        self.all = await box.letters(quarantine=self._choice.quarantine, progress=self.progress)
        problem = await self._keys.learn((kept.letter.key for kept in self.all), self._registry)
        if problem and self._choice.wanted.keys:
            raise LetterError(f"--key can't be looked for: {problem}")
        return [kept for kept in self.all if self._choice.wanted.matches(kept, self._texts)]

    def progress(self, what: str, done: int, of: int) -> None:
        """Show how far a long reading is."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=of)
        self._bar.update(self._tasks[what], completed=done, total=of)

    def answered(self, done: int, of: int) -> None:
        """Show how many letters are answered."""
        self.progress("answered by the workers", done, of)

    def close(self) -> None:
        """Show no more progress."""
        self._bar.stop()

    async def end(self) -> None:
        """Let go of everything."""
        self.close()
        if self._registry is not None:
            await self._registry.close()

    def key_text(self, kept: Kept) -> str:
        """A letter's key for people."""
        found = None if self._hidden(kept) else self._keys.read(kept.letter.key)
        if found is not None:
            return "|".join(str(value) for value in found.values())
        return "" if kept.letter.key is None or self._hidden(kept) else shown(kept.letter.key, 60)

    def head(self, kept: Kept) -> str:
        """The head of the record for people."""
        if self._hidden(kept):
            return "(not shown: the table has masked columns, and this letter is from before it had)"
        return shown(kept.letter.value, None)

    def view(self, kept: Kept, *, head: bool = False) -> dict[str, Any]:
        """A letter as plain data."""
        letter = kept.letter
        return {
            "address": str(kept.source),
            "kept_at": str(kept.filing.place),
            "state": kept.state,
            "reason": kept.reason,
            "message": kept.message,
            "stage": letter.stage.value,
            "sink": letter.sink,
            "rule": letter.rule,
            "rules_version": letter.rules_version,
            "key": None if self._hidden(kept) else self._keys.read(letter.key) or self.key_text(kept),
            "bytes": kept.filing.size,
            "truncated": {part.part: {"bytes": part.size, "sha256": part.sha256} for part in letter.cut},
            "masked": list(letter.masked),
            "withheld": letter.withheld,
            "filed": kept.times,
            "first_at": stamp(kept.first_ms),
            "last_at": stamp(kept.filing.at_ms),
            "waiting_for": list(kept.standing.waiting),
            **({"head": self.head(kept)} if head else {}),
        }

    def _hidden(self, kept: Kept) -> bool:
        letter = kept.letter
        return letter.topic in self._masking and not (letter.masked or letter.withheld)

    def _texts(self, kept: Kept) -> set[str]:
        return key_texts(self._keys.read(kept.letter.key), kept.letter.key)


def _run(choice: Choice, command: Callable[[Box, _Session], Awaitable[None]]) -> None:
    settings = load()

    async def run() -> None:
        session = _Session(settings, choice)
        try:
            async with opened(settings) as box:
                await command(box, session)
        finally:
            await session.end()

    made: Coroutine[Any, Any, None] = run()
    asyncio.run(made)


def _place(text: str) -> Place:
    try:
        return Place.of(text)
    except ValueError:
        raise LetterError(f"{text!r} is no address: write TOPIC/PARTITION/OFFSET, as the list shows it") from None


def stamp(at_ms: int) -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def group_view(group: Any) -> dict[str, Any]:
    """A group as plain data."""
    return {
        "topic": group.topic,
        "reason": group.reason,
        "stage": group.stage,
        "sink": group.sink,
        "state": group.state,
        "count": group.count,
        "first_at": stamp(group.first_ms),
        "last_at": stamp(group.last_ms),
    }


def _counted(letters: Iterable[Kept]) -> str:
    made = counts(letters)
    return ", ".join(f"{count:,} {word}" for word, count in made.items() if count) or "none"


def _report_plan(after: Sequence[Kept], asked: int, before: dict[str, int], as_json: bool) -> None:
    decided = Counter(kept.state for kept in after if kept.standing.fate and kept.standing.fate is not Fate.FORWARDED)
    outcomes = {"would be sent": asked, **{word: count for word, count in decided.items() if count}}
    if as_json:
        print_json({"dry_run": True, "chosen": len(after), "outcomes": outcomes, "before": before})
        return
    Console().print(outcome_table(outcomes, []))
    Console().print(f"[dim]open before {before['open']:,}; nothing was done[/]")


def _report(after: Sequence[Kept], before: dict[str, int], now: dict[str, int], as_json: bool) -> None:
    outcomes = Counter(kept.state for kept in after)
    left = [kept for kept in after if not kept.standing.closed]
    if as_json:
        view = [
            {
                "address": str(kept.source),
                "sink": kept.letter.sink,
                "outcome": kept.state,
                "reason": "" if kept.standing.closed else kept.reason,
                "message": kept.standing.message,
                "waiting_for": list(kept.standing.waiting),
            }
            for kept in after
        ]
        print_json({"chosen": len(after), "outcomes": outcomes, "before": before, "after": now, "letters": view})
    else:
        console = Console()
        console.print(outcome_table(outcomes, left))
        if untaken := sum(kept.standing.fate is None for kept in left):
            console.print(f"[yellow]{untaken:,} were taken by no worker: does one of this app run, with this topic?[/]")
        console.print(
            f"open before {before['open']:,}, after {now['open']:,}"
            + (f"; {now['forwarded']:,} on their way to a sink that has not answered" if now["forwarded"] else "")
        )
    if left:
        sys.exit(1)

"""What commands about letters share: choosing, showing, asking the workers, and saying what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models import Edit, Fate, Place
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end
from parrot_faust.cli.letter_tables import outcome_table, shown
from parrot_faust.cli.progress import counting
from parrot_faust.errors import LetterError
from parrot_faust.letters.box import Box, opened
from parrot_faust.letters.kept import Kept, Wanted, counts, key_texts
from parrot_faust.letters.keys import Keys
from parrot_faust.registry import registry_of
from parrot_faust.settings import Settings, load, masking_of

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The filters of a command line."""

    wanted: Wanted
    quarantine: bool

    @property
    def noun(self) -> str:
        """What the letters are called."""
        return "quarantined rows" if self.quarantine else "dead letters"


class Session:
    """What one command reads and shows on the way."""

    def __init__(self, settings: Settings, choice: Choice) -> None:
        self._choice, self._settings = choice, settings
        self._registry = registry_of(settings.source)
        self._masking = masking_of(settings)
        self._keys = Keys()
        self._bar = counting()
        self._tasks: dict[str, Any] = {}
        self.all: list[Kept] = []

    async def chosen(self, box: Box) -> list[Kept]:
        """The letters that the filters match."""
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

    def refuse_masked(self, chosen: Iterable[Kept], edit: Edit) -> None:
        """Raise LetterError where a value would be seen in a topic that a mask hides."""
        for topic in sorted({kept.letter.topic for kept in chosen}):
            table = self._settings.tables.get(topic)
            if hidden := sorted(edit.values.keys() & (table.mask if table else {}).keys()):
                raise LetterError(f"{', '.join(hidden)} of {topic} is masked: correct it at the source")

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
            "edited": edit_view(kept.standing.edit),
            **({"head": self.head(kept)} if head else {}),
        }

    def _hidden(self, kept: Kept) -> bool:
        letter = kept.letter
        return letter.topic in self._masking and not (letter.masked or letter.withheld)

    def _texts(self, kept: Kept) -> set[str]:
        return key_texts(self._keys.read(kept.letter.key), kept.letter.key)


def run_with(choice: Choice, command: Callable[[Box, Session], Awaitable[None]]) -> None:
    """Do a command with the box of the settings' app."""
    settings = load()

    async def run() -> None:
        session = Session(settings, choice)
        try:
            async with opened(settings) as box:
                await command(box, session)
        finally:
            await session.end()

    made: Coroutine[Any, Any, None] = run()
    asyncio.run(made)


def place_of(text: str) -> Place:
    """Read an address. Raise LetterError for what is none."""
    try:
        return Place.of(text)
    except ValueError:
        raise LetterError(f"{text!r} is no address: write TOPIC/PARTITION/OFFSET, as the list shows it") from None


def stamp(at_ms: int) -> str:
    """A time in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")


def edit_view(edit: Edit | None) -> dict[str, Any] | None:
    """The values that a person has put in, as plain data."""
    return None if edit is None else {"values": edit.values, "by": edit.by, "at": stamp(edit.at_ms)}


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


def counted(letters: Iterable[Kept]) -> str:
    """How many letters are open, on their way and done with, in words."""
    made = counts(letters)
    return ", ".join(f"{count:,} {word}" for word, count in made.items() if count) or "none"


def report_plan(after: Sequence[Kept], asked: int, before: dict[str, int], as_json: bool) -> None:
    """Say what would be done."""
    decided = Counter(kept.state for kept in after if kept.standing.fate and kept.standing.fate is not Fate.FORWARDED)
    outcomes = {"would be sent": asked, **{word: count for word, count in decided.items() if count}}
    if as_json:
        terminal.print_json({"dry_run": True, "chosen": len(after), "outcomes": outcomes, "before": before})
        return
    terminal.result().print(outcome_table(outcomes, []))
    terminal.remark(f"open before {before['open']:,}; nothing was done")


def report(after: Sequence[Kept], before: dict[str, int], now: dict[str, int], as_json: bool) -> None:
    """Say what became of letters; end with status 1 where some are left."""
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
                "edited": edit_view(kept.standing.edit),
            }
            for kept in after
        ]
        terminal.print_json(
            {"chosen": len(after), "outcomes": outcomes, "before": before, "after": now, "letters": view}
        )
    else:
        console = terminal.result()
        console.print(outcome_table(outcomes, left))
        if untaken := sum(kept.standing.fate is None for kept in left):
            terminal.warn(f"{untaken:,} were taken by no worker: does one of this app run, with this topic?")
        console.print(
            f"open before {before['open']:,}, after {now['open']:,}"
            + (f"; {now['forwarded']:,} on their way to a sink that has not answered" if now["forwarded"] else "")
        )
    if left:
        end(1)

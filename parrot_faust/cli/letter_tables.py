"""How dead letters look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group as Stack
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table as RichTable
from rich.text import Text

from models import Edit
from parrot_faust.cli.terminal import Table
from parrot_faust.letters.kept import SHOWN_BYTES, Group, Kept

HEX_BYTES = 256  # of what is no text
LEFT_SHOWN = 20  # letters that stay open are named up to so many
_STYLES = {"open": "red", "failed": "red", "forwarded": "yellow", "applied": "green"}


def at(at_ms: int) -> str:
    """A time in UTC, to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def shown(data: bytes | None, limit: int | None) -> str:
    """Bytes for people: as text where they are text, else in hexadecimal."""
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        # A head may end within a character.
        text = data[: error.start].decode() if error.start >= len(data) - 3 else ""
    if not text.isprintable() and not text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
        text = ""
    if not text and data:
        hexed = data[:HEX_BYTES].hex(" ")
        text = f"0x {hexed}" + (" …" if len(data) > HEX_BYTES else "")
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"


def group_table(made: Iterable[Group]) -> Table:
    """Groups, a line each."""
    table = Table("topic", "reason", "stage", "sink", "state", "letters", "first", "last")
    table.columns[5].justify = "right"
    for group in made:
        table.add_row(
            escape(group.topic),
            escape(group.reason),
            group.stage,
            group.sink or "all",
            _state(group.state),
            f"{group.count:,}",
            at(group.first_ms),
            at(group.last_ms),
        )
    return table


def letter_table(letters: Iterable[tuple[Kept, str]]) -> Table:
    """Letters with their keys, a line each."""
    table = Table("address", "key", "reason", "sink", "state", "since", "message")
    table.columns[0].overflow = "fold"
    for kept, key in letters:
        table.add_row(
            escape(str(kept.source)),
            escape(key),
            escape(kept.reason),
            kept.letter.sink or "all",
            _state(kept.state),
            at(kept.first_ms),
            escape(_short(kept.message)),
        )
    return table


def letter_view(kept: Kept, key: str, head: str) -> Panel:
    """One letter, with all that is known of it."""
    letter = kept.letter
    facts = RichTable.grid(padding=(0, 2))
    lines = {
        "source": str(kept.source),
        "kept at": str(kept.filing.place),
        "key": key,
        "state": kept.state + (f", waiting for {', '.join(kept.standing.waiting)}" if kept.standing.waiting else ""),
        "reason": kept.reason,
        "message": kept.message,
        "at first": f"{letter.error}: {letter.message}" if kept.message != letter.message else "",
        "stage": letter.stage.value,
        "sink": letter.sink or "all",
        "rules": f"{letter.rule} (version {letter.rules_version})" if letter.rule else "",
        "edited": "" if kept.standing.edit is None else edit_text(kept.standing.edit),
        "filed": f"{at(kept.first_ms)}" + (f", {kept.times} times" if kept.times > 1 else ""),
        "bytes": f"{kept.filing.size:,}",
        **{f"whole {part.part}": f"{part.size:,} bytes, SHA-256 {part.sha256}" for part in letter.cut},
        "masked": ", ".join(letter.masked),
        "headers": ", ".join(f"{name}={shown(value, 40)}" for name, value in letter.headers),
    }
    for name, text in lines.items():
        if text:
            facts.add_row(Text(name, style="dim"), Text(text))
    more = " (its head)" if kept.filing.size > SHOWN_BYTES else ""
    record = Text("the original was gone before it could be kept" if not letter.carried else head)
    return Panel(Stack(facts, Text(f"\nrecord{more}", style="dim"), record), title_align="left")


def edit_text(edit: Edit) -> str:
    """What a person has put in the place of a row's values, who, and when."""
    values = ", ".join(f"{name}={'null' if value is None else value}" for name, value in edit.values.items())
    return f"{values}, by {edit.by} at {at(edit.at_ms)}"


def outcome_table(outcomes: Mapping[str, int], left: Sequence[Kept]) -> Stack:
    """What became of letters, and those that are left."""
    table = Table("outcome", "letters")
    table.columns[1].justify = "right"
    for word, count in outcomes.items():
        table.add_row(_state(word), f"{count:,}")
    parts: list[Any] = [table]
    if left:
        rest = Table("left open", "sink", "reason", "message")
        for kept in left[:LEFT_SHOWN]:
            waiting = f"waiting for {', '.join(kept.standing.waiting)}" if kept.standing.waiting else kept.message
            rest.add_row(
                escape(str(kept.source)), kept.letter.sink or "all", escape(kept.reason), escape(_short(waiting))
            )
        parts += ["", rest]
    return Stack(*parts)


def _state(word: str) -> str:
    style = _STYLES.get(word)
    return f"[{style}]{word}[/]" if style else word


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:99]}…"

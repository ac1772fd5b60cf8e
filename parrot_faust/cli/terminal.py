"""The one place where commands print: what was asked for on stdout, all else on stderr, as the shared options say."""

from __future__ import annotations

import logging
import os
import sys
from copy import copy
from dataclasses import replace
from typing import Any

import click
import msgspec
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column
from rich.table import Table as RichTable

#: Under which the shared options are kept in the context, which all commands of a command line share.
QUIET, PLAIN, JSON = "parrot.quiet", "parrot.plain", "parrot.json"
PADDING = 2  # spaces beside a cell
SHORT = 12  # characters: a cell of so many, such as a number with its unit, is broken last


def quiet() -> bool:
    """Whether only the result and errors are wanted."""
    return bool(_asked(QUIET))


def plain() -> bool:
    """Whether nothing may be coloured or move: by option, or NO_COLOR with any value, see no-color.org."""
    return bool(_asked(PLAIN) or os.environ.get("NO_COLOR"))


def _asked(word: str) -> Any:
    context = click.get_current_context(silent=True)
    return context.meta.get(word) if context is not None else None


def result() -> Console:
    """Stdout, for what was asked for."""
    return _console()


def remarks() -> Console:
    """Stderr, for how far something is and what may be done next: nothing with --quiet."""
    return _console(stderr=True, quiet=quiet())


def _console(**where: Any) -> Console:
    return Console(highlight=False, emoji=False, color_system=None if plain() else "auto", **where)


def done(text: str) -> None:
    """Say on stdout that something was done. The exit status says so too, so --quiet leaves it out."""
    if not quiet():
        click.echo(text)


def remark(text: str) -> None:
    """Say a line on stderr that --quiet leaves out."""
    if not quiet():
        click.echo(text, err=True)


def warn(text: str) -> None:
    """Say a line on stderr that must not be missed."""
    _complain(text, "yellow")


def fail(text: str) -> None:
    """Say on stderr what went wrong, where, and what to do."""
    _complain(f"error: {text}", "red")


def refuse(text: str) -> None:
    """Say on stderr one of several things that are wrong with a file, which the text begins with."""
    _complain(text, "red")


def _complain(text: str, colour: str) -> None:
    click.secho(text, fg=colour, err=True, color=False if plain() else None)


class Log(logging.Handler):
    """What modules log while a command runs: remarks and warnings, of which errors are said to everyone."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say a line."""
        (remark if record.levelno < logging.ERROR else warn)(record.getMessage())


def confirm(question: str) -> None:
    """Ask, on stderr, and end the command unless the answer is yes."""
    click.confirm(question, abort=True, err=True)


def print_json(view: Any, *, line: bool = False) -> None:
    """Print data as one JSON document; as a `line` where others follow."""
    encoded = msgspec.json.encode(view, enc_hook=str)
    click.echo((encoded if line else msgspec.json.format(encoded)).decode())
    if line:
        sys.stdout.flush()


class Table(RichTable):
    """A table as all commands show it. Where its words do not fit the terminal, each row is a block of lines.

    A column with a `min_width` may be broken, or shortened, down to that before it comes to this.
    """

    def __init__(self, *headers: Column | str, **settings: Any) -> None:
        super().__init__(*headers, **{"box": None, "header_style": "dim", **settings})

    def add_column(self, header: RenderableType = "", *arguments: Any, **settings: Any) -> None:
        """Add a column. Unless told otherwise nothing of it is left out."""
        super().add_column(header, *arguments, **{"overflow": "fold", **settings})

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        spans = [self._span(console, options, column) for column in self.columns]
        room = options.max_width - PADDING * len(spans)
        unbroken = [(most if most <= SHORT else least, most) for least, most in spans]
        spans = unbroken if sum(least for least, _ in unbroken) <= room else spans
        if sum(least for least, _ in spans) > room:
            yield from self._blocks()
        elif sum(most for _, most in spans) <= room or any(column.ratio for column in self.columns):
            yield from super().__rich_console__(console, options)
        else:
            fitted = copy(self)
            widths = _shared(spans, room)
            fitted.columns = [replace(column, width=width) for column, width in zip(self.columns, widths, strict=True)]
            yield from RichTable.__rich_console__(fitted, console, options)

    def _span(self, console: Console, options: ConsoleOptions, column: Column) -> tuple[int, int]:
        """The least width at which no word of a column is broken, or at which it may be, and the most it can use."""
        endless = options.update_width(1_000_000)
        cells = [Measurement.get(console, endless, cell) for cell in (column.header, *column.cells)]
        least = max(cell.minimum for cell in cells)
        return min(least, column.min_width or least), max(cell.maximum for cell in cells)

    def _blocks(self) -> RenderResult:
        first, *others = self.columns
        cells = [list(column.cells) for column in others]
        for number, name in enumerate(first.cells):
            yield name
            block = RichTable.grid(Column(style="dim"), Column(overflow="fold"), padding=(0, 1))
            for column, values in zip(others, cells, strict=True):
                if values[number] not in ("", None):
                    block.add_row(f"  {column.header}".rstrip() if self.show_header else " ", values[number])
            yield block


def _shared(spans: list[tuple[int, int]], room: int) -> list[int]:
    """Widths of columns that share a room: each its least, and of the rest always the one that lacks most."""
    widths = [least for least, _ in spans]
    for _ in range(room - sum(widths)):
        lacking = max(range(len(spans)), key=lambda at: spans[at][1] - widths[at])
        widths[lacking] += 1
    return widths

"""How commands show how far they are: on a terminal, on stderr, from the second second on."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from parrot_faust.cli import terminal

PATIENCE_S = 1.0  # what is done sooner shows nothing
LINE_EVERY_S = 5.0  # how often a line says it where nothing may move


def watched() -> bool:
    """Whether somebody looks, and wants to know."""
    return sys.stderr.isatty() and not terminal.quiet()


class Lines:
    """Progress as lines, where nothing may move."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PATIENCE_S

    def say(self, text: str) -> None:
        """Print a line, unless one has just been."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            terminal.remark(text)


class Counting(Progress):
    """A bar that begins when something takes long and leaves nothing behind; lines where nothing may move."""

    def __init__(self, *columns: ProgressColumn | str) -> None:
        self._lines = Lines() if watched() and terminal.plain() else None
        self._shows, self._from = watched() and self._lines is None, time.monotonic() + PATIENCE_S
        super().__init__(*columns, console=terminal.remarks(), transient=True, disable=not self._shows)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Show how far a task is."""
        super().update(task_id, **changes)
        if self._shows and not self.live.is_started and time.monotonic() > self._from:
            self.start()
        if self._lines is not None:
            task = self.tasks[task_id]
            of = f" of {task.total:,.0f}" if task.total is not None else ""
            self._lines.say(f"{task.description}: {task.completed:,.0f}{of}".lstrip(": "))

    def stop(self) -> None:
        """Show it no more."""
        if self.live.is_started:
            super().stop()


def counting() -> Counting:
    """A bar for things that are counted."""
    return Counting(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class Bar:
    """A bar of one thing."""

    def __init__(self, what: str) -> None:
        self._bar = counting()
        self._task = self._bar.add_task(what, total=None)

    def __call__(self, done: int, of: int) -> None:
        """Show how far it is."""
        self._bar.update(self._task, completed=done, total=of)

    def close(self) -> None:
        """Show it no more."""
        self._bar.stop()


class Waiting:
    """Says what is waited for, from when it takes long until the end of its block, within which nothing may ask."""

    def __init__(self, text: str) -> None:
        self._lock, self._closed, self._text = threading.Lock(), False, text
        self._console = terminal.remarks()
        self._lines = Lines() if watched() and terminal.plain() else None
        self._spinner = self._console.status(escape(text)) if watched() and self._lines is None else None
        self._timer = threading.Timer(PATIENCE_S, self._begin)
        self._timer.daemon = True

    def __enter__(self) -> Waiting:
        if watched():
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._closed = True
            if self._spinner is not None:
                self._spinner.stop()

    def say(self, text: str) -> None:
        """Say anew what is waited for."""
        with self._lock:
            self._text = text
            if self._spinner is not None:
                self._spinner.update(escape(text))
            elif self._lines is not None:
                self._lines.say(text)

    def note(self, text: str) -> None:
        """Print a remark, in markup, which stays."""
        self._console.print(text)

    def _begin(self) -> None:
        with self._lock:
            if self._closed:
                return
            if self._spinner is not None:
                self._spinner.start()
            elif self._lines is not None:
                self._lines.say(self._text)

"""What windows of rules travel as: tallies of a batch on their way to be merged, and what came of a window."""

from __future__ import annotations

from typing import Any

import msgspec

from models.schema import Kind


class WindowPart(msgspec.Struct, frozen=True, array_like=True):
    """The rows of one run that belong to one window: which (its number in the rule file, and its begin), how many, the
    newest, and by rule what they come to, or in `broken` why that can't be said.
    """

    window: int
    start_ms: int
    rows: int
    newest_ms: int
    tallies: tuple[Any, ...]
    broken: tuple[str, ...] = ()


class ShapeVerdict(msgspec.Struct, frozen=True, array_like=True):
    """What a rule about a table's columns says of its present shape."""

    rule: str
    success: bool
    observed: Any


class Tallied(msgspec.Struct, frozen=True, array_like=True):
    """A batch of a source partition as windows see it: records `first` to `last`, made at `at_ms` under a generation.

    `committed` is the offset that was committed by then, -1 where that is not known: below it nothing comes again.
    `windows` names the version of the windows' rules. `checked` rows were judged and `failed` failed a rule that does
    more than warn. `kinds` are those of columns with rules. `shape` is what is said of the table's columns, where that
    is new to the sender. A message of no table only says what time it is.
    """

    table: str
    at_ms: int
    partition: int = -1
    partitions: int = 0
    generation: int = -1
    first: int = -1
    last: int = -1
    committed: int = -1
    newest_ms: int = 0
    windows: str = ""
    parts: tuple[WindowPart, ...] = ()
    checked: int = 0
    failed: int = 0
    kinds: dict[str, Kind] = {}
    fingerprint: str = ""
    shape: tuple[ShapeVerdict, ...] = ()


class WindowResult(msgspec.Struct, frozen=True):
    """A rule's verdict over a window, or over a table's shape where begin and end are one moment.

    The window is from `start_ms` on, `end_ms` excluded, by the source's clock. `bounds` are the rule's arguments.
    `late` rows came after their window of this rule was judged, since the result before. `at` is the place in the topic
    of tallies that decided it: the same result, made again, has the same.
    """

    table: str
    rule: str
    version: str
    severity: str
    start_ms: int
    end_ms: int
    success: bool
    observed: Any
    bounds: dict[str, Any]
    mostly: float = 1.0
    rows: int = 0
    late: int = 0
    reason: str = ""
    at: int = -1

    @property
    def key(self) -> bytes:
        """The key of its message."""
        return f"{self.table}/{self.rule}/{self.start_ms}".encode()


class Pause(msgspec.Struct, frozen=True):
    """That a table is paused since `at_ms`, or goes on since then. With `resume_ms` it goes on after that time."""

    table: str
    paused: bool
    at_ms: int
    reason: str = ""
    resume_ms: int = 0

    def holds(self, now_ms: int) -> bool:
        """Whether the table is paused at this moment."""
        return self.paused and not (self.resume_ms and now_ms >= self.at_ms + self.resume_ms)

"""A batch's way through an agent: its steps with their times. Some microseconds a batch, and nothing when off."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from parrot_faust.logs.fields import Run

T = TypeVar("T")
MAX_STEPS = 100  # of a batch; one with more, because shapes take turns in it, says how many are left out


@dataclass(slots=True)
class Step:
    """A part of a batch's time, in nanoseconds since the epoch."""

    name: str
    began: int
    ended: int


@dataclass(slots=True)
class Trail:
    """What is known of one batch. Whoever began it ends it once, through `Traces.end`."""

    agent: str
    topic: str
    partition: int
    first: int
    last: int
    began: int = field(default_factory=time.time_ns)
    ended: int = 0
    steps: list[Step] = field(default_factory=list)
    left_out: int = 0
    #: Why the batch was not settled; empty when it was.
    error: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    _held_since: int = 0

    def step(self, name: str, seconds: float) -> None:
        """Note a step that ends now and took so long."""
        now = time.time_ns()
        began = now - int(seconds * 1e9)
        self._end_of_hold(began)
        self._add(Step(name, began, now))

    def hold(self) -> None:
        """Note that the batch waits from now on, for a decision or other rules, until its next step begins."""
        self._held_since = self._held_since or time.time_ns()

    def end(self, error: str) -> None:
        self.ended, self.error = time.time_ns(), error
        self._end_of_hold(self.ended)

    def _end_of_hold(self, until: int) -> None:
        if self._held_since:
            self._add(Step("held", self._held_since, max(self._held_since, until)))
            self._held_since = 0

    def _add(self, step: Step) -> None:
        if len(self.steps) < MAX_STEPS:
            self.steps.append(step)
        else:
            self.left_out += 1


async def timed(trail: Trail | None, name: str, work: Awaitable[T]) -> T:
    """Do something as a step of a batch."""
    if trail is None:
        return await work
    started = time.perf_counter()
    try:
        return await work
    finally:
        trail.step(name, time.perf_counter() - started)


class Traces(Protocol):
    """Gives out trails and takes them back. Neither waits for anything."""

    def begin(self, agent: str, run: Run) -> Trail | None:
        """The trail of a batch; None when it is not traced."""

    def end(self, trail: Trail | None, error: str = "") -> None:
        """The batch is settled, or will not be because of `error`."""

    def counts(self) -> dict[str, int]:
        """Batches that were traced, by what became of their spans so far; nothing when off."""

    def close(self) -> None:
        """Let go of what waits, after a bounded time. Blocks."""


class _Off:
    def begin(self, agent: str, run: Run) -> Trail | None:  # noqa: ARG002 - nothing is traced
        return None

    def end(self, trail: Trail | None, error: str = "") -> None: ...
    def counts(self) -> dict[str, int]:
        return {}

    def close(self) -> None: ...


OFF: Traces = _Off()

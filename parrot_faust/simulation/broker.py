"""What outlives every worker: topics, committed offsets, reserved versions, dead letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: A row's way: source partition, which topic of that name, offset.
Place = tuple[int, int, int]


class Commit(NamedTuple):
    """An offset with its note. `line` tells runs of versions apart: in one, a change has the same version always."""

    offset: int
    note: str = ""
    line: int = 0


@dataclass
class Broker:
    """The broker of the simulation. Logs and letters are by sink."""

    commits: dict[Hashable, Commit] = field(default_factory=dict)
    reserved: dict[int, int] = field(default_factory=dict)
    logs: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    arrived: dict[str, set[Place]] = field(default_factory=lambda: defaultdict(set))
    letters: dict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))


class Until:
    """Something to await that is over once `holds` is true, asked at every step of who awaits it; then `gives`."""

    def __init__(self, holds: Callable[[], Any], gives: Callable[[], bool] = lambda: True) -> None:
        self._holds, self._gives = holds, gives

    def __await__(self) -> Generator[None, None, bool]:
        while not self._holds():
            yield
        return self._gives()


async def step() -> None:
    """Let others go first, once."""
    asked = iter((False, True))
    await Until(lambda: next(asked))

"""Named places where a test may make a worker die, fail or stand still. Without ``PARROT_FAILPOINTS`` they do nothing.

``PARROT_FAILPOINTS`` holds entries ``NAME=ACTION[:TIMES[:SECONDS]]``, separated by commas:

- ``kudu_writer.after_flush=kill:3`` kills the process (SIGKILL) when it comes there for the third time;
- ``commit.before=raise:2`` raises `FailPointReached` at the second time, and ``raise:2+`` at every time from then on;
- ``hbase_writer.before_flush=sleep:1:30`` stands still there for 30 seconds at the first time; an agent goes on then,
  and the others meanwhile;
- ``dead_letters.before_file=full:1+`` raises what a full disk raises (OSError, ENOSPC).

`POINTS` lists every name; another one is refused. Each is passed once a batch or more seldom, never once a change, and
is resolved once, when the part that has it is made. Firings are said on standard error.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from parrot_faust.errors import FailPointReached, SettingsError

VARIABLE = "PARROT_FAILPOINTS"

POINTS: Mapping[str, str] = {
    "changes.before_send": "a batch is decoded; nothing of it was sent",
    "changes.before_settle": "the broker has confirmed all that was made of a batch; its offset is not settled",
    "kudu_writer.before_flush": "chunks are about to go to Kudu's process",
    "kudu_writer.after_flush": "Kudu has answered for every row of a call; nothing of the batch is settled",
    "hbase_writer.before_flush": "chunks are about to go to HBase's process",
    "hbase_writer.after_flush": "HBase has answered for every row of a call; nothing of the batch is settled",
    "kudu_host.between_tables": "inside Kudu's process: a table's rows of a call are written, another's are not",
    "hbase_host.between_tables": "inside HBase's process: a table's rows of a call are written, another's are not",
    "kudu_host.after_ddl": "inside Kudu's process: a table was made or altered; no row of it is written, nothing told",
    "hbase_host.after_ddl": "inside HBase's process: a table was made; no row of it is written, nothing told",
    "kudu_client.before_flush": "inside Kudu's process: the lease was looked at; the client has sent nothing",
    "schemas.before_record": "a shape was decided on; the schema table does not have it",
    "schemas.after_record": "the schema table has a decision; the event it came from is not acknowledged",
    "dead_letters.before_file": "a held batch is read; nothing of it is filed",
    "commit.before": "offsets are about to be committed",
    "commit.after": "the broker has confirmed a commit",
}

Action = Literal["kill", "raise", "sleep", "full"]
_ENTRY = re.compile(
    r"(?P<name>[\w.]+)=(?P<action>kill|raise|sleep|full)(?::(?P<at>\d+)(?P<on>\+)?)?(?::(?P<s>[\d.]+))?"
)


@dataclass(slots=True)
class _Armed:
    """A fail point with something to do at its `at`-th passing, and at every later one when `onwards`."""

    name: str
    action: Action
    at: int
    onwards: bool
    seconds: float
    passed: int = 0

    def due(self) -> bool:
        self.passed += 1
        if self.passed != self.at and not (self.onwards and self.passed > self.at):
            return False
        # Straight to the file: the process may be about to die.
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"fail point {self.name}: {self.action}\n".encode())
        return True

    def act(self) -> None:
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
        raise FailPointReached(self.name)


def _nothing() -> None:
    pass


async def _nothing_async() -> None:
    pass


def armed(environ: Mapping[str, str] = os.environ) -> dict[str, _Armed]:
    """What the environment asks for, by name. Raise SettingsError for an entry that can't be read."""
    found: dict[str, _Armed] = {}
    for entry in filter(None, (part.strip() for part in environ.get(VARIABLE, "").split(","))):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise SettingsError(f"{entry!r} is no NAME=ACTION[:TIMES[:SECONDS]]", file=VARIABLE)
        if match["name"] not in POINTS:
            raise SettingsError(f"there is no fail point {match['name']}; there are {', '.join(POINTS)}", file=VARIABLE)
        action = cast(Action, match["action"])
        found[match["name"]] = _Armed(
            match["name"], action, int(match["at"] or 1), bool(match["on"]), float(match["s"] or 1)
        )
    return found


def at(name: str, environ: Mapping[str, str] = os.environ) -> Callable[[], None]:
    """The fail point of this name, for code that blocks: call it where the name says."""
    point = _armed(name, environ)
    if point is None:
        return _nothing

    def passing() -> None:
        if point.due():
            if point.action == "sleep":
                time.sleep(point.seconds)
            else:
                point.act()

    return passing


def at_async(name: str, environ: Mapping[str, str] = os.environ) -> Callable[[], Awaitable[None]]:
    """The fail point of this name, for code on the event loop: await it where the name says."""
    point = _armed(name, environ)
    if point is None:
        return _nothing_async

    async def passing() -> None:
        if point.due():
            if point.action == "sleep":
                await asyncio.sleep(point.seconds)
            else:
                point.act()

    return passing


def _armed(name: str, environ: Mapping[str, str]) -> _Armed | None:
    return armed(environ).get(name)  # a sink of another kind asks for names that are not listed, and never armed

"""What a worker says of itself to commands: which rules judge which of its tables, and since when.

Every worker writes its own message into one compacted topic, at each change and every few seconds; one that is silent
for longer is gone. It takes its message back when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from agents.outbox import Outbox
from agents.rule_book import RuleBook
from parrot_faust.names import Names
from parrot_faust.quality.standing import InForce, WorkerReport

LOOK_S = 0.1  # an entry counts from the next batch on; without a batch it is looked at so often
HEARTBEAT_S = 5.0
LEAVE_S = 1.0  # the end of a worker waits so long for its report to be taken back: a silent worker is gone as well


class RuleReports:
    """Looks at the rules and reports them. One instance a worker, which is called `worker`."""

    def __init__(
        self,
        worker: str,
        book: RuleBook,
        outbox: Outbox,
        names: Names,
        *,
        sources: Callable[[], Sequence[str]],
        suspended: Callable[[], Sequence[Mapping[str, str]]],
        now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        log: Any,
    ) -> None:
        self.worker, self._book, self._outbox, self._names = worker, book, outbox, names
        self._sources, self._suspended = sources, suspended
        self._now_ms, self._sleep, self._log = now_ms, sleep, log
        self._started_ms, self._said_ms = now_ms(), 0
        self._left = False
        self._last: tuple[dict[str, InForce], tuple[str, ...]] | None = None

    async def run(self, should_stop: Callable[[], bool]) -> None:
        """Report until the worker stops. Nothing depends on a report: one that fails is said once and tried again."""
        said = False
        while not should_stop():
            try:
                await self.step()
                said = False
            except Exception as error:  # noqa: BLE001 - whatever it is, changes go on
                if not said:
                    self._log.warning("which rules are in force can't be reported now: %r; trying again", error)
                said, self._last = True, None
            await self._sleep(LOOK_S)

    async def step(self) -> None:
        """Report when something has changed, or when it is time to say that nothing has."""
        now, found = self._now_ms(), (self._standings(), tuple(self._sources()))
        if self._left or (found == self._last and now - self._said_ms < HEARTBEAT_S * 1000):
            return
        self._last, self._said_ms = found, now
        rules, sources = found
        report = WorkerReport(self.worker, now, self._started_ms, sources, rules)
        await self._send(msgspec.json.encode(report), HEARTBEAT_S)

    def _standings(self) -> dict[str, InForce]:
        """What is done with each table's rules, and which of them check nothing because they do not fit the table."""
        found = self._book.standings()
        for one in self._suspended():
            if (told := found.get(one["table"])) is not None:
                suspended = {**told.suspended, one["rule"]: one["reason"]}
                found[one["table"]] = msgspec.structs.replace(told, suspended=suspended)
        return found

    async def leave(self) -> None:
        """Take the report back, if there is one and the broker answers."""
        self._left = True
        if self._last is None:
            return
        try:
            await self._send(None, LEAVE_S)
        except Exception as error:  # noqa: BLE001 - a worker that ends ends
            self._log.info("the report of the rules in force was not taken back: %r", error)

    async def _send(self, value: bytes | None, within_s: float) -> None:
        async def send() -> None:
            topic, key = self._names.rule_reports, self.worker.encode()
            await self._outbox.confirm([await self._outbox.send(topic, value, key=key, partition=0)])

        await asyncio.wait_for(send(), within_s)

"""Agent `windows`: the place where the batches of a table come together, so that a window is one verdict.

The state of each table is in a table of Faust's, with the place of the last message that it has taken in; so messages
that come again change nothing. What comes of a message is the same whenever it is taken in: results that were sent
before a crash are found at the end of their topic and not sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec

from agents.breakers import Breakers
from agents.outbox import Outbox
from agents.rule_book import RuleBook
from agents.tallying import place_of
from models import Tallied, WindowResult
from parrot_faust.delivery.window_stats import WindowStats
from parrot_faust.logs import at
from parrot_faust.names import Names
from parrot_faust.quality import sketches
from parrot_faust.quality.window_state import Outcome, TableWindows
from parrot_faust.transport import Batch

TICK_S = 1.0  # how often it is told what time it is, which closes windows of tables from which nothing comes
LARGEST = 12 << 20  # bytes of a table's state, below what its changelog takes
#: Results that are looked at for what was sent already: far more than come of one message.
TAIL = 1_000

_messages = msgspec.msgpack.Decoder(Tallied)
_results = msgspec.json.Decoder(WindowResult)


class Windows:
    """Takes batches of tallies in order. One instance a worker; it has the tables of the partitions it is given."""

    def __init__(
        self,
        *,
        rules: RuleBook,
        tables: Callable[[], Iterable[str]],
        breakers: Breakers,
        outbox: Outbox,
        names: Names,
        stats: WindowStats,
        tail: Callable[[str, int, int], Awaitable[Iterable[bytes | None]]],
        owns: Callable[[Batch], bool],
        log: Any,
    ) -> None:
        self._rules, self._breakers, self._outbox, self._names = rules, breakers, outbox, names
        self._stats, self._tail, self._owns, self._log = stats, tail, owns, log
        self._every_table = tables
        self._kept: Any = None
        self._states: dict[int, tuple[int, dict[str, TableWindows]]] = {}
        self._sent: dict[int, set[tuple[bytes, int]]] = {}

    def attach(self, kept: Any) -> None:
        """Keep the state in `kept`, a table of Faust's with the partitions of the topic of tallies."""
        self._kept = kept

    async def take(self, batch: Batch) -> None:
        """Take in the messages of a batch; it is settled when all that came of them is safe."""
        states = await self._states_of(batch)
        changed: set[str] = set()
        outcome = Outcome()
        for record in batch.records:
            try:
                message = _messages.decode(record.value or b"")
            except msgspec.DecodeError as error:
                self._log.error(
                    "%r: the record at offset %d is no tally: %s",
                    batch,
                    record.offset,
                    error,
                    extra=at(batch.topic, batch.partition, record.offset),
                )
                continue
            await asyncio.sleep(0)  # merging many values takes long: let heartbeats and others in
            tables = [message.table] if message.table else self.tables(batch.partition)
            for table in tables:
                state = states.get(table)
                if state is None:
                    state = states[table] = TableWindows(table, self._kept.data.get(table))
                before = len(outcome.results) + len(outcome.trips)
                state.take(message, record.offset, self._rules.in_force(table), outcome)
                if message.table or before != len(outcome.results) + len(outcome.trips) or table not in self._kept.data:
                    changed.add(table)
        await self._tell(batch, outcome)
        if not self._owns(batch):
            return  # whoever has the partition now takes the same messages in
        await self._outbox.confirm([self._keep(batch.partition, states[table]) for table in sorted(changed)])
        batch.done()

    async def tick(self, partitions: Iterable[int], now_ms: int, generation: int) -> None:
        """Say what time it is, and in which generation of the group, to these partitions of the topic of tallies."""
        partitions = [place for place in partitions if self.tables(place)]
        if partitions:
            await asyncio.to_thread(sketches.load)  # beforehand, because it takes some tenths of a second
        value = msgspec.msgpack.encode(Tallied("", now_ms, generation=generation))
        pending = [await self._outbox.send(self._names.tallies, value, partition=place) for place in partitions]
        await self._outbox.confirm(pending)

    def tables(self, partition: int) -> list[str]:
        """The tables of a partition whose windows have rules."""
        return [
            table
            for table in self._every_table()
            if place_of(table) == partition and (rules := self._rules.in_force(table)) and rules.windows
        ]

    async def _states_of(self, batch: Batch) -> dict[str, TableWindows]:
        """What is known of a partition's tables: what Faust has recovered where the partition is newly assigned."""
        known = self._states.get(batch.partition)
        if known is None or known[0] != batch.generation:
            known = self._states[batch.partition] = (batch.generation, {})
            found = await self._tail(self._names.windows, batch.partition, TAIL)
            results = [_results.decode(value) for value in found if value]
            self._sent[batch.partition] = {(result.key, result.at) for result in results}
        return known[1]

    async def _tell(self, batch: Batch, outcome: Outcome) -> None:
        """Send what came of messages, and say it; return when the broker has it."""
        pending: list[Awaitable[Any]] = []
        sent = self._sent[batch.partition]
        for note in outcome.notes:
            self._log.warning("%s", note)
        for result in outcome.results:
            if (result.key, result.at) in sent:
                continue
            self._stats.result(result)
            say = self._log.info if result.success else self._log.warning
            say("%s", described(result), extra=at(result.table, rule=result.rule))
            pending.append(
                await self._outbox.send(
                    self._names.windows, msgspec.json.encode(result), key=result.key, partition=batch.partition
                )
            )
        for table, trip in outcome.trips:
            pending.append(await self._breakers.trip(table, trip))
        await self._outbox.confirm(pending)

    def _keep(self, partition: int, state: TableWindows) -> Awaitable[Any]:
        """Put a table's state into Faust's table; the result completes when its changelog has it."""
        data = state.packed()
        if len(data) > LARGEST:
            self._log.warning(
                "windows of %s hold %d bytes, too many for a message: rows that are read again now count twice in open "
                "windows; fewer `exact:` values would do",
                state.table,
                len(data),
                extra=at(state.table),
            )
            state.merge_all(self._rules.in_force(state.table))
            data = state.packed()
        self._kept.data[state.table] = data
        confirmation: Awaitable[Any] = self._kept.send_changelog(partition, state.table, data)
        return confirmation


def described(result: WindowResult) -> str:
    """A result as a line of the log."""
    word = "holds" if result.success else f"FAILED ({result.severity})"
    why = f": {result.reason}" if result.reason else ""
    late = f", {result.late} rows came late" if result.late else ""
    span = "its columns" if result.start_ms == result.end_ms else f"{result.rows} rows from {result.start_ms} ms on"
    return f"window of {result.table}: rule {result.rule} {word} for {span}: observed {result.observed}{why}{late}"

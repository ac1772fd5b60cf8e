"""Agent `breakers`: keeps which tables are paused, in a table that every worker sees. It has one writer.

A table is paused where too many of its rows failed, and goes on by command or after a time. Nothing of it is taken
meanwhile, and nothing is lost: its batches stay unsettled, as those of a held shape do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from agents.outbox import Outbox
from models import Pause
from parrot_faust.logs import at
from parrot_faust.names import Names
from parrot_faust.quality.tripping import Trip
from parrot_faust.transport import Batch

_decoder = msgspec.json.Decoder(Pause)


class Breakers:
    """Knows which tables are paused, and pauses them. One instance a worker."""

    def __init__(self, outbox: Outbox, names: Names, now_ms: Callable[[], int], log: Any) -> None:
        self._outbox, self._names, self._now_ms, self._log = outbox, names, now_ms, log
        self._entries: Mapping[str, str] = {}
        self._parsed: dict[str, tuple[str, Pause]] = {}
        self._waiting: set[tuple[str, int]] = set()

    def attach(self, entries: Mapping[str, str]) -> None:
        """Use `entries` (table to encoded `Pause`), the table that every worker sees."""
        self._entries = entries

    def pause(self, table: str) -> Pause | None:
        """The pause of a table now, None when it goes on."""
        raw = self._entries.get(table)
        if raw is None:
            return None
        known = self._parsed.get(table)
        if known is None or known[0] != raw:
            known = self._parsed[table] = (raw, _decoder.decode(raw))
        return known[1] if known[1].holds(self._now_ms()) else None

    def holds(self, batch: Batch) -> bool:
        """Whether a batch has to wait because its table is paused; said when that changes."""
        pause, key = self.pause(batch.topic), (batch.topic, batch.partition)
        if pause is None:
            if key in self._waiting:
                self._waiting.discard(key)
                self._log.warning(
                    "%s[%d] goes on from offset %d",
                    batch.topic,
                    batch.partition,
                    batch.first,
                    extra=at(batch.topic, batch.partition, batch.first),
                )
            return False
        if key not in self._waiting:
            self._waiting.add(key)
            self._log.critical(
                "%s[%d] is PAUSED before offset %d: %s; %s, and other tables go on meanwhile",
                batch.topic,
                batch.partition,
                batch.first,
                pause.reason,
                _until(pause),
                extra=at(batch.topic, batch.partition, batch.first),
            )
        return True

    def paused(self) -> list[dict[str, Any]]:
        """The tables that are paused, as plain data."""
        found = (self.pause(table) for table in sorted(self._entries))
        return [
            {"table": one.table, "since_ms": one.at_ms, "reason": one.reason, "resume_ms": one.resume_ms}
            for one in found
            if one is not None
        ]

    async def trip(self, table: str, trip: Trip) -> Awaitable[Any]:
        """Pause a table whose breaker has tripped; the result completes when the broker has it."""
        breaker = trip.breaker
        share, within = f"{trip.failed / trip.checked:.0%}", f"{breaker.within_ms / 1000:g} s"
        reason = f"{trip.failed} of its last {trip.checked} rows ({share}) failed within {within}"
        self._log.critical("the breaker of %s has TRIPPED: %s; the table is paused", table, reason, extra=at(table))
        pause = Pause(table, True, trip.at_ms, reason, breaker.resume_ms)
        return await self._outbox.send(
            self._names.breakers, msgspec.json.encode(pause), key=table.encode(), partition=0
        )


def _until(pause: Pause) -> str:
    command = f"`parrot breaker resume {pause.table}`"
    return f"it goes on {pause.resume_ms / 1000:g} s after that, or by {command}" if pause.resume_ms else (
        f"it goes on by {command}"
    )  # fmt: skip


async def keep(stream: Any, table: MutableMapping[str, str], log: Any) -> None:
    """Enter each pause that comes in, unless something newer of its table is known: a trip may be told twice."""
    async for event in stream.events():
        try:
            pause = _decoder.decode(event.value or b"")
        except msgspec.DecodeError as error:
            log.error("a pause can't be read and is left out: %s", error)
            continue
        known = table.get(pause.table)
        if known is None or _decoder.decode(known).at_ms < pause.at_ms:
            table[pause.table] = event.value.decode()
            log.warning("%s %s", pause.table, "is paused" if pause.paused else "goes on", extra=at(pause.table))

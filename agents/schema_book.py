"""The shapes that tables have had, as far as this worker knows, and telling the others of a new one."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Protocol

import msgspec

from agents.outbox import Outbox
from agents.schema_history import Missing
from models import SchemaChange, TableSchema
from parrot_faust.delivery.stats import Stats
from parrot_faust.errors import TableRefused
from parrot_faust.names import Names
from parrot_faust.schema.claims import Claims
from parrot_faust.schema.history import (
    NOT_MADE,
    WAITS_BEHIND,
    SchemaHistory,
    SchemaSeen,
    Terms,
    history_of,
    stranger,
)
from parrot_faust.schema.layout import Placement

#: An announcement that nobody has answered is made again after this long: whoever had taken it may have died with it.
ASK_AGAIN_MS = 10_000

__all__ = ["SchemaBook", "SchemaHistory", "SchemaSeen", "history_of"]

#: Where rows of a shape go, by store; None where a store has no table for them.
Places = Mapping[str, Placement | None]


class SeenIn(Protocol):
    """Where a shape was seen: a batch, or as much of one."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def first(self) -> int: ...


class SchemaBook:
    """Knows which shapes were seen, and where their rows go, from the schema table that every worker sees.

    A new shape is announced, and nothing of it is written before the table says that it was taken.
    """

    def __init__(
        self,
        outbox: Outbox,
        names: Names,
        stats: Stats,
        now_ms: Any,
        claims: Claims | None = None,
        terms: Terms | None = None,
    ) -> None:
        self._outbox, self._names, self._stats, self._now_ms = outbox, names, stats, now_ms
        self._claims, self._merging = claims, (terms or Terms()).merging
        self._claimed: dict[str, list[str]] = {}
        self._histories: Mapping[str, str] = {}
        self._announced: dict[tuple[str, str], int] = {}  # when, in ms
        self._to_tell: set[tuple[str, str]] = set()
        self._known: dict[str, tuple[str, SchemaHistory, dict[str, Places]]] = {}

    def attach(self, histories: Mapping[str, str]) -> None:
        """Use `histories` (table to encoded `SchemaHistory`), the schema table that every worker sees."""
        self._histories = histories

    def tables(self) -> list[str]:
        """The tables of which a shape is known."""
        return list(self._histories)

    def history(self, table: str) -> SchemaHistory:
        """What is known of a table now."""
        return self._entry(table)[0]

    def places(self, schema: TableSchema, sinks: Iterable[str]) -> Places | None:
        """Where rows of a shape go in these stores; None while that is not decided.

        Raise TableRefused where they are of another source table than the topic's.
        """
        history, known = self._entry(schema.table)
        found = known.get(schema.fingerprint)
        if found is None:
            if not history.has(schema):
                if schema.table not in self._merging and (reason := stranger(history.latest, schema)):
                    raise TableRefused(schema.table, reason)
                return None
            placed = history.placements(schema)
            if self._is_claimed(schema.table, placed):
                return None
            found = known[schema.fingerprint] = placed
            self._tell(schema, history)
        return found if all(sink in found for sink in sinks) else None

    def _is_claimed(self, table: str, places: Places) -> bool:
        """Whether an earlier source table has one of these places by the settings there are now, which the history of
        neither could know when it was taken.
        """
        if self._claims is None:
            return False
        shapes = {store: place.schema for store, place in places.items() if place is not None}
        others = self._claims.others(self._histories, table, shapes, earlier=True)
        if others:
            self._claimed[table] = [each.told(table) for each in others]
        else:
            self._claimed.pop(table, None)
        return bool(others)

    def _entry(self, table: str) -> tuple[SchemaHistory, dict[str, Places]]:
        raw = self._histories.get(table) or ""
        entry = self._known.get(table)
        if entry is None or (entry[0] is not raw and entry[0] != raw):
            entry = self._known[table] = (raw, history_of(raw), {})
        return entry[1], entry[2]

    async def seen(
        self, schema: TableSchema, batch: SeenIn, sinks: Iterable[str] = (), source_us: int = 0
    ) -> Awaitable[Any] | None:
        """Announce a shape that is neither decided on nor held, and again after a while without an answer; return the
        announcement's confirmation. `source_us` is when the row was committed that has it.
        """
        key, now_ms = (schema.table, schema.fingerprint), self._now_ms()
        if self.places(schema, sinks) is not None:
            return None
        if (before := self._announced.get(key)) is not None and not (
            abs(now_ms - before) >= ASK_AGAIN_MS and self._unanswered(schema)
        ):
            return None
        self._announced[key] = now_ms
        self._to_tell.add(key)
        place = batch.topic, batch.partition, batch.first
        return await self._announce(SchemaSeen(schema, *place, "", (), now_ms, source_us=source_us))

    def is_unknown(self, table: str) -> bool:
        """Whether no shape of a table was seen yet."""
        history = self.history(table)
        return history.latest is None and not history.held

    def _unanswered(self, schema: TableSchema) -> bool:
        return all(each.schema.fingerprint != schema.fingerprint for each in self.history(schema.table).held)

    async def announce_made(self, missing: Missing) -> None:
        """Announce again the shapes that waited for their tables, where these are there now."""
        for table, raw in list(self._histories.items()):
            history = history_of(raw) if NOT_MADE in raw or WAITS_BEHIND in raw else None
            if history is None or (held := history.stalled) is None:
                continue
            if not (held.targets and await missing(table, held.targets)):
                seen = SchemaSeen(held.schema, table, held.partition, held.offset, "", (), self._now_ms())
                await (await self._announce(seen))

    def held(self) -> dict[str, list[str]]:
        """The tables that wait for a decision, as far as this worker reads them, with the reasons."""
        waiting = ((table, history.held) for table, (_, history, _) in self._known.items())
        found = {table: [reason for each in held for reason in each.reasons] for table, held in waiting if held}
        return self._claimed | found

    def _tell(self, schema: TableSchema, history: SchemaHistory) -> None:
        """Show what became of a shape that this worker has announced."""
        key = (schema.table, schema.fingerprint)
        if key not in self._to_tell:
            return
        self._to_tell.discard(key)
        events = (each for each in reversed(history.events) if each.schema == schema and each.verdict != "held")
        for event in list(events)[:1]:
            for change in event.changes:
                self._stats.schema_change(
                    schema.table, change.change, "", f"{change.column} {change.detail}".strip(), 0.0
                )

    async def applied(self, table: str, sink: str, changes: tuple[SchemaChange, ...], seconds: float) -> Awaitable[Any]:
        """Announce what was done to a sink's table."""
        for change in changes:
            self._stats.schema_change(table, change.change, sink, f"{change.column} {change.detail}".strip(), seconds)
        return await self._announce(SchemaSeen(None, table, -1, -1, sink, changes, self._now_ms(), seconds))

    async def _announce(self, event: SchemaSeen) -> Awaitable[Any]:
        return await self._outbox.send(
            self._names.schemas, msgspec.json.encode(event), key=event.topic.encode(), partition=0
        )

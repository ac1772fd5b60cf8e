"""The shapes that tables have had, as far as this worker knows, and telling the others of a new one."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

import msgspec

from agents.outbox import Outbox
from models import SchemaChange, TableSchema
from parrot_faust.delivery.stats import Stats
from parrot_faust.names import Names
from parrot_faust.schema import diff
from parrot_faust.transport import Batch


class SchemaSeen(msgspec.Struct, frozen=True):
    """A new shape of a table: where it was first seen, and how it differs from the one before.

    `sink` is empty for what the source did, and the sink's name for what was done to its table.
    """

    schema: TableSchema | None
    topic: str
    partition: int
    offset: int
    sink: str
    changes: tuple[SchemaChange, ...]
    at_ms: int
    seconds: float = 0.0


class SchemaHistory(msgspec.Struct, frozen=True):
    """A table's entry in the schema table: the latest shape and the events that led to it, oldest first."""

    latest: TableSchema | None
    events: tuple[SchemaSeen, ...]


class SchemaBook:
    """Knows which shapes were seen, from the schema table and from this worker's own batches."""

    def __init__(self, outbox: Outbox, names: Names, stats: Stats, now_ms: Any) -> None:
        self._outbox, self._names, self._stats, self._now_ms = outbox, names, stats, now_ms
        self._histories: Mapping[str, str] = {}
        self._latest: dict[str, TableSchema] = {}
        self._seen: set[tuple[str, str]] = set()

    def attach(self, histories: Mapping[str, str]) -> None:
        """Use `histories` (table to encoded `SchemaHistory`), the schema table that every worker sees."""
        self._histories = histories

    async def seen(self, schema: TableSchema, batch: Batch) -> Awaitable[Any] | None:
        """Note the shape of a segment; a new one is announced, and the announcement's confirmation returned."""
        key = (schema.table, schema.fingerprint)
        if key in self._seen:
            return None
        self._seen.add(key)
        history = history_of(self._histories.get(schema.table))
        known = self._latest.get(schema.table) or history.latest
        self._latest[schema.table] = schema
        if any(event.schema is not None and event.schema.fingerprint == schema.fingerprint for event in history.events):
            return None  # seen by this app before: a restart, a replay, or a late record of an older shape
        event = SchemaSeen(schema, batch.topic, batch.partition, batch.first, "", diff(known, schema), self._now_ms())
        for change in event.changes:
            self._stats.schema_change(schema.table, change.change, "", f"{change.column} {change.detail}".strip(), 0.0)
        return await self._announce(event)

    async def applied(self, table: str, sink: str, changes: tuple[SchemaChange, ...], seconds: float) -> Awaitable[Any]:
        """Announce what was done to a sink's table."""
        for change in changes:
            self._stats.schema_change(table, change.change, sink, f"{change.column} {change.detail}".strip(), seconds)
        return await self._announce(SchemaSeen(None, table, -1, -1, sink, changes, self._now_ms(), seconds))

    async def _announce(self, event: SchemaSeen) -> Awaitable[Any]:
        return await self._outbox.send(
            self._names.schemas, msgspec.json.encode(event), key=event.topic.encode(), partition=0
        )


def history_of(raw: str | None) -> SchemaHistory:
    """Decode a table's entry; an absent one is an empty history."""
    return msgspec.json.decode(raw, type=SchemaHistory) if raw else SchemaHistory(None, ())

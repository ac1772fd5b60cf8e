"""Agent `schema_history`: keeps what became of each table's shape, at the source and in the stores.

The table has one writer: the worker that has the single partition of the schema topic.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec

from agents.rule_book import Log
from agents.schema_book import SchemaHistory, SchemaSeen, history_of
from models import TableSchema

EVENTS_KEPT = 200  # of a table: years of schema changes
#: Of a table's entry, which must fit one Kafka message of the usual 1 MB: a wide table's shape alone may have 100 kB.
BYTES_KEPT = 800_000


async def keep(stream: Any, table: MutableMapping[str, str], log: Log) -> None:
    """Append each event to its table's history; the same event twice counts once."""
    async for event in stream.events():
        try:
            seen = msgspec.json.decode(event.value or b"", type=SchemaSeen)
        except msgspec.DecodeError as error:
            log.error("schema event at offset %d can't be read and is left out: %s", event.message.offset, error)
            continue
        history = history_of(table.get(seen.topic))
        if not is_known(history, seen):
            latest = seen.schema or history.latest
            table[seen.topic] = _encoded(latest, [*history.events, seen][-EVENTS_KEPT:])


def _encoded(latest: TableSchema | None, events: list[SchemaSeen]) -> str:
    """A table's entry, without the oldest events where it would be too large."""
    sizes = [len(msgspec.json.encode(event)) for event in events]
    while len(events) > 1 and sum(sizes) > BYTES_KEPT:
        del events[0], sizes[0]
    return msgspec.json.encode(SchemaHistory(latest, tuple(events))).decode()


def is_known(history: SchemaHistory, seen: SchemaSeen) -> bool:
    """Whether the history already has this event: the same shape, or the same work done in the same sink."""
    if seen.schema is not None:
        return any(event.schema is not None and event.schema == seen.schema for event in history.events)
    return any(event.sink == seen.sink and event.changes == seen.changes for event in history.events)

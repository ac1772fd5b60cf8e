"""Agent `schema_history`: decides on new shapes and keeps what became of each table's shape, at the source and in the
stores.

The table has one writer: the worker that has the single partition of the schema topic.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from models import TableSchema
from parrot_faust import failpoints
from parrot_faust.schema.history import SchemaSeen, Terms, encoded, fold, history_of, hold_for_tables

#: Why rows of a shape can't go into their tables yet, from where they would go: tables that others are to make.
Missing = Callable[[str, Mapping[str, TableSchema]], Awaitable[list[str]]]


async def keep(
    stream: Any,
    table: MutableMapping[str, str],
    log: Any,
    terms: Terms | None = None,
    missing: Missing | None = None,
) -> None:
    """Fold each event into its table's history; the same event twice counts once. A shape whose table is `missing` is
    held until it is announced again and the table is there.
    """
    terms = terms or Terms()
    before_record, after_record = failpoints.at("schemas.before_record"), failpoints.at("schemas.after_record")
    async for event in stream.events():
        try:
            seen = msgspec.json.decode(event.value or b"", type=SchemaSeen)
        except msgspec.DecodeError as error:
            log.error("schema event at offset %d can't be read and is left out: %s", event.message.offset, error)
            continue
        raw = table.get(seen.topic)
        history = history_of(raw)
        after = fold(history, seen, terms)
        if missing is not None and seen.schema is not None and after is not history and after.has(seen.schema):
            placed = after.placements(seen.schema).items()
            targets = {store: place.schema for store, place in placed if place is not None}
            if reasons := await missing(seen.topic, targets):
                after = hold_for_tables(history, seen, reasons, targets)
        if after is history:
            continue
        before_record()
        table[seen.topic] = encoded(after)
        after_record()
        for held in after.held[len(history.held) :]:
            log.error(
                "%s is held at partition %d offset %d: %s; its changes wait, others go on: `parrot schema approve %s` "
                "or `reject`",
                seen.topic,
                held.partition,
                held.offset,
                "; ".join(held.reasons),
                seen.topic,
            )
        for told in after.events[len(history.events) :]:
            for note in told.notes if told.verdict != "held" else ():
                log.warning("%s: %s", seen.topic, note)

"""Agent `schema_history`: decides on new shapes and keeps what became of each table's shape, at the source and in the
stores.

The table has one writer: the worker that has the single partition of the schema topic.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec

from parrot_faust import failpoints
from parrot_faust.schema.history import SchemaSeen, Terms, encoded, fold, history_of


async def keep(stream: Any, table: MutableMapping[str, str], log: Any, terms: Terms | None = None) -> None:
    """Fold each event into its table's history; the same event twice counts once."""
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

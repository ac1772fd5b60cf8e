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
from parrot_faust.logs import at
from parrot_faust.schema.claims import Claims
from parrot_faust.schema.history import SchemaHistory, SchemaSeen, Terms, encoded, fold, history_of, hold_for_tables

#: Why rows of a shape can't go into their tables yet, from where they would go: tables that others are to make.
Missing = Callable[[str, Mapping[str, TableSchema]], Awaitable[list[str]]]


async def keep(
    stream: Any,
    table: MutableMapping[str, str],
    log: Any,
    terms: Terms | None = None,
    missing: Missing | None = None,
    claims: Claims | None = None,
) -> None:
    """Fold each event into its table's history; the same event twice counts once. A shape whose table is `missing` is
    held until it is announced again and the table is there; one whose table is another source table's by `claims` is
    held until the settings say otherwise, and no verdict lets it pass.
    """
    terms = terms or Terms()
    before_record, after_record = failpoints.at("schemas.before_record"), failpoints.at("schemas.after_record")
    async for event in stream.events():
        try:
            seen = msgspec.json.decode(event.value or b"", type=SchemaSeen)
        except msgspec.DecodeError as error:
            place = at(event.message.topic, event.message.partition, event.message.offset)
            log.error(
                "schema event at offset %d can't be read and is left out: %s", event.message.offset, error, extra=place
            )
            continue
        raw = table.get(seen.topic)
        history = history_of(raw)
        after = fold(history, seen, terms)
        if after is not history and claims is not None and (refused := _refused(history, after, seen, table, claims)):
            log.error(
                "%s: `parrot schema %s` can't be followed: %s",
                seen.topic,
                seen.verdict,
                "; ".join(refused),
                extra=at(seen.topic),
            )
            continue
        if seen.schema is not None and after is not history and after.has(seen.schema):
            targets = _targets(after, seen.schema)
            reasons = [each.told(seen.topic) for each in claims.others(table, seen.topic, targets)] if claims else []
            if missing is not None and not reasons:
                reasons = await missing(seen.topic, targets)
            if reasons:
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
                extra=at(seen.topic, held.partition, held.offset),
            )
        for told in after.events[len(history.events) :]:
            for note in told.notes if told.verdict != "held" else ():
                log.warning("%s: %s", seen.topic, note, extra=at(seen.topic))


def _targets(history: SchemaHistory, schema: TableSchema) -> dict[str, TableSchema]:
    """Where rows of a shape that was taken go, by store."""
    return {store: place.schema for store, place in history.placements(schema).items() if place is not None}


def _refused(
    history: SchemaHistory, after: SchemaHistory, seen: SchemaSeen, table: Mapping[str, str], claims: Claims
) -> list[str]:
    """Why a person's verdict can't be followed: rows would go into tables of other source tables."""
    if seen.schema is not None or not seen.verdict:
        return []
    passed = [each.schema for each in history.held if after.has(each.schema)]
    others = (each for shape in passed for each in claims.others(table, seen.topic, _targets(after, shape)))
    return list(dict.fromkeys(each.told(seen.topic) for each in others))

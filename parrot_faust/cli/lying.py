"""Where the columns of a source table lie in a store, for showing its rows: from the history that the workers keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from models import Kind
from parrot_faust.demo.broker import Broker
from parrot_faust.errors import DistributionError
from parrot_faust.schema.history import SchemaHistory, history_of
from parrot_faust.schema.stores import STORES

CHANGELOG = "-schemas-changelog"
#: What the source calls the type of a column as it was before, for reading its cells; all others are read as text.
FORMER = {
    Kind.INT32: "integer",
    Kind.INT64: "bigint",
    Kind.FLOAT64: "double precision",
    Kind.BOOL: "boolean",
    Kind.DECIMAL: "numeric",
    Kind.TIMESTAMP: "timestamp with time zone",
    Kind.DATE: "date",
}


class Lying(NamedTuple):
    """The number of the store's table, its columns with the source's names of their types, for each column of the
    source those in which its values may be, and which of them are written now.
    """

    generation: int
    types: dict[str, str]
    columns: dict[str, tuple[str, ...]]
    written: frozenset[str]

    def target(self, name: str) -> str:
        """The name of the table that has the rows now."""
        return f"{name}__g{self.generation}" if self.generation > 1 else name

    def row(self, stored: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row of the store's table as the source has its columns. A value in an older column names that column."""
        values = dict(zip(self.types, stored, strict=True))
        return tuple(self._value(values, places) for places in self.columns.values())

    def _value(self, values: Mapping[str, Any], places: tuple[str, ...]) -> Any:
        for place in places:
            if (value := values[place]) is not None:
                return value if place in self.written else f"{value} (in {place})"
        return None


def lying(history: SchemaHistory | None, store: str, types: Mapping[str, str]) -> Lying:
    """Where the columns in `types` lie. Raise DistributionError when the store has no table of the source's key."""
    layout = history.layouts.get(store) if history is not None else None
    if history is None or history.latest is None or layout is None:
        return Lying(1, dict(types), {name: (name,) for name in types}, frozenset(types))
    kind, latest = STORES[store], history.latest
    generation = layout.find(kind, latest)
    if generation is None:
        raise DistributionError(
            f"{store} has no table with the key of {latest.table}, see `parrot schema history {latest.table}`"
        )
    now = {column.name: kind.type_of(column) for column in latest.columns}
    stored: dict[str, str] = {}
    columns: dict[str, tuple[str, ...]] = {}
    written: set[str] = set()
    for name in types:
        beside = [each for each in generation.columns if each.column.name == name]
        present = [each.name for each in beside if kind.type_of(each.column) == now.get(name)]
        former = {each.name: FORMER.get(each.column.kind, "text") for each in beside if each.name not in present}
        stored |= dict.fromkeys(present, types[name]) | former
        columns[name] = (*present, *former)
        written.update(present)
    return Lying(generation.number, stored, columns, frozenset(written))


def history_in(broker: Broker, table: str) -> SchemaHistory | None:
    """The history of a source table (schema and name) in any app of this broker: the one with the newest event."""
    found: list[SchemaHistory] = []
    for topic in broker.names():
        if topic.endswith(CHANGELOG):
            newest = {key: value for _, key, value in broker.read(topic, contents=True).contents if key and value}
            wanted = (value for key, value in newest.items() if str(json.loads(key)).endswith(f".{table}"))
            found += (each for value in wanted if (each := history_of(json.loads(value))).events)
    return max(found, key=lambda each: each.events[-1].at_ms, default=None)

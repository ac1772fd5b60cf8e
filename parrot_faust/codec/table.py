"""From what an event names to the shape of its table: one object for equal shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from operator import itemgetter
from typing import Any

import msgspec

from models import Column, TableSchema
from parrot_faust.codec.event import Origin
from parrot_faust.codec.unset import Row
from parrot_faust.errors import TableRefused

# Shapes that one topic has in a worker's life: its own, and one for each table behind a topic that carries several.
_MAX_BINDINGS = 2_000


class Binding(msgspec.Struct):
    """How changes of one shape become rows of one table. `columns` keeps alive the object whose id is looked up."""

    schema: TableSchema
    columns: tuple[Column, ...]
    key_places: frozenset[int]
    key_of: Callable[[Row], Row]


class Bindings:
    """The bindings of one topic."""

    def __init__(self, topic: str, intern: dict[str, TableSchema]) -> None:
        self._topic, self._intern = topic, intern
        self._known: dict[tuple[int, tuple[str, ...], Origin], Binding] = {}
        self.latest: Binding | None = None
        self._place: tuple[int, tuple[str, ...], Origin] | None = None

    def binding(self, columns: tuple[Column, ...], key: tuple[str, ...], origin: Origin) -> Binding:
        """The binding for rows of `columns` identified by `key`. Raise TableRefused when the row lacks a key column."""
        place = (id(columns), key, origin)
        if place == self._place and self.latest is not None:  # nearly always, and no hash is made
            return self.latest
        binding = self._known.get(place)
        if binding is None:
            if len(self._known) >= _MAX_BINDINGS:
                self._known.clear()
            binding = self._known[place] = self._bind(columns, key, origin)
        self.latest, self._place = binding, place
        return binding

    def _bind(self, columns: tuple[Column, ...], key: tuple[str, ...], origin: Origin) -> Binding:
        names = [column.name for column in columns]
        if missing := [name for name in key if name not in names]:
            raise TableRefused(
                self._topic,
                f"its key has {', '.join(missing)}, but its rows have only {', '.join(names) or 'no columns'}",
            )
        if twice := sorted(name for name, count in Counter(names).items() if count > 1):
            raise TableRefused(
                self._topic, f"it has more than one column {', '.join(twice)}: their values would be one column's"
            )
        typed = tuple(
            msgspec.structs.replace(column, nullable=False) if column.name in key else column for column in columns
        )
        database, namespace, relation = self._names(origin)
        made = TableSchema.of(self._topic, typed, key, database=database, namespace=namespace, relation=relation)
        schema = self._intern.setdefault(made.fingerprint, made)
        places = [names.index(name) for name in key]
        return Binding(schema, columns, frozenset(places), taker(places))

    def _names(self, origin: Origin) -> tuple[str, str, str]:
        """Database, schema and table: from the event, else from the topic (`prefix.schema.table`)."""
        database, namespace, relation = (
            part.decode(errors="replace") if isinstance(part, bytes) else part or "" for part in origin
        )
        if not relation:
            parts = self._topic.split(".")
            relation = parts[-1]
            namespace = namespace or (parts[-2] if len(parts) > 1 else "")
            database = database or (parts[-3] if len(parts) > 2 else "")
        # MySQL has databases and no schemas: the database is what its tables are grouped by.
        return database, namespace or database, relation


def taker(places: list[int]) -> Callable[[Row], Row]:
    """A function from a row to the tuple of its values at `places`."""
    if not places:
        return lambda _: ()
    if len(places) > 1:
        return itemgetter(*places)
    only = places[0]

    def one(row: tuple[Any, ...]) -> Row:
        return (row[only],)

    return one

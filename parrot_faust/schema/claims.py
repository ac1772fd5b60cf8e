"""Whose a store's table is: no two source tables may have one, or their rows would become one table's in silence.

Names fall together in two places. A template of the settings may give two source tables one name in a store. And
Debezium writes what a topic's name can't hold as an underscore: `a/b` and `a:b` have one topic, so one history here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from models import TableSchema
from parrot_faust.schema.history import SchemaHistory, history_of, origin_of

#: The name that a table of this shape has in a store, None where it goes to none there.
Target = Callable[[str, TableSchema], str | None]
NONE_MERGES: Callable[[str], bool] = lambda _: False  # noqa: E731 - a function's default


class Claim(NamedTuple):
    """A store's table that is a source table's already. `since` orders claims: the first one has it."""

    store: str
    target: str
    table: str
    since: tuple[int, str]

    def told(self, table: str) -> str:
        """Why rows of another source table can't go there."""
        return (
            f"{self.store}'s table {self.target} is that of {self.table}: give {table} another name "
            f"(`tables.{table}.{self.store}.table`), leave it out (`source.exclude`), or say that both are to be one "
            f"table (`tables.{table}.merge: true`)"
        )


class Claims:
    """Finds who has which of the stores' tables, from the histories of all source tables.

    `merges` says of a source table that its rows may go where another one's go.
    """

    def __init__(self, target: Target, merges: Callable[[str], bool] = NONE_MERGES) -> None:
        self._target, self._merges = target, merges
        self._known: dict[str, tuple[str, dict[tuple[str, str], Claim]]] = {}

    def others(
        self, histories: Mapping[str, str], table: str, shapes: Mapping[str, TableSchema], *, earlier: bool = False
    ) -> list[Claim]:
        """The claims of other source tables on where rows of `table` would go, by store; with `earlier` only those
        from before its own.
        """
        if self._merges(table):
            return []
        wanted = [(store, name) for store, shape in shapes.items() if (name := self._target(store, shape))]
        own = _since(history_of(histories.get(table)), table) if earlier else None
        found = []
        for other, raw in histories.items():  # a table of Faust's gives all at once in a thousandth of the time
            if other != table:
                claims = self._of(other, raw)
                found += [one for each in wanted if (one := claims.get(each)) and (own is None or one.since < own)]
        return found

    def _of(self, table: str, raw: str) -> dict[tuple[str, str], Claim]:
        known = self._known.get(table)
        if known is None or (known[0] is not raw and known[0] != raw):
            history = history_of(raw)
            since = _since(history, table)
            claims = {(store, target): Claim(store, target, table, since) for store, target in self._targets(history)}
            known = self._known[table] = (raw, claims)
        return known[1]

    def _targets(self, history: SchemaHistory) -> Iterator[tuple[str, str]]:
        """Every table that a source table has in the stores, those of its former keys among them."""
        shapes = [event.schema for event in history.events if event.schema is not None and history.has(event.schema)]
        shapes += [history.latest] if history.latest is not None else []
        by_origin = {origin_of(shape): shape for shape in shapes}
        for store, layout in history.layouts.items():
            for generation in layout.generations:
                for shape in by_origin.values():
                    numbered = msgspec.structs.replace(shape, generation=generation.number)
                    if target := self._target(store, numbered):
                        yield store, target


def _since(history: SchemaHistory, table: str) -> tuple[int, str]:
    return (min((event.at_ms for event in history.events), default=0), table)

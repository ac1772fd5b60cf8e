"""Where a table's columns lie in each store, from the schema history that the workers keep. Pure."""

from __future__ import annotations

import msgspec

from parrot_faust.schema.history import SchemaHistory
from parrot_faust.schema.stores import STORES


class Places(msgspec.Struct, frozen=True):
    """A table's places in one store: the number of its table there, the names of columns whose type has changed, the
    names that their values had before, and the columns that have no place.
    """

    generation: int = 1
    names: dict[str, str] = {}
    older: dict[str, tuple[str, ...]] = {}
    left_out: tuple[str, ...] = ()

    def target(self, name: str) -> str:
        """The name of the table that its rows go to now."""
        return f"{name}__g{self.generation}" if self.generation > 1 else name


def places_of(history: SchemaHistory | None, store: str) -> Places | None:
    """The places of the newest shape that was taken; None when the store has no table of its key."""
    if history is None or history.latest is None or (layout := history.layouts.get(store)) is None:
        return Places()
    kind, shape = STORES[store], history.latest
    generation = layout.find(kind, shape)
    if generation is None:
        return None
    names: dict[str, str] = {}
    older: dict[str, tuple[str, ...]] = {}
    left_out = []
    for column in shape.columns:
        beside = [each for each in generation.columns if each.column.name == column.name]
        here = [each.name for each in beside if kind.type_of(each.column) == kind.type_of(column)]
        if not here:
            left_out.append(column.name)
            continue
        if here[0] != column.name:
            names[column.name] = here[0]
        if others := tuple(each.name for each in beside if each.name != here[0]):
            older[column.name] = others
    return Places(generation.number, names, older, tuple(left_out))

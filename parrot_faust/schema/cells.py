"""The table of kind of change x behaviour x store, worked out by the planner itself: for the documentation and for the
test that drives every cell on the real stores.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from models import Column, Kind, TableSchema
from parrot_faust.schema.behaviour import KINDS, Behaviour
from parrot_faust.schema.layout import Layout
from parrot_faust.schema.plan import decide
from parrot_faust.schema.stores import STORES, Store


class Outcome(StrEnum):
    """What a change comes to in a store."""

    HELD = "the table is held"
    NOTHING = "nothing to do"
    CREATED = "table made"
    ADDED = "column added"
    BESIDE = "column beside the old one"
    STAYS = "column stays, null from then on"
    DROPPED = "column dropped"
    CLEARED = "its cells go as their rows change"
    LEFT_OUT = "values not written, and said"
    GENERATION = "new generation of the table"
    DEAD_LETTERS = "rows become dead letters"


_ID = Column("id", Kind.INT64, False)
_NAME = Column("name", Kind.STRING)
_PRICE = Column("price", Kind.INT32)


def _shape(*columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    return TableSchema.of("shop.public.orders", columns, key, namespace="public", relation="orders")


_BEFORE = _shape(_ID, _NAME, _PRICE)
#: An example of each kind of change: the shape before, and after.
EXAMPLES: dict[str, tuple[TableSchema | None, TableSchema]] = {
    "CreateTable": (None, _BEFORE),
    "AddColumn": (_BEFORE, _shape(_ID, _NAME, _PRICE, Column("more", Kind.STRING))),
    "DropColumn": (_BEFORE, _shape(_ID, _NAME)),
    "AlterColumnType": (_BEFORE, _shape(_ID, _NAME, Column("price", Kind.STRING))),
    "AlterNullability": (_shape(_ID, Column("name", Kind.STRING, False), _PRICE), _BEFORE),
    "AlterKey": (_BEFORE, _shape(_ID, _NAME, Column("price", Kind.INT32, False), key=("id", "price"))),
}


def outcome(kind: str, behaviour: Behaviour, store: Store) -> Outcome:
    """What the planner does with the example of a kind of change when this behaviour was chosen for that kind."""
    before, after = EXAMPLES[kind]
    layouts = {store.name: Layout()}
    if before is not None:
        layouts = decide(None, before, layouts, [store], lambda _: Behaviour.LENIENT).layouts
    decision = decide(before, after, layouts, [store], lambda each: behaviour if each == kind else Behaviour.LENIENT)
    if decision.reasons:
        return Outcome.HELD
    (plan,) = decision.plans
    for step in plan.steps:
        if step.change == "CreateTable":
            return Outcome.CREATED if step.generation == 1 else Outcome.GENERATION
        if step.change == "AddColumn":
            return Outcome.BESIDE if kind == "AlterColumnType" else Outcome.ADDED
        return Outcome.CLEARED if store.name == "hbase" else Outcome.DROPPED
    if plan.losses:
        return Outcome.DEAD_LETTERS if kind in ("CreateTable", "AlterKey") else Outcome.LEFT_OUT
    return Outcome.STAYS if plan.notes else Outcome.NOTHING


def table() -> Iterator[str]:
    """The table in Markdown, line by line."""
    yield "| change | behaviour | Kudu | HBase |"
    yield "|---|---|---|---|"
    for kind in KINDS:
        for behaviour in Behaviour:
            cells = [outcome(kind, behaviour, store).value for store in STORES.values()]
            yield f"| {kind} | {behaviour} | {' | '.join(cells)} |"


def limits() -> Iterator[str]:
    """What each store can't do, in Markdown."""
    for store in STORES.values():
        yield f"- {store.name}: {store.limits}."


def filled(text: str) -> str:
    """A documentation page with the tables of this module between their marks."""
    for mark, lines in (("behaviours", table()), ("limits", limits())):
        head, begin, rest = text.partition(f"<!-- {mark} -->\n")
        _, end, tail = rest.partition(f"<!-- /{mark} -->")
        if not begin or not end:
            raise ValueError(f"the page has no place for {mark}")
        text = f"{head}{begin}{chr(10).join(lines)}\n{end}{tail}"
    return text


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")

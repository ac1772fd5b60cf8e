"""A table of one column a kind, and rule files about it."""

from __future__ import annotations

from typing import Any

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import Compiled, compile_rules, load

#: One column of each kind, named after it, and two more to compare.
KINDS = tuple(Kind)
NAMES = (*(str(kind) for kind in KINDS), "other", "flag")
ALL = TableSchema.of(
    "shop.public.all",
    (*(Column(str(kind), kind) for kind in KINDS), Column("other", Kind.INT64), Column("flag", Kind.STRING)),
    ("int64",),
)


def change(op: Op = Op.CREATE, unset: tuple[str, ...] = (), **values: Any) -> Change:
    """A change whose row has these values and null elsewhere; a delete has it before, all else after."""
    row = tuple(values.get(name) for name in NAMES)
    before, after = (row, None) if op is Op.DELETE else (None, row)
    return Change(op, 0, 7, 0, (1,), before, after, tuple(NAMES.index(name) for name in unset))


def compiled(columns: str = "", more: str = "", schema: TableSchema = ALL) -> Compiled:
    """The rules below `columns:` (and what stands beside it), compiled."""
    text = f"table: shop.public.all\n{more}\n" + (f"columns:\n  {columns}\n" if columns else "")
    return compile_rules(load(text, "all.yaml"), schema)


def passes(columns: str, more: str = "", **values: Any) -> bool:
    """Whether a created row with these values meets the rules, none of which may be suspended."""
    rules = compiled(columns, more)
    assert not rules.suspended, rules.suspended
    return not rules.scan([change(**values)])

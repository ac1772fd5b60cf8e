"""Why rows differ: what was held back of them, what a rule drops, what is not captured yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from models import Action, Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import RuleSet, compile_rules
from parrot_faust.verify.differences import Row
from parrot_faust.verify.held import Held
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.report import Kind as How
from parrot_faust.verify.report import Reason, RowDifference, StoreDifference, Value, shown
from parrot_faust.verify.stored import EARLIER, Logical, without_zeros

#: What rules see of a column.
KINDS = {
    Logical.BOOL: Kind.BOOL,
    Logical.INT16: Kind.INT16,
    Logical.INT32: Kind.INT32,
    Logical.INT64: Kind.INT64,
    Logical.FLOAT32: Kind.FLOAT32,
    Logical.FLOAT64: Kind.FLOAT64,
    Logical.DECIMAL: Kind.DECIMAL,
    Logical.TEXT: Kind.STRING,
    Logical.ARRAY: Kind.STRING,
    Logical.BYTES: Kind.BYTES,
    Logical.DATE: Kind.DATE,
    Logical.TIME: Kind.TIME,
    Logical.MOMENT: Kind.TIMESTAMP,
}


class Ruled(NamedTuple):
    """What the rules do with a source row. `replaced` are the values that they put in, as text, by column; it is None
    where they drop the row. `decimals` are the columns of numbers.
    """

    rule: str
    version: str
    replaced: Mapping[str, str | None] | None
    decimals: frozenset[str] = frozenset()

    def puts_in(self, value: Value, store: str) -> bool:
        """Whether a store's value is the one that is put in; of a decimal the number, whose scale is the column's."""
        replaced = self.replaced or {}
        if value.column not in replaced:
            return False
        mine, theirs = replaced[value.column], value.stores.get(store)
        if value.column in self.decimals and mine is not None and theirs is not None:
            return without_zeros(mine) == without_zeros(theirs)
        return mine == theirs


#: Says what the rules do with a source row (not masked); None when they let it pass as it is, or leave a record behind.
Ruler = Callable[[Row], Ruled | None]


_EXPLAINING = (Action.DROP, Action.DEFAULT, Action.NULL)


def explained(
    difference: RowDifference,
    held: Sequence[Held],
    ruled: Ruled | None,
    uncaptured: frozenset[str],
    aged: str = "",
) -> RowDifference:
    """The difference with a reason for every store where there is one.

    `held` are the key's last records if they were held back, `ruled` says what the rules do with the source's row,
    `uncaptured` the source's columns that no change has carried yet, `aged` why Kudu keeps the row no longer, if so.
    """
    return msgspec.structs.replace(
        difference,
        stores=tuple(
            msgspec.structs.replace(store, reason=Reason.AGED_OUT, detail=aged)
            if aged and store.store == "kudu" and store.kind is How.MISSING
            else _store(store, difference, held, ruled, uncaptured)
            for store in difference.stores
        ),
    )


def _store(
    store: StoreDifference,
    difference: RowDifference,
    held: Sequence[Held],
    ruled: Ruled | None,
    uncaptured: frozenset[str],
) -> StoreDifference:
    for record in held:
        if record.sink in ("", store.store):
            if record.quarantined:
                detail = f"by rule {record.rule} version {record.version}: {record.place}"
                return msgspec.structs.replace(store, reason=Reason.QUARANTINED, detail=detail)
            detail = f"{record.place}: {record.error}"
            return msgspec.structs.replace(store, reason=Reason.DEAD_LETTER, detail=detail)
    if ruled is not None and ruled.replaced is None:
        detail = f"by rule {ruled.rule} version {ruled.version}, which the source's row breaks"
        return msgspec.structs.replace(store, reason=Reason.DROPPED, detail=detail)
    if ruled is not None and store.kind is How.DIFFERS:
        # Only what the rule has put in: any other value is as wrong as without it.
        differing = [value for value in difference.values if _differs(value, store.store)]
        if all(ruled.puts_in(value, store.store) for value in differing):
            detail = f"{ruled.rule} version {ruled.version}"
            return msgspec.structs.replace(store, reason=Reason.REPLACED, detail=detail)
    if store.kind is How.DIFFERS and _columns(store.store, difference) <= uncaptured:
        detail = "the source sends a new column with the row's next change"
        return msgspec.structs.replace(store, reason=Reason.SCHEMA_HELD, detail=detail)
    if store.kind is How.DIFFERS:
        differing = [value for value in difference.values if _differs(value, store.store)]
        if all((value.stores.get(store.store) or "").startswith(EARLIER) for value in differing):
            detail = "the row was not written since the type changed; a snapshot writes it anew"
            return msgspec.structs.replace(store, reason=Reason.OLDER_COLUMN, detail=detail)
    return store


def _columns(store: str, difference: RowDifference) -> set[str]:
    return {value.column for value in difference.values if _differs(value, store)}


def _differs(value: Value, store: str) -> bool:
    return value.stores.get(store) != value.source


def ruler(plan: TablePlan, rules: RuleSet | None) -> Ruler | None:
    """What runs a table's rules over rows of the source as `plan.unmasked()` reads them; None when it has no rules.

    Rules on the image before a change, and on columns that are not compared, can't be run again: what they did stays
    unexplained.
    """
    if rules is None or not rules.rules:
        return None
    columns = tuple(Column(column.name, KINDS[column.logical]) for column in plan.columns)
    names = [column.name for column in columns]
    compiled = compile_rules(rules, TableSchema.of(plan.topic, columns, tuple(column.name for column in plan.key)))
    decimals = [place for place, column in enumerate(plan.columns) if column.logical is Logical.DECIMAL]

    exact = frozenset(names[place] for place in decimals)

    def run(row: Row) -> Ruled | None:
        values: list[Any] = list(row)
        for place in decimals:
            if values[place] is not None:
                values[place] = Decimal(values[place])
        for op in (Op.UPDATE, Op.CREATE, Op.READ):
            change = Change(op, 0, 0, 0, row[: plan.keys], None, tuple(values))
            for _, mask in compiled.scan([change]):
                # Of several failed rules the strictest decides: one that quarantines leaves its record behind.
                action, failures = compiled.settle(change, mask)
                if action in _EXPLAINING and change.after is not None:
                    rule = next(failure.rule for failure in failures if failure.action is action)
                    put_in = {
                        name: shown(format(new, "f") if isinstance(new, Decimal) else new)
                        for name, new, old in zip(names, change.after, values, strict=True)
                        if new is not old
                    }
                    return Ruled(rule, rules.version, None if action is Action.DROP else put_in, exact)
        return None

    return run


def uncaptured(plan: TablePlan, shapes: Mapping[str, TableSchema]) -> frozenset[str]:
    """The compared columns that the table's latest captured shape lacks."""
    shape = shapes.get(plan.topic)
    if shape is None:
        return frozenset()
    return frozenset(column.name for column in plan.columns) - {column.name for column in shape.columns}

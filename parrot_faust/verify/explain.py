"""Why rows differ: what was held back of them, what a rule drops, what is not captured yet. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from models import Action, Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import RuleSet, compile_rules
from parrot_faust.verify.differences import Row
from parrot_faust.verify.held import Held
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.report import Kind as How
from parrot_faust.verify.report import Reason, RowDifference, StoreDifference
from parrot_faust.verify.stored import Logical

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

#: Says which dropping rule a source row (not masked) breaks, and its version; None when none does.
Dropper = Callable[[Row], tuple[str, str] | None]


def explained(
    difference: RowDifference,
    held: Sequence[Held],
    dropped: tuple[str, str] | None,
    uncaptured: frozenset[str],
) -> RowDifference:
    """The difference with a reason for every store where there is one.

    `held` are the key's last records if they were held back, `dropped` the rule that drops the source's row,
    `uncaptured` the source's columns that no change has carried yet.
    """
    return msgspec.structs.replace(
        difference,
        stores=tuple(_store(store, difference, held, dropped, uncaptured) for store in difference.stores),
    )


def _store(
    store: StoreDifference,
    difference: RowDifference,
    held: Sequence[Held],
    dropped: tuple[str, str] | None,
    uncaptured: frozenset[str],
) -> StoreDifference:
    for record in held:
        if record.sink in ("", store.store):
            if record.quarantined:
                detail = f"by rule {record.rule} version {record.version}: {record.place}"
                return msgspec.structs.replace(store, reason=Reason.QUARANTINED, detail=detail)
            detail = f"{record.place}: {record.error}"
            return msgspec.structs.replace(store, reason=Reason.DEAD_LETTER, detail=detail)
    if dropped is not None:
        detail = f"by rule {dropped[0]} version {dropped[1]}, which the source's row breaks"
        return msgspec.structs.replace(store, reason=Reason.DROPPED, detail=detail)
    if store.kind is How.DIFFERS and _columns(store.store, difference) <= uncaptured:
        detail = "the source sends a new column with the row's next change"
        return msgspec.structs.replace(store, reason=Reason.SCHEMA_HELD, detail=detail)
    return store


def _columns(store: str, difference: RowDifference) -> set[str]:
    return {value.column for value in difference.values if value.stores.get(store) != value.source}


def dropper(plan: TablePlan, rules: RuleSet | None) -> Dropper | None:
    """What runs a table's rules over rows of the source as `plan.unmasked()` reads them; None when it has no rules.

    Rules on the image before a change, and on columns that are not compared, can't be run again: what they dropped
    stays unexplained.
    """
    if rules is None or not rules.rules:
        return None
    columns = tuple(Column(column.name, KINDS[column.logical]) for column in plan.columns)
    schema = TableSchema.of(plan.topic, columns, tuple(column.name for column in plan.key))
    compiled = compile_rules(rules, schema)
    decimals = [place for place, column in enumerate(plan.columns) if column.logical is Logical.DECIMAL]

    def drops(row: Row) -> tuple[str, str] | None:
        values: list[Any] = list(row)
        for place in decimals:
            if values[place] is not None:
                values[place] = Decimal(values[place])
        for op in (Op.UPDATE, Op.CREATE, Op.READ):
            change = Change(op, 0, 0, 0, row[: plan.keys], None, tuple(values))
            for _, mask in compiled.scan([change]):
                failures = compiled.explain(change, mask)
                # Of several failed rules the strictest decides: one that quarantines leaves its record behind.
                if compiled.action(mask) is Action.DROP:
                    return next(failure.rule for failure in failures if failure.action is Action.DROP), rules.version
        return None

    return drops


def uncaptured(plan: TablePlan, shapes: Mapping[str, TableSchema]) -> frozenset[str]:
    """The compared columns that the table's latest captured shape lacks."""
    shape = shapes.get(plan.topic)
    if shape is None:
        return frozenset()
    return frozenset(column.name for column in plan.columns) - {column.name for column in shape.columns}

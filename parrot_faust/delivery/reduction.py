"""Keeping of every key only its last operation, before the costly step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models import Row, RowOp


@dataclass(frozen=True, slots=True)
class Reduced:
    """`rows` hold each key once; `positions[i]` is where in the input the last row stands that `rows[i]` is made of."""

    rows: list[Row]
    positions: list[int]


def reduce(rows: Sequence[Row], key_positions: tuple[int, ...]) -> Reduced:
    """Return the last operation of every key, ordered by where it stood.

    The store ends as if the rows had been applied one by one. So columns that a later upsert leaves unset take the
    value of an earlier upsert of the key in the same run, and null after a delete, for there the store no longer has
    one. Earlier operations count as folded into the last one.
    """
    last: dict[object, tuple[int, Row]] = {}
    single = key_positions[0] if len(key_positions) == 1 else None
    for position, row in enumerate(rows):
        values = row.values
        key: object
        if row.op == RowOp.DELETE:
            key = values[0] if single is not None else values
        else:
            key = values[single] if single is not None else tuple(values[index] for index in key_positions)
            if row.unset and (before := last.get(key)) is not None:
                row = _filled(row, before[1])
        last.pop(key, None)  # so that the order is that of the last operation
        last[key] = (position, row)
    return Reduced([row for _, row in last.values()], [position for position, _ in last.values()])


def _filled(row: Row, before: Row) -> Row:
    if before.op == RowOp.DELETE:
        return Row(row.offset, row.version, row.op, row.values)  # an unset position holds null
    values = list(row.values)
    unset = []
    for index in row.unset:
        if index in before.unset:
            unset.append(index)
        else:
            values[index] = before.values[index]
    return Row(row.offset, row.version, row.op, tuple(values), tuple(unset))

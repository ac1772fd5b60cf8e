"""Whether what is committed of a writes topic is in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tapes import Address, Entry, Position

from models import Chunk, RowOp

Key = tuple[Any, ...]
NOWHERE = (-1, -1)


@dataclass(frozen=True)
class Watched:
    """A table that the oracle judges. `drops` says of a row which rule drops it; `n` names its change-number column,
    without which what is committed can't be held against what is durable. A fault that changes a table's shape compares
    its rows itself: `rows` is False then.
    """

    name: str
    key: tuple[str, ...]
    drops: Callable[[Mapping[str, Any]], bool] = lambda _row: False
    n: str | None = "n"
    rows: bool = True


def not_durable(
    chunks: Iterable[tuple[Entry, Chunk]],
    committed: Position,
    tables: Mapping[str, Watched],
    dead: AbstractSet[Address],
    shown: Callable[[str, Key], Any],
) -> tuple[int, list[str]]:
    """The keys that have something committed, counted, and those of them whose row is older than that.

    `chunks` are those of a store in the order of each partition, `tables` by source topic, `dead` the rows that the
    store has refused, `shown` the change number that the store has for a key, None where it has no row.

    The last operation of a key below the committed offset must be there, or one that stands behind it in the writes
    topic. That may be older by the source: what an owner sends again may be in the store already, and Kudu then shows a
    row again as it was, until the rest has come again too.
    """
    last: dict[tuple[str, Key], tuple[tuple[int, int], RowOp]] = {}
    written: dict[tuple[str, Key, Any], tuple[int, int]] = {}
    deleted: dict[tuple[str, Key], tuple[int, int]] = {}
    for entry, chunk in chunks:
        table = tables.get(chunk.header.table)
        if table is None:
            continue
        names = [column.name for column in chunk.schema.columns]
        for row in chunk.rows:
            if (chunk.header.table, chunk.header.partition, row.offset) in dead:
                continue
            place = (entry.offset, row.offset)
            if row.op is RowOp.DELETE:
                key = tuple(dict(zip(chunk.schema.key, row.values, strict=True))[name] for name in table.key)
                deleted[table.name, key] = place
            else:
                values = dict(zip(names, row.values, strict=True))
                key = tuple(values[name] for name in table.key)
                written[table.name, key, values[table.n or ""]] = place
            if entry.offset < committed.get((entry.topic, entry.partition), 0):
                last[table.name, key] = (place, row.op)
    missing = []
    for (name, key), (place, op) in last.items():
        number = shown(name, key)
        if number is None:
            durable = op is RowOp.DELETE or deleted.get((name, key), NOWHERE) > place
        else:
            durable = written.get((name, key, number), NOWHERE) >= place
        if not durable:
            what = "no row" if number is None else number
            missing.append(f"{name} {key}: committed {op.name} at {place}, the store shows {what}")
    return len(last), missing

"""From keys that differed once to rows that differ: a difference counts when it is still there after the pipeline has
passed the source's position.

One round over a set of keys: read their rows at the source; wait until the pipeline has passed what was committed by
then; read them in the stores; read them at the source again. A row that the source has not changed between its two
readings must be in the stores as it is. If it is not, the next round has to find the same once more: a row that was
deleted, inserted and deleted again looks unchanged at the source although it was not. What changes in every round, and
all of it when the pipeline does not get there in time, is in flight: neither equal nor different.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from parrot_faust.verify.differences import Key, Row, same
from parrot_faust.verify.plan import TablePlan

ROUNDS = 6

Marked = dict[Key, tuple[Row, str]]
Rows = dict[Key, Row]


class SourceRows(Protocol):
    """Reads rows of the source with what tells one version of a row from another."""

    def fetch_marked(self, plan: TablePlan, keys: Sequence[Key]) -> Marked: ...


class StoreRows(Protocol):
    """Reads rows of a store."""

    def fetch(self, plan: TablePlan, keys: Sequence[Key]) -> Rows: ...


class Differs(NamedTuple):
    """A key whose rows differ: the source's and the stores'."""

    key: Key
    source: Row | None
    stores: dict[str, Row | None]


class Settled(NamedTuple):
    """What became of a table's candidates. `undecided` says what was missing for those in flight, if anything was."""

    differ: list[Differs]
    caught_up: int
    in_flight: list[Key]
    undecided: str


def settle(
    candidates: Mapping[str, Sequence[Key]],
    plans: Mapping[str, TablePlan],
    source: SourceRows,
    stores: Mapping[str, Mapping[str, StoreRows]],
    passed: Callable[[], str],
    rounds: int = ROUNDS,
) -> dict[str, Settled]:
    """Settle the candidate keys of all tables together. `stores` are those of each table."""
    open_keys = {table: list(keys) for table, keys in candidates.items() if keys}
    suspects: dict[tuple[str, Key], Differs] = {}
    differ: dict[str, list[Differs]] = {table: [] for table in candidates}
    caught_up = dict.fromkeys(candidates, 0)
    undecided = ""
    for _ in range(rounds):
        if not open_keys or undecided:
            break
        before = {table: source.fetch_marked(plans[table], keys) for table, keys in open_keys.items()}
        if undecided := passed():
            break
        left: dict[str, list[Key]] = {}
        for table, keys in open_keys.items():
            found = {name: store.fetch(plans[table], keys) for name, store in stores[table].items()}
            after = source.fetch_marked(plans[table], keys)
            for key in keys:
                if before[table].get(key) != after.get(key):
                    suspects.pop((table, key), None)
                    left.setdefault(table, []).append(key)
                    continue
                row = after[key][0] if key in after else None
                now = Differs(key, row, {name: rows.get(key) for name, rows in found.items()})
                if all(same(row, other) for other in now.stores.values()) and not _malformed(key):
                    caught_up[table] += 1
                elif _alike(suspects.get((table, key)), now):
                    differ[table].append(now)
                else:
                    suspects[table, key] = now
                    left.setdefault(table, []).append(key)
        open_keys = left
    return {
        table: Settled(
            differ[table], caught_up[table], open_keys.get(table, []), undecided if table in open_keys else ""
        )
        for table in candidates
    }


def _alike(one: Differs | None, other: Differs) -> bool:
    return (
        one is not None
        and same(one.source, other.source)
        and all(same(row, other.stores[name]) for name, row in one.stores.items())
    )


def _malformed(key: Key) -> bool:
    return any(isinstance(part, tuple) for part in key)

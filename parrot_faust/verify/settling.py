"""From keys that differed once to rows that differ: a difference counts when it is still there after the pipeline has
passed the source's position.

One round over a set of keys: read their rows at the source; wait until the pipeline has passed what was committed by
then; read them in the stores; read them at the source again. A row that the source has not changed between its two
readings must be in the stores as it is. If it is not, the next round has to find the same once more: a row that was
deleted, inserted and deleted again looks unchanged at the source although it was not. What changes in every round, and
all of it when the pipeline does not get there in time, is in flight: neither equal nor different.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from parrot_faust.verify.differences import Key, Row, same
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.report import RowDifference

ROUNDS = 6

Marked = dict[Key, tuple[Row, str]]
Rows = dict[Key, Row]
Explained = list[tuple[Key, RowDifference]]


class SourceRows(Protocol):
    """Reads rows of the source with what tells one version of a row from another."""

    def fetch_marked(self, plan: TablePlan, keys: Sequence[Key]) -> Marked: ...


class StoreRows(Protocol):
    """Reads rows of a store."""

    def fetch(self, plan: TablePlan, keys: Sequence[Key]) -> Rows: ...


class Differs(NamedTuple):
    """A key whose rows differ: the source's and the stores'. `mark` is that of the source's row, None without one."""

    key: Key
    source: Row | None
    stores: dict[str, Row | None]
    mark: str | None


class Settled(NamedTuple):
    """What became of a table's candidates. `undecided` says what was missing for those in flight, if anything was."""

    differ: list[Differs]
    caught_up: int
    in_flight: list[Key]
    undecided: str

    def anew(self, keys: Collection[Key], again: Settled) -> Settled:
        """With these keys as they have been settled `again`."""
        kept = [each for each in self.differ if each.key not in keys]
        return Settled(
            kept + again.differ,
            self.caught_up + again.caught_up,
            self.in_flight + again.in_flight,
            again.undecided or self.undecided,
        )


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
                row, mark = after.get(key, (None, None))
                now = Differs(key, row, {name: rows.get(key) for name, rows in found.items()}, mark)
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


def reasoned(
    settled: dict[str, Settled],
    plans: Mapping[str, TablePlan],
    source: SourceRows,
    explain: Callable[[str], Explained],
    again: Callable[[Mapping[str, list[Key]]], Mapping[str, Settled]],
    rounds: int = ROUNDS,
) -> dict[str, Explained]:
    """Explain what differs in each table.

    Reasons are read after the rows. A row without one that the source has changed since may have lost it to that
    change, so it is settled `again`, in `settled` too, and explained anew; what changes in every round is in flight.
    """
    rows = {table: explain(table) for table in settled}
    for left in reversed(range(rounds)):
        moved = {table: _moved(plans[table], settled[table], rows[table], source) for table in settled}
        moved = {table: keys for table, keys in moved.items() if keys}
        if not moved:
            break
        anew = again(moved) if left else {table: Settled([], 0, keys, "") for table, keys in moved.items()}
        for table, keys in moved.items():
            settled[table] = settled[table].anew({*keys}, anew[table])
            rows[table] = explain(table)
    return rows


def _moved(plan: TablePlan, settled: Settled, rows: Explained, source: SourceRows) -> list[Key]:
    """The keys without a reason whose rows the source has changed since they were settled."""
    unexplained = [key for key, each in rows if not each.explained]
    if not unexplained:
        return []
    marks = {each.key: each.mark for each in settled.differ}
    now = source.fetch_marked(plan, unexplained)
    return [key for key in unexplained if now.get(key, (None, None))[1] != marks[key]]


def _alike(one: Differs | None, other: Differs) -> bool:
    return (
        one is not None
        and same(one.source, other.source)
        and all(same(row, other.stores[name]) for name, row in one.stores.items())
    )


def _malformed(key: Key) -> bool:
    return any(isinstance(part, tuple) for part in key)

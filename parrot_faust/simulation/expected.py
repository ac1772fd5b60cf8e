"""What a store must hold in the end, told from the source alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from models import Change, Op
from parrot_faust.simulation.shapes import NOTE, NUMBER, POISON, WIDTH, Key
from parrot_faust.simulation.source import Source
from parrot_faust.simulation.stores import Rows, Store

Row = tuple[Any, ...]


def admissible(source: Source, store: Store) -> dict[Key, set[Row | None]]:
    """The rows that each key may have, None for no row.

    There is one, but where a refused change has brought a note: a later change, or a replayed one, that leaves its note
    out takes that along where both are written at once, and leaves what the store has otherwise.
    """
    rows: dict[Key, set[Row | None]] = {}
    brought: dict[Key, set[Any]] = {}
    for change in _changes(source):
        if change.after is not None and _refused(change, store) and NOTE not in change.unset:
            brought.setdefault(_key(change), set()).add(change.after[NOTE])
    for change in _changes(source):
        key = _key(change)
        if not _refused(change, store):
            rows[key] = _after(change, rows.get(key, {None}), brought.get(key, set()))
    return rows


def _key(change: Change) -> Key:
    return change.key[0], change.key[1]


def _refused(change: Change, store: Store) -> bool:
    poison = store.poison and change.after is not None and change.after[NUMBER] == POISON
    return poison or change.key in store.refuse


def _after(change: Change, rows: set[Row | None], brought: set[Any]) -> set[Row | None]:
    if change.op is Op.DELETE or change.after is None:
        return {None}
    whole = (*change.after, *(None,) * (WIDTH - len(change.after)))
    if NOTE not in change.unset:
        return {whole}
    notes = brought | {row[NOTE] if row else None for row in rows}
    return {(*whole[:NOTE], note, *whole[NOTE + 1 :]) for note in notes}


def refusable(source: Source, store: Store) -> tuple[set[int], set[int]]:
    """Offsets that may be dead-lettered, and those that must be: nothing later of the key can have replaced them."""
    may, last = set(), {}
    for change in _changes(source):
        refused = _refused(change, store)
        if refused:
            may.add(change.offset)
        last[change.key] = change.offset if refused else None
    return may, {offset for offset in last.values() if offset is not None}


def difference(sources: Iterable[Source], store: Store) -> str:
    """The first row that a store must not have, or lacks, in words; empty when there is none."""
    rows: Rows = store.rows()
    keys: dict[Key, set[Row | None]] = {}
    for source in sources:
        keys |= admissible(source, store)
    for key in sorted(keys | rows):
        wanted, found = keys.get(key, {None}), rows.get(key)
        if found not in wanted:
            options = " or ".join(str(row) for row in sorted(wanted, key=str))
            return f"{store.name}: key {key} is {found}, and must be {options}"
    return ""


def _changes(source: Source) -> Iterable[Change]:
    return (record.change for records in source.topics for record in records if record.change)

"""Which keys differ, and how: from sums to buckets, from digests to keys, from rows to columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from parrot_faust.verify.hashing import count_of
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.report import Kind, RowDifference, StoreDifference, Value, shown

Key = tuple[Any, ...]
Row = tuple[Any, ...]
_same = msgspec.msgpack.Encoder().encode


def differing_buckets(source: Sequence[int], stores: Iterable[Sequence[int]]) -> list[int]:
    """The buckets whose sums are not those of the source in every store."""
    found: set[int] = set()
    for sums in stores:
        if sums != source:
            found |= {bucket for bucket, (one, other) in enumerate(zip(source, sums, strict=True)) if one != other}
    return sorted(found)


def as_kept(sums: Sequence[int], source: Sequence[int]) -> list[int]:
    """A store's sums of old rows, with those of the source where it has none left."""
    return [own or theirs for own, theirs in zip(sums, source, strict=True)]


def groups(buckets: Sequence[int], all_sums: Sequence[Sequence[int]], limit: int) -> Iterator[list[int]]:
    """Buckets together that hold at most about `limit` rows in each store; a fuller one comes alone."""
    group: list[int] = []
    held = 0
    for bucket in buckets:
        rows = max(count_of(sums[bucket]) for sums in all_sums)
        if group and held + rows > limit:
            yield group
            group, held = [], 0
        group.append(bucket)
        held += rows
    if group:
        yield group


def flags(chosen: Iterable[int], buckets: int) -> bytes:
    """A byte a bucket, 1 for the chosen ones."""
    made = bytearray(buckets)
    for bucket in chosen:
        made[bucket] = 1
    return bytes(made)


def differing_keys(source: Mapping[bytes, bytes], stores: Iterable[Mapping[bytes, bytes]]) -> set[bytes]:
    """The encoded keys that a store holds otherwise, lacks, or has beyond the source."""
    found: set[bytes] = set()
    for rows in stores:
        if rows != source:
            found |= {key for key, digest in source.items() if rows.get(key) != digest}
            found |= rows.keys() - source.keys()
    return found


def same(one: Row | None, other: Row | None) -> bool:
    """Whether rows are equal to the bit: -0.0 is not 0.0, True is not 1, and NaN is NaN."""
    return _same(one) == _same(other)


def row_difference(
    plan: TablePlan, key: Key, source: Row | None, stores: Mapping[str, Row | None]
) -> RowDifference | None:
    """How the stores' rows of a key differ from the source's; None when they do not."""
    found = []
    for store, row in stores.items():
        if not same(source, row):
            kind = Kind.MISSING if row is None else Kind.EXTRA if source is None else Kind.DIFFERS
            found.append(StoreDifference(store, kind))
    if not found:
        return None
    values = []
    for place, column in enumerate(plan.columns):
        in_source = None if source is None else source[place]
        in_stores = {store: row[place] for store, row in stores.items() if row is not None}
        if source is None or any(not same((in_source,), (value,)) for value in in_stores.values()):
            values.append(
                Value(column.name, shown(in_source), {store: shown(value) for store, value in in_stores.items()})
            )
    return RowDifference(plan.topic, key_shown(plan, key), tuple(found), tuple(values))


def key_shown(plan: TablePlan, key: Key) -> dict[str, str]:
    """A key's columns with their values as text. What is no key of the table at all is shown whole."""
    if len(key) != plan.keys or any(isinstance(part, tuple | msgspec.Struct) for part in key):
        return {"row key": "; ".join(str(part[-1] if isinstance(part, tuple) else part) for part in key)}
    return {column.name: shown(part) or "" for column, part in zip(plan.key, key, strict=True)}

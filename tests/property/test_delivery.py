"""Whatever happens on the way, the store ends equal to the source, and every offset is counted once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from delivery_world import PARTITIONS, TABLE, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

#: How long an example takes says something of the machine only.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run(seed: int) -> World:
    world = World(seed)
    world.run()
    return world


@given(st.integers(0, 2**64 - 1))
@settings(CALM, max_examples=250)
def test_store_ends_equal_to_the_source_whatever_happens_on_the_way(seed: int) -> None:
    world = run(seed)
    assert world.stored() == world.expected()


@pytest.mark.parametrize("seed", [541, 1374, 1782, 1938, 2257, 2403])
def test_seeds_that_once_failed_end_equal(seed: int) -> None:
    """A writer who took over let a thawed reader's older chunk pass."""
    world = run(seed)
    assert world.stored() == world.expected()


@given(st.integers(0, 2**64 - 1))
@settings(CALM, max_examples=150)
def test_every_offset_is_counted_once_however_often_it_was_delivered(seed: int) -> None:
    world = run(seed)
    records = [record for source in world.sources for record in source.records]
    rows = sum(record.change is not None for record in records)
    view = world.stats.snapshot()
    counts = view["sources"][TABLE]
    assert counts["captured"] == len(records)
    assert counts["forwarded"] == rows
    assert counts["tombstones"] == sum(record.tombstone for record in records)
    assert counts["skipped"] == len(records) - rows - counts["tombstones"]
    written = view["sinks"]["memory"]["tables"][TABLE] if rows else {"applied": 0, "dead_lettered": 0}
    assert written["applied"] + written["dead_lettered"] == rows
    assert bool(written["dead_lettered"]) is any(
        record.change and record.change.key in world.sink.refuse for record in records
    )


@given(st.integers(0, 2**64 - 1))
@settings(CALM, max_examples=100)
def test_in_the_end_all_is_settled_and_versions_grow_with_the_offset(seed: int) -> None:
    world = run(seed)
    for partition in PARTITIONS:
        records = world.sources[partition].records
        committed = world.commits.get(partition, (0, ""))[0]
        assert world.ledger.settled(partition) in (records[-1].offset + 1, None)
        assert world.ledger.settled(partition) is not None or committed == records[-1].offset + 1
        versions = [version for (of, _), version in sorted(world.versions.items()) if of == partition]
        assert all(before < after for before, after in pairwise(versions))
        assert len(versions) == sum(record.change is not None for record in records)
    assert world.ledger.outstanding("writes") == (0, 0)


def test_worlds_are_the_same_for_the_same_seed() -> None:
    first, second = run(7), run(7)
    assert first.log == second.log
    assert first.happened == second.happened


def test_everything_that_may_happen_does() -> None:
    happened: Counter[str] = Counter()
    for seed in range(60):
        happened += run(seed).happened
    for event in ("commit", "rebalance", "thaw", "sent twice", "refused", "store failed", "written again"):
        assert happened[event] >= 60, happened

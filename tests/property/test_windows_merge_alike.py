"""However rows are cut into batches, merged, read again after crashes and spread over partitions: one verdict."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models import Change, Column, Kind, Op, TableSchema, Tallied, WindowResult
from parrot_faust.quality import load
from parrot_faust.quality.folding import Fold
from parrot_faust.quality.window_state import Outcome, TableWindows

RULES = load(
    """
table: t
windows:
  - every: 1s
    grace: 10s
    checks:
      - be_unique: {column: id}
        mostly: 0.6
      - mean_to_be_between: {column: n, min_value: -3, max_value: 7}
      - stdev_to_be_between: {column: n, min_value: 0.5, max_value: 5}
      - sum_to_be_between: {column: n, max_value: 40}
      - max_to_be_between: {column: n, max_value: 8}
      - median_to_be_between: {column: n, min_value: -2, max_value: 5}
      - unique_value_count_to_be_between: {column: n, max_value: 9}
      - most_common_value_to_be_in_set: {column: note, value_set: [a, b], ties_okay: true}
      - distinct_values_to_be_in_set: {column: note, value_set: [a, b, c]}
      - be_increasing: {column: id}
        mostly: 0.5
      - row_count_to_be_between: {min_value: 2, max_value: 30}
  - every: 3s
    grace: 10s
    checks: [{proportion_of_non_null_values_to_be_between: {column: note, min_value: 0.7}}]
""",
    "t.yaml",
)
SCHEMA = TableSchema.of("t", (Column("id", Kind.INT64), Column("n", Kind.INT64), Column("note", Kind.STRING)), ("id",))
FOLD = Fold(RULES, SCHEMA)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 12), st.one_of(st.none(), st.integers(-10, 10)), st.sampled_from([None, "a", "b", "c", "d"]),
        st.integers(0, 5_999), st.integers(0, 2),
    ),
    min_size=1,
    max_size=60,
)  # fmt: skip
END_MS = 100_000


def partitions_of(rows: list[Any]) -> dict[int, list[Change]]:
    found: dict[int, list[Change]] = {}
    for id_, n, note, time_ms, partition in rows:
        run = found.setdefault(partition, [])
        run.append(Change(Op.CREATE, len(run), len(run), time_ms * 1000, (id_,), None, (id_, n, note)))
    return found


class Broker:
    """Messages in one order, as the merging place reads them."""

    def __init__(self) -> None:
        self.messages: list[Tallied] = []

    def batch(self, partition: int, changes: list[Change], generation: int, committed: int) -> None:
        times = [one.time_us // 1000 for one in changes]
        parts = tuple(FOLD.take(changes, times, partition))
        self.messages.append(
            Tallied(
                "t", 1_000, partition, 3, generation, changes[0].offset, changes[-1].offset, committed, max(times),
                FOLD.version, parts,
            )
        )  # fmt: skip


def results(messages: list[Tallied], seed: random.Random | None = None) -> dict[tuple[str, int], WindowResult]:
    """What comes of messages; with a seed, the place that merges them crashes and goes on from what it has kept."""
    state, found = TableWindows("t"), Outcome()
    kept, at = state.packed(), 0
    everything = [*messages, Tallied("", END_MS)]
    while at < len(everything):
        state.take(everything[at], at, RULES, found)
        at += 1
        if seed is not None and seed.random() < 0.3:
            kept = state.packed()
        elif seed is not None and seed.random() < 0.2 and at < len(everything):
            state = TableWindows("t", kept)
            at = max(0, state.seen - seed.randint(0, 3)) if state.seen >= 0 else 0
    by_key = {(one.rule, one.start_ms): one for one in found.results}
    assert len(by_key) == len(found.results)
    return by_key


def views(found: dict[tuple[str, int], WindowResult]) -> dict[tuple[str, int], Any]:
    return {
        key: (one.success, one.rows, round(one.observed, 9) if isinstance(one.observed, float) else one.observed)
        for key, one in found.items()
    }


@settings(max_examples=150, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_any_cut_order_and_crash_gives_the_verdict_of_all_rows_at_once(rows: list[Any], seed: random.Random) -> None:
    partitions = partitions_of(rows)
    plain, cut = Broker(), Broker()
    for partition, changes in partitions.items():
        plain.batch(partition, changes, 1, 0)
    reached, committed, generation = dict.fromkeys(partitions, 0), dict.fromkeys(partitions, 0), 1
    while any(reached[one] < len(changes) for one, changes in partitions.items()):
        if seed.random() < 0.15:  # a rebalance: all is read again from what is committed
            generation += 1
            reached = dict(committed)
        partition = seed.choice([one for one, changes in partitions.items() if reached[one] < len(changes)])
        first = reached[partition]
        last = min(len(partitions[partition]), first + seed.randint(1, 12))
        if seed.random() < 0.5:
            committed[partition] = first
        cut.batch(partition, partitions[partition][first:last], generation, committed[partition])
        reached[partition] = last
    expected = views(results(plain.messages))
    assert expected
    assert views(results(cut.messages)) == expected
    assert views(results(cut.messages, seed)) == expected

"""Sums that tell whether rows are the same, in whatever order they come."""

from __future__ import annotations

import random
from typing import Any

import pytest

from parrot_faust.verify import hashing
from parrot_faust.verify.differences import differing_buckets, differing_keys, flags, groups

Rows = list[tuple[Any, ...]]
ROWS: Rows = [(number, f"name {number}", None, number / 7) for number in range(2_000)]


def sums(rows: Rows, buckets: int = 64) -> list[int]:
    found = [0] * buckets
    hashing.add(found, ([row[:1] for row in rows], rows))
    return found


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = random.Random(1).sample(ROWS, len(ROWS))
    assert sums(shuffled) == sums(ROWS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0.0, -0.0),
        (1, True),
        (1, 1.0),
        ("1", 1),
        ("a", b"a"),
        (None, ""),
        (b"\x00\x01", b"\x00\x00"),
        ("12.50", "12.5"),
        (1_700_000_000_000_000, 1_700_003_600_000_000),
    ],
)
def test_a_value_that_differs_at_all_changes_its_buckets_sum(before: Any, after: Any) -> None:
    one = [*ROWS, (5_000, before)]
    other = [*ROWS, (5_000, after)]
    assert differing_buckets(sums(one), [sums(other)]) == [hashing.bucket_of(hashing.encode_key((5_000,)), 64)]


def test_missing_extra_and_doubled_rows_are_noticed() -> None:
    whole = sums(ROWS)
    assert differing_buckets(whole, [sums(ROWS[1:])])
    assert differing_buckets(whole, [sums([*ROWS, ROWS[3]])])
    assert differing_buckets(whole, [sums([*ROWS, ROWS[3], ROWS[3]])])  # an XOR of digests would not see these two
    assert not differing_buckets(whole, [sums(ROWS), sums(ROWS)])


def test_two_rows_under_each_others_keys_are_noticed() -> None:
    found = [0]
    hashing.add(found, ([(1,), (2,)], [(1, "a"), (2, "b")]))
    swapped = [0]
    hashing.add(swapped, ([(2,), (1,)], [(1, "a"), (2, "b")]))
    assert found != swapped


def test_counts_are_those_of_the_rows() -> None:
    assert sum(map(hashing.count_of, sums(ROWS))) == len(ROWS)


def test_digests_of_chosen_buckets_lead_to_exactly_the_keys_that_differ() -> None:
    other = [row for row in ROWS if row[0] != 17]
    other[100] = (101, "wrong", None, 0.0)
    other.append((9_999, "extra", None, 0.0))
    chosen = flags(differing_buckets(sums(ROWS), [sums(other)]), 64)
    assert 1 <= sum(chosen) <= 3

    def digests(rows: Rows) -> dict[bytes, bytes]:
        return dict(hashing.digests(([row[:1] for row in rows], rows), chosen))

    keys = {hashing.decode_key(key) for key in differing_keys(digests(ROWS), [digests(other)])}
    assert keys == {(17,), other[100][:1], (9_999,)}
    assert len(digests(ROWS)) < len(ROWS) // 4


def test_what_is_held_at_once_is_bounded() -> None:
    every = [sums(ROWS)]
    made = list(groups(range(64), every, 200))
    assert sorted(bucket for group in made for bucket in group) == list(range(64))
    assert all(sum(hashing.count_of(every[0][bucket]) for bucket in group) <= 200 for group in made)
    assert len(made) < 64


@pytest.mark.parametrize(("rows", "buckets"), [(0, 1 << 10), (1_000_000, 1 << 16), (10**7, 1 << 20), (10**10, 1 << 20)])
def test_buckets_grow_with_the_table_up_to_a_bound(rows: int, buckets: int) -> None:
    assert hashing.buckets_for(rows) == buckets


@pytest.mark.parametrize("key", [(1,), ("a", 2), (b"\x00",), (-(2**63),), ("",)])
def test_keys_survive_encoding(key: tuple[Any, ...]) -> None:
    assert hashing.decode_key(hashing.encode_key(key)) == key

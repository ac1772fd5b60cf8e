from __future__ import annotations

import pytest

from models import ChunkHeader, Place
from parrot_faust.delivery.fence import Fence


def chunk(generation: int, first: int, last: int, version: int | None = None, partition: int = 0) -> ChunkHeader:
    """Offsets stand for versions where nothing else is said."""
    version = last if version is None else version
    return ChunkHeader("shop.public.t", partition, first, last, generation, version, 0, last - first + 1)


def test_chunks_in_order_are_admitted() -> None:
    fence = Fence()
    assert all(fence.admits(chunk(1, first, first + 9)) for first in (0, 10, 20))
    assert fence.refused == 0


def test_thawed_worker_can_not_undo_what_its_successor_wrote() -> None:
    fence = Fence()
    assert fence.admits(chunk(1, 0, 9))
    assert fence.admits(chunk(2, 10, 29))
    assert not fence.admits(chunk(1, 10, 19))
    assert not fence.admits(chunk(1, 20, 29))
    assert fence.refused == 2
    assert fence.admits(chunk(2, 30, 39))


def test_refused_chunk_leaves_no_trace() -> None:
    fence = Fence()
    fence.admits(chunk(2, 0, 29))
    assert not fence.admits(chunk(1, 10, 19))
    assert not fence.admits(chunk(1, 20, 29))  # had the refused one moved the mark back, this one would pass


def test_chunk_of_the_same_generation_is_admitted_again() -> None:
    fence = Fence()
    assert all(fence.admits(chunk(3, first, first + 9)) for first in (0, 10, 0, 10, 20))


def test_replay_by_a_newer_generation_is_admitted() -> None:
    fence = Fence()
    fence.admits(chunk(3, 0, 99))
    assert fence.admits(chunk(4, 0, 49))
    assert not fence.admits(chunk(3, 50, 99))  # it was written before, and its successor will write it again
    assert fence.admits(chunk(4, 50, 99))
    assert not fence.admits(chunk(3, 50, 99))


def test_old_worker_that_is_ahead_of_its_successor_is_admitted() -> None:
    fence = Fence()
    fence.admits(chunk(2, 0, 9))
    assert fence.admits(chunk(1, 5, 14))
    assert not fence.admits(chunk(1, 5, 14))  # by now it is covered
    assert fence.admits(chunk(2, 10, 19))


def test_topic_made_again_is_admitted_because_its_versions_are_newer() -> None:
    fence = Fence()
    fence.admits(chunk(5, 0, 999, version=1_000))
    assert fence.admits(chunk(5, 0, 9, version=1_010))
    # One who still has rows of the topic before, with offsets that are not reached yet, undoes nothing.
    assert not fence.admits(chunk(4, 500, 510, version=990))


def test_group_made_again_is_admitted_because_its_versions_are_newer() -> None:
    fence = Fence()
    fence.admits(chunk(5, 0, 999, version=1_000))
    assert fence.admits(chunk(1, 0, 9, version=1_001))


@pytest.mark.parametrize(
    ("offset", "version", "admitted"), [(9, 9, False), (8, 8, False), (10, 9, False), (9, 10, True), (10, 10, True)]
)
def test_chunk_of_an_older_generation_is_refused_when_its_versions_are_covered_whatever_its_offsets(
    offset: int, version: int, admitted: bool
) -> None:
    fence = Fence()
    fence.admits(chunk(2, 0, 9))
    assert fence.admits(chunk(1, 0, offset, version)) is admitted


def test_versions_that_were_seen_are_not_forgotten_by_a_replay() -> None:
    fence = Fence()
    fence.admits(chunk(2, 0, 99))
    fence.admits(chunk(3, 0, 49, version=20))  # the note with the floor was lost
    assert not fence.admits(chunk(1, 0, 49, version=49))


def test_each_source_partition_is_fenced_for_itself() -> None:
    fence = Fence()
    fence.admits(chunk(2, 0, 9, partition=0))
    assert fence.admits(chunk(1, 0, 9, partition=1))
    other = ChunkHeader("shop.public.other", 0, 0, 9, 1, 9, 0, 10)
    assert fence.admits(other)


def letters(generation: int, offset: int) -> ChunkHeader:
    """A chunk of one dead letter that is sent again."""
    return ChunkHeader(
        "shop.public.t", 0, offset, offset, generation, offset, 0, 1, letters=(Place("app.dead.t", 0, 1),), request="r"
    )


def test_dead_letters_that_are_sent_again_are_old_and_admitted_and_leave_no_trace() -> None:
    fence = Fence()
    assert fence.admits(letters(2, 3))
    assert fence.admits(chunk(1, 0, 9)), "nothing was remembered of it"
    assert fence.admits(chunk(2, 10, 29))
    assert fence.admits(letters(2, 3))
    assert fence.admits(letters(3, 3))
    assert not fence.admits(chunk(1, 10, 19)), "it has moved no mark back"
    assert fence.admits(chunk(2, 30, 39))


def test_dead_letters_of_a_thawed_worker_are_refused_once_its_successor_was_seen() -> None:
    fence = Fence()
    fence.admits(chunk(2, 10, 29))
    assert not fence.admits(letters(1, 3))
    assert not Fence().admits(letters(1, 3), floor=2)
    assert fence.refused == 1

from __future__ import annotations

import pytest

from parrot_faust.delivery.versions import VersionClock, floor_of

NOW = 1_700_000_000_000_000


def test_version_is_the_commit_time_where_that_grows() -> None:
    assert VersionClock().advance([NOW, NOW + 5, NOW + 900]) == [NOW, NOW + 5, NOW + 900]


def test_events_of_one_transaction_get_versions_of_their_own() -> None:
    # They share a time. A delete must not swallow the insert that follows it.
    assert VersionClock().advance([NOW, NOW, NOW]) == [NOW, NOW + 1, NOW + 2]


def test_time_of_the_next_transaction_does_not_meet_what_was_added_to_the_last() -> None:
    assert VersionClock().advance([NOW, NOW, NOW, NOW + 1, NOW + 3]) == [NOW, NOW + 1, NOW + 2, NOW + 3, NOW + 4]


def test_source_clock_that_jumps_back_an_hour_does_not_take_versions_with_it() -> None:
    clock = VersionClock()
    clock.advance([NOW])
    assert clock.advance([NOW - 3_600_000_000, NOW - 3_599_000_000]) == [NOW + 1, NOW + 2]
    assert clock.advance([NOW + 10]) == [NOW + 10]


def test_rows_without_a_time_are_still_ordered() -> None:
    assert VersionClock().advance([0, 0, NOW, 0]) == [1, 2, NOW, NOW + 1]


def test_versions_begin_above_the_floor() -> None:
    assert VersionClock(NOW).advance([NOW - 5, NOW]) == [NOW + 1, NOW + 2]
    assert VersionClock(NOW).advance([NOW + 1]) == [NOW + 1]


def test_floor_for_the_next_reader_is_the_last_version() -> None:
    clock = VersionClock(7)
    assert clock.last == 7
    assert clock.advance([]) == []
    assert clock.last == 7
    assert clock.advance([NOW, 3])[-1] == clock.last == NOW + 1


def test_segment_read_again_from_its_floor_has_the_versions_it_had() -> None:
    times = [NOW, NOW, NOW - 9, 0, NOW + 1, NOW + 50]
    whole = VersionClock().advance(times)
    for cut in range(len(times)):
        clock = VersionClock()
        first = clock.advance(times[:cut])
        assert first + VersionClock(floor_of(str(clock.last))).advance(times[cut:]) == whole


@pytest.mark.parametrize(("note", "floor"), [("0", 0), (str(NOW), NOW), ("9" * 18, 10**18 - 1)])
def test_floor_is_read_from_the_note(note: str, floor: int) -> None:
    assert floor_of(note) == floor


@pytest.mark.parametrize(
    "note", ["", "-5", "+5", " 5", "1.5", "1e9", "0x5", "1_000", "written by hand", "٣", "²", "9" * 19, "1" * 5_000]
)
def test_note_of_another_tool_is_no_floor(note: str) -> None:
    # Neither an error, which would stop the worker for good, nor a version that no store has room for.
    assert floor_of(note) == 0


def test_versions_are_reserved_ahead_once_and_not_again_until_that_is_used_up() -> None:
    clock = VersionClock()
    clock.advance([NOW])
    assert clock.reserve(1_000) == NOW + 1_000
    assert clock.reserve(1_000) == NOW + 1_000  # it was not done yet
    clock.reserved = NOW + 1_000
    assert clock.reserve(1_000) is None
    clock.advance([NOW + 1_000])
    assert clock.reserve(1_000) is None
    clock.advance([NOW + 1_001])
    assert clock.reserve(1_000) == NOW + 2_001


def test_clock_begins_at_the_note_and_without_one_above_all_that_was_reserved() -> None:
    assert VersionClock.begun("17", NOW).advance([5]) == [18]
    assert VersionClock.begun("0", NOW).advance([5]) == [5]
    for lost in ("", "of another tool"):
        assert VersionClock.begun(lost, NOW).advance([5]) == [NOW + 1]


def test_clock_that_began_without_a_note_reserves_anew_before_its_first_version_is_used() -> None:
    clock = VersionClock.begun("", NOW)
    clock.advance([5])
    assert clock.reserve(1_000) == NOW + 1_001

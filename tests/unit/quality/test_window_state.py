"""When a window closes, what is late, what is read again, and what rules about time and breakers say."""

from __future__ import annotations

from typing import Any

from models import ShapeVerdict, Tallied, WindowPart, WindowResult
from parrot_faust.quality import load
from parrot_faust.quality.rules import RuleSet
from parrot_faust.quality.window_state import IDLE_MS, Outcome, TableWindows

MINUTE = 60_000


def rules(checks: str = "{row_count_to_be_between: {min_value: 1}}", more: str = "", grace: str = "10s") -> RuleSet:
    return load(f"table: t\nwindows: [{{every: 1m, grace: {grace}, checks: [{checks}]}}]\n{more}", "t.yaml")


class Place:
    """The place where the tallies of the table come together."""

    def __init__(self, found: RuleSet) -> None:
        self.rules, self.state, self.at = found, TableWindows("t"), -1
        self.outcome = Outcome()

    def take(self, message: Tallied) -> list[WindowResult]:
        self.at += 1
        before = len(self.outcome.results)
        self.state.take(message, self.at, self.rules, self.outcome)
        self.state = TableWindows("t", self.state.packed())
        return self.outcome.results[before:]

    def tick(self, at_ms: int) -> list[WindowResult]:
        return self.take(Tallied("", at_ms))

    def rows(self, first: int, *times: int, partition: int = 0, **more: Any) -> list[WindowResult]:
        """A batch of rows with these times, of a table that has one partition unless told."""
        starts = sorted({time - time % MINUTE for time in times})
        parts = tuple(
            WindowPart(0, start, len(inside), max(inside), tuple([len(inside), 0] for _ in self.rules.windows[0].rules))
            for start in starts
            if (inside := [time for time in times if start <= time < start + MINUTE])
        )
        values: dict[str, Any] = {
            "at_ms": max(times), "partitions": 1, "generation": 1, "committed": 0, "checked": len(times),
        } | more  # fmt: skip
        return self.take(
            Tallied(
                table="t", partition=partition, first=first, last=first + len(times) - 1, newest_ms=max(times),
                windows=self.rules.windows_version, parts=parts, **values,
            )
        )  # fmt: skip


def test_a_window_closes_when_its_end_and_the_grace_have_passed_and_counts_what_came_in_time() -> None:
    place = Place(rules())
    assert place.rows(0, 1_000, 59_000) == []
    assert place.rows(2, 65_000, 30_000) == []
    (result,) = place.rows(4, 70_000)
    assert (result.start_ms, result.end_ms, result.rows, result.success) == (0, MINUTE, 3, True)


def test_rows_that_come_after_their_window_are_counted_as_late_and_said() -> None:
    place = Place(rules())
    place.rows(0, 1_000)
    (first,) = place.rows(1, 70_000)
    place.rows(2, 59_000, 130_000)
    (second,) = [one for one in [*place.rows(4, 131_000)] or place.outcome.results[1:] if one.start_ms == MINUTE]
    assert (first.late, second.late, second.rows) == (0, 1, 1)


def test_a_partition_behind_holds_the_window_open_until_it_is_idle() -> None:
    place = Place(rules())
    place.rows(0, 1_000, partitions=2, at_ms=500_000)
    assert place.rows(1, 200_000, partitions=2, at_ms=501_000) == []
    (result,) = place.rows(0, 2_000, 80_000, partition=1, partitions=2, at_ms=502_000)
    assert (result.start_ms, result.rows) == (0, 2)
    later = place.tick(502_000 + IDLE_MS)
    assert [one.start_ms for one in later[:2]] == [MINUTE, 2 * MINUTE]


def test_what_is_read_again_counts_once_and_a_frozen_worker_counts_never() -> None:
    place = Place(rules())
    place.rows(0, 1_000, 2_000, 3_000)
    place.rows(3, 4_000, 5_000)
    place.rows(3, 4_000, 5_000, 6_000, generation=2)
    place.rows(0, 1_000, 2_000, 3_000, generation=1)
    (result,) = place.rows(6, 70_000, generation=2, committed=6)
    assert result.rows == 6


def test_after_a_time_without_workers_what_waits_is_read_before_windows_close() -> None:
    place = Place(rules())
    place.rows(0, 1_000)
    assert place.take(Tallied("", 500_000, generation=2)) == []
    assert place.take(Tallied("", 505_000, generation=2)) == []
    (first, *_) = place.rows(1, 2_000, 70_000, generation=2, at_ms=506_000)
    assert (first.start_ms, first.rows, first.late) == (0, 2, 0)


def test_a_topic_that_is_made_anew_is_counted_from_its_beginning() -> None:
    place = Place(rules())
    place.rows(100, 1_000, 2_000)
    place.rows(102, 3_000, committed=102)
    place.rows(0, 4_000, generation=2)
    (result,) = place.rows(1, 70_000, generation=2)
    assert result.rows == 3
    assert "read again from offset 0" in place.outcome.notes[0]


def test_a_table_from_which_nothing_comes_is_judged_by_the_time_of_day() -> None:
    place = Place(rules("{row_count_to_be_between: {min_value: 1}}, {freshness: 90s}"))
    place.tick(1_000)
    assert place.tick(69_000) == []
    count, fresh = place.tick(70_000)
    assert (count.success, count.observed, fresh.success) == (False, 0, True)
    _, fresh = place.tick(130_000)
    assert (fresh.success, fresh.observed, fresh.reason) == (False, {"age_ms": 119_000}, "no change came at all")


def test_a_time_in_which_nothing_ran_is_skipped() -> None:
    place = Place(rules())
    place.rows(0, 1_000)
    found = place.tick(1_000 * MINUTE)
    assert (found[0].start_ms, found[0].rows) == (0, 1)
    assert 5 < len(found) < 20
    assert found[-1].end_ms == 999 * MINUTE


def test_volume_is_judged_by_what_is_usual_for_the_table() -> None:
    place = Place(rules("{volume: {min_share: 0.5, max_share: 2}}"))
    verdicts, offset = [], 0
    for minute, count in enumerate((10, 12, 8, 10, 3, 25, 11, 0, 10)):
        times = [minute * MINUTE + number for number in range(count)]
        verdicts += place.rows(offset, *times) if times else place.tick(minute * MINUTE + 50_000)
        offset += count
    verdicts += place.tick(9 * MINUTE + 10_000)
    assert [one.success for one in verdicts] == [True, True, True, True, False, False, True, False, True]
    assert verdicts[4].reason == "3 rows, where 10 are usual"


def test_other_rules_begin_their_windows_anew_and_wait_for_whoever_has_them_already() -> None:
    place = Place(rules())
    place.rows(0, 1_000)
    place.rules, old = rules("{row_count_to_equal: 2}"), place.rules
    sent = place.rules.windows_version
    place.rules = old
    place.rows(1, 2_000, 3_000)
    newer = Place(rules("{row_count_to_equal: 2}"))
    newer.state, newer.at = place.state, place.at
    place.rules = old
    message = Tallied(
        "t", 3_000, 0, 1, 1, 3, 4, 0, 3_000, sent, (WindowPart(0, 0, 2, 3_000, ([2, 0],)),), 2
    )  # fmt: skip
    place.take(message)
    newer.state, newer.at = place.state, place.at
    (result,) = newer.rows(5, 70_000)
    assert (result.observed, result.success) == (2, True)
    assert "begin anew" in newer.outcome.notes[0]


def test_a_breaker_trips_once_where_too_many_of_enough_rows_failed() -> None:
    place = Place(rules(more="breaker: {failed: 20%, within: 1m, at_least: 10}\n"))
    place.rows(0, *range(1_000, 1_008), failed=8)
    assert place.outcome.trips == []
    place.rows(0, *range(1_000, 1_008), failed=8, generation=2)  # the same again
    assert place.outcome.trips == []
    place.rows(8, *range(2_000, 2_002), failed=0, generation=2)
    ((_, trip),) = place.outcome.trips
    assert (trip.failed, trip.checked) == (8, 10)
    place.rows(10, *range(3_000, 3_009), failed=9, generation=2)
    assert len(place.outcome.trips) == 1
    quiet = Place(place.rules)
    quiet.rows(0, *range(1_000, 1_008), failed=8)
    quiet.rows(8, *range(90_000, 90_010), failed=2)
    assert quiet.outcome.trips == []


def test_a_table_s_shape_is_told_once_for_each_shape() -> None:
    place = Place(rules(more="schema: [{column_count_to_equal: 3}]\n"))
    (rule,) = place.rules.shape
    said = (ShapeVerdict(rule.id, False, 4),)
    for partition, fingerprint in ((0, "a"), (1, "a"), (0, "b"), (1, "b")):
        place.rows(0, 1_000, partition=partition, partitions=2, fingerprint=fingerprint, shape=said)
    assert [(one.rule, one.success, one.observed) for one in place.outcome.results] == [(rule.id, False, 4)] * 2


def test_what_is_too_much_to_keep_apart_is_merged_and_stays_counted() -> None:
    place = Place(rules())
    for offset in range(0, 40, 2):
        place.rows(offset, 1_000, 2_000)
    before = len(place.state.packed())
    place.state.merge_all(place.rules)
    assert len(place.state.packed()) < before / 4
    (result,) = place.rows(40, 70_000)
    assert result.rows == 40

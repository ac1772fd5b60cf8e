from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest

from models import ChunkHeader
from parrot_faust.delivery.stats import SCHEMA_CHANGES_KEPT, Latency, Outcome, Stats

TOPIC = "shop.public.t"


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stats(clock: Clock) -> Stats:
    return Stats(clock)


def batch(
    stats: Stats,
    captured: Sequence[int],
    tombstones: Sequence[int] = (),
    partition: int = 0,
    topic: str = TOPIC,
    **outcomes: Sequence[int],
) -> None:
    stats.source_batch(topic, partition, captured, tombstones, {Outcome(name): o for name, o in outcomes.items()})


def source(stats: Stats, topic: str = TOPIC) -> dict[str, int]:
    counts: dict[str, int] = stats.snapshot()["sources"][topic]
    return counts


def chunk(first: int, last: int, rows: int = 0, partition: int = 0, oldest: int = 0, newest: int = 0) -> ChunkHeader:
    return ChunkHeader(TOPIC, partition, first, last, 1, last, newest, rows or last - first + 1, oldest)


def write(stats: Stats, header: ChunkHeader, failed: Sequence[int] = (), sink: str = "kudu") -> None:
    stats.sink_chunk(sink, header, failed, lambda: range(header.first_offset, header.last_offset + 1))


def sink(stats: Stats, name: str = "kudu") -> dict[str, Any]:
    view: dict[str, Any] = stats.snapshot()["sinks"][name]
    return view


def written(stats: Stats, name: str = "kudu") -> tuple[int, int]:
    counts = sink(stats, name)["tables"][TOPIC]
    return counts["applied"], counts["dead_lettered"]


# -- the source ------------------------------------------------------------------------------------------------------


def test_every_offset_ends_as_exactly_one_thing(stats: Stats) -> None:
    batch(stats, range(10), [9], forwarded=[0, 1, 2], quarantined=[3], dropped=[4, 5], dead_lettered=[6], warned=[0, 1])
    assert source(stats) == {
        "captured": 10,
        "forwarded": 3,
        "quarantined": 1,
        "dropped": 2,
        "dead_lettered": 1,
        "tombstones": 1,
        "skipped": 2,
        "warned": 2,
        "mended": 0,
    }


def test_offsets_named_as_skipped_and_those_named_by_nothing_are_skipped(stats: Stats) -> None:
    batch(stats, range(5), forwarded=[0, 1], skipped=[2])
    assert source(stats)["skipped"] == 3


def test_batch_read_again_is_counted_once(stats: Stats) -> None:
    for _ in range(3):
        batch(stats, range(10), [9], forwarded=range(9), warned=[4])
    assert source(stats)["captured"] == 10
    assert (source(stats)["forwarded"], source(stats)["tombstones"], source(stats)["warned"]) == (9, 1, 1)


def test_of_a_batch_that_reaches_back_only_what_is_new_is_counted(stats: Stats) -> None:
    batch(stats, range(10), [2], forwarded=[0, 1, 3, 4, 5, 6, 7, 8], dropped=[9])
    batch(stats, range(5, 15), [12], forwarded=[5, 6, 7, 8, 10, 11], dropped=[9, 13], dead_lettered=[14])
    counts = source(stats)
    assert (counts["captured"], counts["forwarded"], counts["dropped"]) == (15, 10, 2)
    assert (counts["tombstones"], counts["dead_lettered"], counts["skipped"]) == (2, 1, 0)


def test_outcomes_may_come_in_any_order(stats: Stats) -> None:
    batch(stats, range(5), forwarded=range(5))
    batch(stats, range(10), forwarded=[9, 0, 8, 1, 7, 2, 6, 3, 5, 4])
    assert source(stats)["forwarded"] == 10


def test_holes_between_offsets_are_not_counted(stats: Stats) -> None:
    batch(stats, [3, 7, 20], forwarded=[3, 7, 20])
    batch(stats, [20, 90], forwarded=[20, 90])
    assert (source(stats)["captured"], source(stats)["skipped"]) == (4, 0)


def test_empty_batch_counts_nothing(stats: Stats) -> None:
    batch(stats, [])
    assert stats.snapshot()["sources"] == {}


def test_partitions_and_topics_are_counted_for_themselves(stats: Stats) -> None:
    batch(stats, range(10), forwarded=range(10))
    batch(stats, range(10), partition=1, forwarded=range(10))
    batch(stats, range(4), topic="other", forwarded=range(4))
    assert (source(stats)["forwarded"], source(stats, "other")["forwarded"]) == (20, 4)


# -- rules -----------------------------------------------------------------------------------------------------------


def rule_counts(stats: Stats) -> dict[tuple[str, str], int]:
    return {(entry["rule"], entry["version"]): entry["failed"] for entry in stats.snapshot()["rules"]}


def test_failed_rules_are_counted_by_rule_and_version(stats: Stats) -> None:
    for offset, rule, version in ((0, "a", "1"), (1, "a", "1"), (1, "b", "1"), (2, "a", "2")):
        stats.rule_failed(TOPIC, rule, version, 0, offset)
    assert rule_counts(stats) == {("a", "1"): 2, ("b", "1"): 1, ("a", "2"): 1}


def test_rule_failed_by_a_record_read_again_is_counted_once(stats: Stats) -> None:
    for _ in range(2):
        stats.rule_failed(TOPIC, "a", "1", 0, 5)
        batch(stats, range(10), dropped=[5])
    assert rule_counts(stats) == {("a", "1"): 1}


def test_rule_failed_by_a_record_read_again_before_its_batch_settled_is_counted_once(stats: Stats) -> None:
    # A rebalance between the check and the broker's confirmation.
    for offset in (3, 5, 3, 5, 7):
        stats.rule_failed(TOPIC, "a", "1", 0, offset)
    stats.rule_failed(TOPIC, "b", "1", 0, 3)
    assert rule_counts(stats) == {("a", "1"): 3, ("b", "1"): 1}


def test_rule_failures_of_partitions_are_counted_for_themselves(stats: Stats) -> None:
    for partition in (0, 1):
        stats.rule_failed(TOPIC, "a", "1", partition, 5)
    assert rule_counts(stats) == {("a", "1"): 2}


# -- the writers -----------------------------------------------------------------------------------------------------


def test_rows_are_applied_or_dead_lettered(stats: Stats) -> None:
    write(stats, chunk(0, 9), failed=[3, 4])
    assert written(stats) == (8, 2)


def test_chunk_written_again_is_counted_once(stats: Stats) -> None:
    for _ in range(3):
        write(stats, chunk(0, 9), failed=[3])
    assert written(stats) == (9, 1)


def test_of_a_chunk_that_reaches_back_only_new_rows_are_counted(stats: Stats) -> None:
    write(stats, chunk(0, 9), failed=[8])
    write(stats, chunk(5, 14), failed=[8, 12, 11])
    assert written(stats) == (12, 3)


def test_chunk_within_what_was_counted_does_not_lower_the_mark(stats: Stats) -> None:
    write(stats, chunk(0, 99))
    write(stats, chunk(0, 9))
    write(stats, chunk(10, 99))
    assert written(stats) == (100, 0)


def test_rows_are_looked_at_only_when_part_of_a_chunk_was_counted(stats: Stats) -> None:
    def never() -> Sequence[int]:
        raise AssertionError("decoding a chunk again costs more than counting it")

    stats.sink_chunk("kudu", chunk(0, 9), (), never)
    stats.sink_chunk("kudu", chunk(0, 9), (), never)
    stats.sink_chunk("kudu", chunk(10, 19, rows=4), (), never)
    assert written(stats) == (14, 0)


def test_sinks_and_partitions_are_counted_for_themselves(stats: Stats) -> None:
    write(stats, chunk(0, 9))
    write(stats, chunk(0, 9), sink="hbase")
    write(stats, chunk(0, 9, partition=1))
    assert (written(stats), written(stats, "hbase")) == ((20, 0), (10, 0))


def test_time_to_visibility_is_measured_from_oldest_and_newest(stats: Stats, clock: Clock) -> None:
    now = int(clock.seconds * 1e6)
    write(stats, chunk(0, 9, oldest=now - 2_000_000, newest=now - 500_000))
    view = sink(stats)
    assert view["visible_ms"]["count"] == 10
    assert view["visible_ms"]["p50"] == pytest.approx(500, rel=0.05)
    assert view["visible_ms"]["p99"] == pytest.approx(2_000, rel=0.05)
    assert view["tables"][TOPIC]["newest_us"] == now - 500_000


def test_snapshot_rows_and_rows_written_again_are_not_measured(stats: Stats, clock: Clock) -> None:
    now = int(clock.seconds * 1e6)
    write(stats, chunk(0, 9))
    assert sink(stats)["visible_ms"] == {"p50": 0.0, "p99": 0.0, "count": 0}
    write(stats, chunk(10, 19, oldest=now, newest=now))
    clock.seconds += 3_600
    write(stats, chunk(10, 19, oldest=now, newest=now))
    assert sink(stats)["visible_ms"]["count"] == 10
    assert sink(stats)["visible_ms"]["p99"] < 1


def test_newest_time_never_goes_back(stats: Stats) -> None:
    write(stats, chunk(0, 9, oldest=5, newest=900))
    write(stats, chunk(10, 19, oldest=5, newest=30))
    assert sink(stats)["tables"][TOPIC]["newest_us"] == 900


def test_sink_that_does_not_answer_says_since_when_and_why(stats: Stats, clock: Clock) -> None:
    stats.sink_ok("kudu", 0)
    assert (sink(stats)["state"], sink(stats)["since_ms"]) == ("ok", 0)
    stats.sink_retrying("kudu", "no route", 1)
    began = int(clock.seconds * 1000)
    clock.seconds += 60
    stats.sink_retrying("kudu", "refused", 2)
    view = sink(stats)
    assert (view["state"], view["error"], view["since_ms"], view["restarts"]) == ("retrying", "refused", began, 2)
    stats.sink_ok("kudu", 2)
    view = sink(stats)
    assert (view["state"], view["error"], view["since_ms"]) == ("ok", "", began + 60_000)


# -- the rest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.1, 0.7, 1.0, 12.3, 500.0, 86_400_000.0])
def test_quantile_is_near_what_was_measured(value: float) -> None:
    latency = Latency()
    for step in range(100):
        latency.add(value * 1.1 ** (step / 100), 3)
        assert latency.quantile(0.0) <= latency.quantile(0.5) <= latency.quantile(1.0)
    middle = value * math.sqrt(1.1)
    assert abs(latency.quantile(0.5) - middle) <= 0.05 * middle + 0.051
    assert latency.count == 300


def test_quantiles_part_the_measurements() -> None:
    latency = Latency()
    latency.add(10, weight=98)
    latency.add(1_000, weight=2)
    assert latency.quantile(0.5) == latency.quantile(0.98) == pytest.approx(10, rel=0.05)
    assert latency.quantile(0.99) == pytest.approx(1_000, rel=0.05)


@pytest.mark.parametrize("value", [0.0, -5_000.0])
def test_clock_that_is_ahead_of_ours_makes_no_error(value: float) -> None:
    latency = Latency()
    latency.add(value)
    assert latency.quantile(0.5) == 0.1


def test_no_measurement_is_zero() -> None:
    assert Latency().quantile(0.99) == 0.0


def test_steps_of_an_agent_add_up(stats: Stats) -> None:
    stats.agent_step("changes", 10, decode_ms=1.26, send_ms=2.0)
    stats.agent_step("changes", 5, decode_ms=1.0)
    assert stats.snapshot()["agents"]["changes"] == {"batches": 2, "changes": 15, "decode_ms": 2.3, "send_ms": 2.0}


def test_only_the_latest_schema_changes_are_kept(stats: Stats, clock: Clock) -> None:
    for number in range(SCHEMA_CHANGES_KEPT + 5):
        stats.schema_change(TOPIC, "AddColumn", "kudu", f"c{number}", 0.12345)
    kept = stats.snapshot()["schema_changes"]
    assert len(kept) == SCHEMA_CHANGES_KEPT
    assert kept[-1] == {
        "table": TOPIC,
        "change": "AddColumn",
        "sink": "kudu",
        "detail": f"c{SCHEMA_CHANGES_KEPT + 4}",
        "seconds": 0.123,
        "at_ms": int(clock.seconds * 1000),
    }


def test_snapshot_is_plain_data_of_the_moment(stats: Stats) -> None:
    batch(stats, range(3), forwarded=range(3))
    write(stats, chunk(0, 2))
    stats.sink_ok("hbase", 0)
    stats.rule_failed(TOPIC, "a", "1", 0, 9)
    view = stats.snapshot()
    assert json.loads(json.dumps(view)) == view
    batch(stats, range(3, 6), forwarded=range(3, 6))
    assert view["sources"][TOPIC]["captured"] == 3

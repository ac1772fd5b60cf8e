"""One worker shows all: snapshots add up, histories are bounded and survive restarts, and the dead drop out."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable
from typing import Any

import pytest
from fleets import NOW, captured, view, written

from parrot_faust.delivery.stats import Stats
from parrot_faust.web.exchange import IDLE_S, Exchange, encoded
from parrot_faust.web.fleet import GONE_S, LATE_S, SILENT_S, Fleet
from parrot_faust.web.merging import brief
from parrot_faust.web.rings import COARSE_S, FINE_S, NOTHING, SLOTS, Ring, Series


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fleet(clock: Clock) -> Fleet:
    return Fleet(clock)


def test_a_ring_sums_by_slot_and_gives_up_what_is_old() -> None:
    ring = Ring(5, slots=4)
    for at, amount in ((100, 1), (104, 2), (105, 4), (112, 8)):
        ring.add(at, amount)
    assert ring.read(115) == [0, 3, 4, 8]
    assert ring.read(112) == [0, 0, 3, 4], "the slot that still runs is not shown"
    assert ring.read(125) == [4, 8, 0, 0]
    ring.add(500, 1)
    ring.add(100, 99)
    assert ring.read(505) == [0, 0, 0, 1]
    assert ring.read(10_000) == [0, 0, 0, 0]


def test_the_total_of_a_ring_is_that_of_what_it_tells_whenever_it_is_asked() -> None:
    for seed in range(50):
        chance, ring = random.Random(seed), Ring(5, slots=6)
        at = 1_000.0
        for _ in range(30):
            at += chance.choice((0, 1, 4, 5, 30))
            ring.add(at - chance.choice((0, 0, 7, 60)), chance.randrange(9))
            for now in (at - 40, at - 11, at, at + 5, at + 24, at + 999):
                assert ring.total(now) == sum(ring.read(now)), (seed, at, now)


def test_a_ring_of_peaks_keeps_the_greatest_and_tells_nothing_from_zero() -> None:
    ring = Ring(5, slots=3, empty=NOTHING)
    for value in (2.0, 7.0, 3.0):
        ring.peak(10, value)
    ring.peak(20, 0.0)
    assert ring.read(25) == [7, NOTHING, 0]


def test_both_resolutions_of_a_series_say_the_same_rate() -> None:
    series = Series(sums=True)
    for second in range(600):
        series.put(NOW + second, 10)
    now = NOW + 600
    assert series.rate(now) == 10
    assert series.recent(now) == 6_000
    assert series.read(now, FINE_S)[-1] == series.read(now, COARSE_S)[-2] == 10
    assert len(series.read(now, FINE_S)) == len(series.read(now, COARSE_S)) == SLOTS


def test_counts_of_workers_add_up_and_the_worst_state_wins(fleet: Fleet, clock: Clock) -> None:
    one, two = Stats(clock), Stats(clock)
    captured(one, "t", forwarded=3, quarantined=1)
    captured(two, "t", forwarded=5)
    captured(two, "u", dropped=2)
    written(one, "kudu", "t", 8, refused=1)
    two.sink_retrying("kudu", "kudu is not available: x", 1)
    one.rule_failed("t", "n.max", "v1", 0, 7)
    two.rule_failed("t", "n.max", "v1", 1, 7)
    fleet.take("a", view(one))
    fleet.take("b", view(two, lag=4, held_tables={"u": ["why"]}))
    whole = fleet.view()
    assert whole["sources"]["t"]["captured"] == 9
    assert whole["sources"]["u"]["dropped"] == 2
    assert whole["sinks"]["kudu"]["state"] == "retrying"
    assert whole["sinks"]["kudu"]["tables"]["t"]["applied"] == 7
    assert whole["sinks"]["hbase"]["state"] == "ok"
    assert whole["sinks"]["hbase"]["lag_chunks"] == 4
    assert whole["rules"] == [{"table": "t", "rule": "n.max", "version": "v1", "failed": 2}]
    assert whole["held_tables"] == {"u": ["why"]}
    assert set(whole["workers"]) == {"a", "b"}


def test_a_worker_that_says_nothing_is_silent_and_then_gone(fleet: Fleet, clock: Clock) -> None:
    stats = Stats(clock)
    fleet.take("a", view(stats))
    fleet.take("b", view(stats))
    clock.at += SILENT_S + 1
    fleet.take("b", view(stats, at=clock.at))
    assert set(fleet.view()["silent"]) == {"a"}
    clock.at += GONE_S - SILENT_S
    assert set(fleet.view()["workers"]) == {"b"}
    fleet.drop("b")
    assert fleet.view()["workers"] == {}


def test_a_rate_is_what_workers_did_since_and_not_what_they_had_done_before(fleet: Fleet, clock: Clock) -> None:
    stats = Stats(clock)
    captured(stats, "t", forwarded=10_000)
    fleet.take("a", view(stats, at=NOW))
    captured(stats, "t", forwarded=100)
    fleet.take("a", view(stats, at=NOW + 1))
    fleet.take("a", view(Stats(clock), at=NOW), heard=NOW)  # an older one, which comes late, changes nothing
    again = Stats(clock)
    captured(again, "t", forwarded=7)
    fleet.take("a2", view(again, at=NOW + 2))  # it has begun anew
    clock.at = NOW + 10
    assert fleet.recent("captured", "t") == fleet.recent("captured") == 100
    assert fleet.rate("t") == 10


def test_a_worker_whose_clock_was_set_back_is_heard_on(fleet: Fleet, clock: Clock) -> None:
    stats = Stats(clock)
    fleet.take("a", view(stats, at=NOW))
    captured(stats, "t", forwarded=5)
    fleet.take("a", view(stats, at=NOW - 3_600))
    assert fleet.view()["sources"]["t"]["captured"] == 5


def test_a_table_is_behind_once_its_changes_wait_for_longer_than_a_moment(fleet: Fleet, clock: Clock) -> None:
    stats = Stats(clock)
    captured(stats, "t", forwarded=10)
    captured(stats, "u", forwarded=10)
    written(stats, "kudu", "t", 10)
    written(stats, "kudu", "u", 4)
    for _ in range(2):
        fleet.take("a", view(stats, lag=1, at=clock.at))
        assert fleet.view()["behind"] == {}
        clock.at += LATE_S / 2
    clock.at += 1
    behind = fleet.view()["behind"]
    assert behind == {"t": {"hbase": NOW}, "u": {"kudu": NOW, "hbase": NOW}}
    written(stats, "kudu", "u", 6)
    fleet.take("a", view(stats, lag=1, at=clock.at))
    assert "kudu" not in fleet.view()["behind"]["u"]
    fleet.take("a", view(stats, lag=0, at=clock.at))
    assert fleet.view()["behind"] == {}, "nothing waits: counters of a worker that has ended are not missed"
    clock.at += 10
    assert max(value or 0 for value in fleet.history("late hbase", "t")) > LATE_S


class Wire:
    """What was sent, by key."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bytes | None]] = []

    async def __call__(self, topic: str, key: bytes, value: bytes | None) -> Awaitable[Any]:
        self.sent.append((topic, key, value))

        async def confirmed() -> None:
            return None

        return confirmed()


def exchange(fleet: Fleet, snapshot: dict[str, Any], wire: Wire) -> Exchange:
    return Exchange(
        topic="unit.stats",
        worker="me",
        fleet=fleet,
        snapshot=lambda: snapshot,
        send=wire,
        options={},
        log=logging.getLogger("unit"),
    )


async def test_what_one_worker_publishes_another_shows(fleet: Fleet, clock: Clock) -> None:
    stats, wire = Stats(clock), Wire()
    captured(stats, "t", forwarded=3)
    stats.schema_change("t", "AddColumn", "kudu", "note", 0.1)
    mine = exchange(Fleet(clock), view(stats), wire)
    rounds = iter([False, False, True])

    async def no_pause(_: float) -> None:
        return None

    await mine.publish(lambda: next(rounds), no_pause)
    await mine.leave()
    published, left = wire.sent
    assert published[:2] == ("unit.stats", b"me"), "twice the same is said once"
    assert published[2] is not None
    assert b"histograms" not in published[2]
    other = exchange(fleet, view(Stats(clock)), Wire())
    other.worker = "other"
    other.take(published[1], published[2], None)
    assert other.look()["sources"]["t"]["captured"] == 3
    assert set(other.look()["workers"]) == {"me", "other"}
    other.take(*left[1:], None)
    assert set(other.look()["workers"]) == {"other"}


async def test_records_that_are_no_snapshots_are_said_and_left_out(
    fleet: Fleet, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    mine = exchange(fleet, view(Stats(clock)), Wire())
    for value in (b"", b"[]", b'{"form":1}', b'{"form":2,"sources":{}}'):
        mine.take(b"x", value, None)
    assert set(mine.look()["workers"]) == {"me"}
    assert caplog.text.count("can't be read") == 3


def test_an_idle_worker_is_heard_often_enough_to_count_as_alive() -> None:
    assert 2 * IDLE_S < SILENT_S


def test_a_record_of_many_tables_is_small() -> None:
    stats = Stats(lambda: NOW)
    for number in range(500):
        captured(stats, f"shop.public.table_{number:03}", forwarded=1_000_000 % (number + 1) + 1)
        for sink in ("kudu", "hbase"):
            written(stats, sink, f"shop.public.table_{number:03}", 1)
    assert len(encoded(brief(view(stats)))) < 300_000

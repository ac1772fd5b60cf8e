"""Tallies on their way to one verdict: safe before their batch is settled, merged and told once; and pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, TIME_MS, TOPIC, Batches, Producer, Record, event, turns
from test_changes_agent import LOG, World

from agents import breakers
from agents.breakers import Breakers
from agents.outbox import Outbox
from agents.rule_book import RuleBook
from agents.tallying import place_of
from agents.windows import Windows
from models import Pause, Tallied, WindowResult
from parrot_faust.delivery.window_stats import WindowStats
from parrot_faust.masking import Masking
from parrot_faust.quality import load
from parrot_faust.quality.standing import RuleEntry

RULES = """
windows: [{every: 1s, grace: 0s, checks: [{row_count_to_equal: 3}, {be_unique: {column: note}}]}]
"""
BREAKER = "columns: {n: [{be_between: {max_value: 10}}]}\nbreaker: {failed: 50%, within: 1m, at_least: 4}\n"


@pytest.fixture
def world() -> World:
    return World()


def told(world: World) -> list[Tallied]:
    return [msgspec.msgpack.decode(sent.value or b"", type=Tallied) for sent in world.producer.to(NAMES.tallies)]


class Kept:
    """A table of Faust's: what was sent to its changelog, by key."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.changelog: dict[str, bytes] = {}

    def send_changelog(self, partition: int, key: str, value: bytes) -> asyncio.Future[None]:
        assert partition == place_of(key)
        self.changelog[key] = value
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Place:
    """The agent `windows` of one worker, among stubs."""

    def __init__(self, kept: Kept, producer: Producer, rules: str = RULES) -> None:
        files = {TOPIC: load(f"table: {TOPIC}\n{rules}", "orders.yaml")}
        outbox, self.producer = Outbox(producer, NAMES), producer
        self.stats, self.owner = WindowStats(), True
        self.windows = Windows(
            rules=RuleBook(files, 0, LOG),
            tables=lambda: files,
            breakers=Breakers(outbox, NAMES, lambda: 0, LOG),
            outbox=outbox,
            names=NAMES,
            stats=self.stats,
            tail=self.tail,
            owns=lambda _: self.owner,
            log=LOG,
        )
        self.windows.attach(kept)

    async def tail(self, topic: str, partition: int, count: int) -> Iterable[bytes | None]:
        return [sent.value for sent in self.producer.to(topic) if sent.partition == partition][-count:]

    def results(self) -> list[WindowResult]:
        return [msgspec.json.decode(sent.value or b"", type=WindowResult) for sent in self.producer.to(NAMES.windows)]


def tallies(batches: Batches, messages: list[Tallied], first: int = 0, generation: int = 1) -> Any:
    records = [Record(first + place, None, msgspec.msgpack.encode(one)) for place, one in enumerate(messages)]
    return batches.of(records, topic=NAMES.tallies, partition=place_of(TOPIC), generation=generation)


async def test_a_table_without_such_rules_sends_nothing(world: World) -> None:
    world.rules = "columns:\n  n: [not_be_null]\n"
    await world.changes().take(world.batches.of([event(0)]))
    await turns()
    assert told(world) == []
    assert world.batches.settled


async def test_a_batch_is_settled_when_the_broker_has_what_it_comes_to(world: World) -> None:
    world.rules = RULES
    world.producer.prompt = False
    await world.changes().take(world.batches.of([event(0), event(1), event(2, "d")]))
    await turns()
    (sent,) = world.producer.to(NAMES.tallies)
    assert sent.partition == place_of(TOPIC)
    world.producer.confirm([one for one in world.producer.sent if one is not sent])
    await turns()
    assert world.batches.settled == []
    world.producer.confirm()
    await turns()
    assert len(world.batches.settled) == 1
    (message,) = told(world)
    assert (message.first, message.last, message.checked, message.failed) == (0, 2, 3, 0)
    assert [(part.start_ms, part.rows) for part in message.parts] == [(TIME_MS, 2)]


async def test_windows_look_at_rows_as_they_came_and_hide_what_is_masked(world: World) -> None:
    world.rules = """
columns: {n: [{be_between: {max_value: 10}, default: 7}]}
windows: [{every: 1s, checks: [{sum_to_be_between: {column: n, max_value: 10}}, {be_unique: {column: note}}]}]
"""
    world.masking = Masking({TOPIC: {"note": "sha256"}}, "key")
    await world.changes().take(world.batches.of([event(0, n=50, note="a planted secret")]))
    (sent,) = world.producer.to(NAMES.tallies)
    assert b"planted" not in (sent.value or b"")
    (part,) = told(world)[0].parts
    assert part.tallies[0][1] == 50


async def test_a_window_rule_without_its_column_is_shown_as_suspended(world: World, caplog: Any) -> None:
    world.rules = "windows: [{every: 1s, checks: [{be_unique: {column: gone}}]}]\n"
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    assert "gone.be_unique of shop.public.orders is SUSPENDED" in caplog.text
    assert changes._tallying.suspended() == {TOPIC: [("gone.be_unique", "the table has no column gone")]}
    changes._tallying.rules.attach({TOPIC: msgspec.json.encode(RuleEntry("", "", "", 1)).decode()})
    assert changes._tallying.suspended() == {}, "removed rules are not suspended"


async def test_results_are_told_once_whatever_is_taken_in_again(world: World) -> None:
    world.rules = RULES
    changes = world.changes()
    for first in (0, 2):
        await changes.take(world.batches.of([event(first), event(first + 1, note="y")]))
    await turns()
    messages = [*told(world), Tallied("", TIME_MS + 60_000)]
    kept, batches = Kept(), Batches()
    place = Place(kept, Producer())
    await place.windows.take(tallies(batches, messages[:1]))
    safe = dict(kept.changelog)
    await place.windows.take(tallies(batches, messages[1:], first=1))
    assert [(one.rule, one.success, one.rows) for one in place.results()][:2] == [
        ("row_count_to_equal", False, 4),
        ("note.be_unique", False, 4),
    ]
    before = len(place.results())
    assert len(batches.settled) == 2

    # A worker that was killed: its last state never came to the changelog, its results did.
    again = Kept()
    again.data = safe
    other = Place(again, place.producer)
    await other.windows.take(tallies(batches, messages[1:], first=1, generation=2))
    assert len(place.results()) == before
    assert again.changelog == kept.changelog
    # And one that had everything: the messages that come again change nothing.
    await other.windows.take(tallies(batches, messages, generation=2))
    assert len(place.results()) == before


async def test_who_has_lost_the_partition_keeps_nothing_and_settles_nothing(world: World) -> None:
    world.rules = RULES
    await world.changes().take(world.batches.of([event(0)]))
    kept, batches = Kept(), Batches()
    place = Place(kept, Producer())
    place.owner = False
    await place.windows.take(tallies(batches, told(world)))
    assert (kept.changelog, batches.settled) == ({}, [])


async def test_a_record_that_is_no_tally_is_said_and_passed_over(caplog: Any) -> None:
    kept, batches = Kept(), Batches()
    place = Place(kept, Producer())
    batch = batches.of([Record(0, None, b"\xc1")], topic=NAMES.tallies, partition=place_of(TOPIC))
    await place.windows.take(batch)
    assert "is no tally" in caplog.text
    assert batches.settled


async def test_a_paused_table_waits_with_nothing_lost_and_goes_on_after_a_time(world: World) -> None:
    world.pauses[TOPIC] = msgspec.json.encode(Pause(TOPIC, True, world.now_ms, "rows failed", 60_000)).decode()
    changes = world.changes()
    await changes.take(world.batches.of([event(0), event(1)]))
    await changes.take(world.batches.of([event(2)]))
    await turns()
    assert (world.producer.chunks(), world.batches.settled) == ([], [])
    world.now_ms += 60_000
    for _ in range(200):
        await asyncio.sleep(0.005)
        if len(world.batches.settled) == 2:
            break
    assert [row.values[0] for row in world.producer.rows()] == [0, 1, 2]


async def test_a_breaker_counts_what_more_than_warns_and_pauses_once(world: World) -> None:
    world.rules = BREAKER
    changes = world.changes()
    await changes.take(world.batches.of([event(n, n=50 if n < 3 else 1) for n in range(5)]))
    (message,) = told(world)
    assert (message.checked, message.failed) == (5, 3)
    place = Place(Kept(), Producer(), BREAKER)
    await place.windows.take(tallies(Batches(), [message, replace_at(message, 100)]))
    pauses = [msgspec.json.decode(sent.value or b"", type=Pause) for sent in place.producer.to(NAMES.breakers)]
    assert [(one.table, one.paused) for one in pauses] == [(TOPIC, True)]
    assert "3 of its last 5 rows (60%) failed within 60 s" in pauses[0].reason


def replace_at(message: Tallied, later_ms: int) -> Tallied:
    return msgspec.structs.replace(message, at_ms=message.at_ms + later_ms)


async def test_a_pause_that_is_told_again_does_not_pause_what_was_resumed() -> None:
    class Stream:
        def __init__(self, pauses: list[Pause | bytes]) -> None:
            self._pauses = pauses

        async def events(self) -> Any:
            for pause in self._pauses:
                value = pause if isinstance(pause, bytes) else msgspec.json.encode(pause)
                yield Record(0, b"t", value)

    table: dict[str, str] = {}
    trip, resumed = Pause("t", True, 5, "failed"), Pause("t", False, 9)
    await breakers.keep(Stream([trip, b"rubbish", resumed, trip]), table, LOG)
    assert msgspec.json.decode(table["t"], type=Pause) == resumed

"""What is known of the tables' shapes, what is announced, and what the history keeps."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, ORDERS, TOPIC, Batches, Producer, event

from agents.outbox import Outbox
from agents.schema_book import ASK_AGAIN_MS, SchemaBook, SchemaSeen, history_of
from agents.schema_history import keep
from models import Column, Kind, SchemaChange, TableSchema
from parrot_faust.delivery.stats import Stats
from parrot_faust.schema import STORES, Behaviour, Claims, Policy, Terms
from parrot_faust.schema.history import BYTES_KEPT, EVENTS_KEPT, NOT_MADE

LOG = logging.getLogger("test.schemas")
BATCH = Batches().of([event(12)])
WIDER = TableSchema.of(TOPIC, (*ORDERS.columns, Column("more", Kind.STRING)), ORDERS.key)
WIDEST = TableSchema.of(TOPIC, (*WIDER.columns, Column("most", Kind.STRING)), ORDERS.key)
MADE = SchemaChange(TOPIC, "CreateTable", "", "(id int64)")


class Stream:
    """A Faust stream of the schema topic."""

    def __init__(self, *values: bytes | None) -> None:
        self._values = values

    async def events(self) -> AsyncIterator[Any]:
        for offset, value in enumerate(self._values):
            yield SimpleNamespace(value=value, message=SimpleNamespace(topic=NAMES.schemas, partition=0, offset=offset))


class World:
    """A book whose announcements go through the history's agent into the table, as they do between workers."""

    def __init__(self) -> None:
        self.terms = Terms(Policy(), tuple(STORES.values()))
        self.producer = Producer()
        self.table: dict[str, str] = {}
        self.stats = Stats(lambda: 1.0)
        self.now_ms = 5

    def book(self) -> SchemaBook:
        """As a worker that has just started has it."""
        made = SchemaBook(Outbox(self.producer, NAMES), NAMES, self.stats, lambda: self.now_ms)
        made.attach(self.table)
        return made

    async def flow(self) -> list[SchemaSeen]:
        """Let the history take what was announced; return it."""
        sent = self.producer.to(NAMES.schemas)
        self.producer.sent.clear()
        await keep(Stream(*(each.value for each in sent)), self.table, LOG, self.terms)
        return [msgspec.json.decode(each.value or b"", type=SchemaSeen) for each in sent]


@pytest.fixture
def world() -> World:
    return World()


def names(seen: SchemaSeen) -> list[tuple[str, str]]:
    return [(change.change, change.column) for change in seen.changes]


async def test_a_new_shape_is_announced_once_with_its_difference_and_place(world: World) -> None:
    book = world.book()
    for schema in (ORDERS, WIDER, ORDERS, WIDER):
        await book.seen(schema, BATCH)
    assert len(await world.flow()) == 2
    first, second = history_of(world.table[TOPIC]).events
    assert (first.topic, first.partition, first.offset, first.at_ms) == (TOPIC, 0, 12, 5)
    assert names(first) == [("CreateTable", "")]
    assert names(second) == [("AddColumn", "more")]
    assert second.schema == WIDER
    assert world.stats.snapshot()["schema_changes"] == [], "shown when the decision is there"
    for schema in (WIDER, WIDER):
        assert set(book.places(schema, STORES) or ()) == set(STORES)
    shown = [(change["change"], change["sink"]) for change in world.stats.snapshot()["schema_changes"]]
    assert shown == [("AddColumn", "")]


async def test_rows_of_a_shape_have_no_place_before_the_table_says_so(world: World) -> None:
    book = world.book()
    await book.seen(ORDERS, BATCH)
    assert book.places(ORDERS, STORES) is None
    await world.flow()
    places = book.places(ORDERS, STORES)
    assert places
    assert {sink: place and place.schema for sink, place in places.items()} == dict.fromkeys(STORES, ORDERS)


async def test_a_store_that_comes_later_is_given_its_places(world: World) -> None:
    world.terms = Terms(Policy(), (STORES["kudu"],))
    await world.book().seen(ORDERS, BATCH)
    await world.flow()
    world.terms = Terms(Policy(), tuple(STORES.values()))
    book = world.book()
    assert book.places(ORDERS, ("kudu", "hbase")) is None
    await book.seen(ORDERS, BATCH, ("kudu", "hbase"))
    await world.flow()
    assert book.places(ORDERS, ("kudu", "hbase")) is not None
    assert history_of(world.table[TOPIC]).latest == ORDERS


async def test_a_held_table_is_known_with_its_reason_until_the_configuration_lets_it_pass(world: World) -> None:
    await world.book().seen(ORDERS, BATCH)
    await world.flow()
    world.terms = Terms(Policy(Behaviour.REVIEW), tuple(STORES.values()))
    book = world.book()
    await book.seen(WIDER, BATCH)
    await world.flow()
    assert book.places(WIDER, STORES) is None
    assert book.places(ORDERS, STORES) is not None, "late rows of the shape before go on"
    assert list(book.held()) == [TOPIC]
    assert "AddColumn more" in book.held()[TOPIC][0]
    world.terms = Terms(Policy(), tuple(STORES.values()))
    again = world.book()  # restarted with other settings
    await again.seen(WIDER, BATCH)
    await world.flow()
    assert again.places(WIDER, STORES) is not None
    assert again.held() == {}


async def test_the_confirmation_of_an_announcement_is_handed_back(world: World) -> None:
    world.producer.prompt = False
    book = world.book()
    confirmation = await book.seen(ORDERS, BATCH)
    assert confirmation is world.producer.sent[0].confirmation
    assert await book.seen(ORDERS, BATCH) is None


async def test_an_announcement_that_nobody_answers_is_made_again_and_counts_once(world: World) -> None:
    book = world.book()
    await book.seen(ORDERS, BATCH)
    world.now_ms += ASK_AGAIN_MS - 1
    assert await book.seen(ORDERS, BATCH) is None
    world.now_ms += 1
    await book.seen(ORDERS, BATCH)
    assert len(await world.flow()) == 2
    assert len(history_of(world.table[TOPIC]).events) == 1
    world.now_ms -= 10 * ASK_AGAIN_MS  # a clock that was set back does not keep it from asking
    await book.seen(WIDER, BATCH)
    world.now_ms -= ASK_AGAIN_MS
    await book.seen(WIDER, BATCH)
    assert len(await world.flow()) == 2


async def test_a_shape_that_is_held_is_not_announced_again(world: World) -> None:
    world.terms = Terms(Policy(Behaviour.REVIEW), tuple(STORES.values()))
    book = world.book()
    await book.seen(ORDERS, BATCH)
    await world.flow()
    await book.seen(WIDER, BATCH)
    await world.flow()
    assert history_of(world.table[TOPIC]).held
    world.now_ms += 10 * ASK_AGAIN_MS
    assert await book.seen(WIDER, BATCH) is None


async def test_a_worker_that_starts_again_announces_nothing_that_is_known(world: World) -> None:
    before = world.book()
    await before.seen(ORDERS, BATCH)
    await before.seen(WIDER, BATCH)
    await world.flow()
    after = world.book()
    for schema in (ORDERS, WIDER):
        assert await after.seen(schema, BATCH) is None
    await after.seen(WIDEST, BATCH)
    await world.flow()
    seen = history_of(world.table[TOPIC]).events[-1]
    assert names(seen) == [("AddColumn", "most")], "the difference is to the shape before it, not to the first"


async def test_the_history_keeps_shapes_and_what_was_done_in_stores_in_order(world: World) -> None:
    book = world.book()
    await book.seen(ORDERS, BATCH)
    await book.applied(TOPIC, "kudu", (MADE,), 0.25)
    await book.applied(TOPIC, "hbase", (MADE,), 0.5)
    await book.seen(WIDER, BATCH)
    await world.flow()
    history = history_of(world.table[TOPIC])
    assert [event.sink for event in history.events] == ["", "kudu", "hbase", ""]
    assert history.events[1].seconds == 0.25
    assert history.latest == WIDER
    done = world.stats.snapshot()["schema_changes"]
    assert [(each["sink"], each["seconds"]) for each in done] == [("kudu", 0.25), ("hbase", 0.5)]


async def test_the_same_event_twice_counts_once(world: World) -> None:
    for _ in range(2):  # two workers that both saw it first
        book = world.book()
        book.attach({})
        await book.seen(ORDERS, BATCH)
        await book.applied(TOPIC, "kudu", (MADE,), 0.25)
    assert len(await world.flow()) == 4
    assert len(history_of(world.table[TOPIC]).events) == 2


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}", b"[1]"])
async def test_an_event_that_cannot_be_read_is_said_and_left_out(
    world: World, value: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    await world.book().seen(ORDERS, BATCH)
    good = world.producer.sent[0].value
    await keep(Stream(value, good), world.table, LOG)
    assert history_of(world.table[TOPIC]).latest == ORDERS
    assert "offset 0" in caplog.text


def shape(number: int, columns: int = 0) -> TableSchema:
    more = tuple(Column(f"column_{number}_{index}", Kind.STRING) for index in range(columns + 1))
    return TableSchema.of(TOPIC, (*ORDERS.columns, *more), ORDERS.key)


def announced(number: int, columns: int = 0) -> bytes:
    return msgspec.json.encode(SchemaSeen(shape(number, columns), TOPIC, 0, number, "", (), 5))


async def test_the_latest_events_are_kept(world: World) -> None:
    await keep(Stream(*(announced(number) for number in range(EVENTS_KEPT + 7))), world.table, LOG)
    history = history_of(world.table[TOPIC])
    assert [event.offset for event in history.events] == list(range(7, EVENTS_KEPT + 7))


async def test_an_entry_stays_below_what_a_message_may_hold_however_wide_the_table(world: World) -> None:
    await keep(Stream(*(announced(number, 1_600) for number in range(30))), world.table, LOG)
    history = history_of(world.table[TOPIC])
    assert len(world.table[TOPIC].encode()) < 1_000_000
    assert BYTES_KEPT < 1_000_000
    assert len(history.events) > 1
    assert history.events[-1].offset == 29
    assert history.latest == shape(29, 1_600)


def test_a_table_that_has_no_entry_has_an_empty_history() -> None:
    history = history_of(None)
    assert (history.latest, history.events) == (None, ())


async def test_a_shape_waits_for_the_table_that_others_are_to_make_and_goes_on_when_it_is_there(world: World) -> None:
    there: set[str] = set()
    asked: list[tuple[str, str]] = []

    async def missing(table: str, targets: Any) -> list[str]:
        asked.extend((table, f"{store} g{schema.generation}") for store, schema in targets.items())
        return [] if table in there else [f"kudu has no table x, and {NOT_MADE}: create table x"]

    async def flow() -> None:
        sent = world.producer.to(NAMES.schemas)
        world.producer.sent.clear()
        await keep(Stream(*(each.value for each in sent)), world.table, LOG, world.terms, missing)

    book = world.book()
    for schema in (ORDERS, WIDER):
        await book.seen(schema, BATCH)
    await flow()
    held = history_of(world.table[TOPIC]).held
    assert [(each.schema, each.reasons[0].partition(" of ")[0].partition(",")[0]) for each in held] == [
        (ORDERS, "kudu has no table x"),
        (WIDER, "waits behind an earlier shape"),
    ]
    assert asked == [(TOPIC, "kudu g1"), (TOPIC, "hbase g1")]
    await book.announce_made(missing)
    assert not world.producer.sent, "still missing: nothing is announced"
    there.add(TOPIC)
    for _ in range(2):
        await book.announce_made(missing)
        await flow()
    history = history_of(world.table[TOPIC])
    assert (history.held, history.latest) == ((), WIDER)
    assert book.places(ORDERS, ["kudu"]) is not None
    await book.announce_made(missing)
    assert not world.producer.sent


async def test_a_shape_that_waits_behind_one_without_a_table_waits_for_its_own_in_its_place(world: World) -> None:
    other = TableSchema.of(TOPIC, (*ORDERS.columns, Column("key2", Kind.STRING, False)), (*ORDERS.key, "key2"))
    there = {1}

    async def missing(_table: str, targets: Any) -> list[str]:
        return [f"{NOT_MADE}: {store}" for store, each in targets.items() if each.generation not in there]

    there.clear()
    book = world.book()
    for schema in (ORDERS, other, WIDER):
        await book.seen(schema, BATCH)

    async def flow() -> None:
        sent = world.producer.to(NAMES.schemas)
        world.producer.sent.clear()
        await keep(Stream(*(each.value for each in sent)), world.table, LOG, world.terms, missing)

    await flow()
    assert [each.schema for each in history_of(world.table[TOPIC]).held] == [ORDERS, other, WIDER]
    there.add(1)
    for _ in range(3):
        await book.announce_made(missing)
        await flow()
    held = history_of(world.table[TOPIC]).held
    assert [each.schema for each in held] == [other, WIDER], "the new generation is missing"
    there.add(2)
    for _ in range(3):
        await book.announce_made(missing)
        await flow()
    assert history_of(world.table[TOPIC]).held == ()


OTHER = TableSchema.of("shop.archive.orders", ORDERS.columns, ORDERS.key, namespace="archive", relation="orders")


def named_alike(store: str, schema: TableSchema) -> str:
    return f"{schema.relation}{schema.generation}"


async def test_a_table_whose_name_in_a_store_is_taken_is_held_and_no_verdict_lets_it_pass(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    claims = Claims(named_alike)

    async def flow() -> None:
        sent = world.producer.to(NAMES.schemas)
        world.producer.sent.clear()
        await keep(Stream(*(each.value for each in sent)), world.table, LOG, world.terms, None, claims)

    book = world.book()
    await book.seen(ORDERS, BATCH)
    await book.seen(OTHER, Batches().of([event(3)], topic=OTHER.table))
    await flow()
    assert book.places(ORDERS, STORES) is not None, "the first one goes on"
    assert book.places(OTHER, STORES) is None
    assert "kudu's table orders1 is that of shop.public.orders" in book.held()[OTHER.table][0]
    for word, taken in (("approve", False), ("reject", True)):
        verdict = SchemaSeen(None, OTHER.table, -1, -1, "", (), 7, verdict=word)
        await keep(Stream(msgspec.json.encode(verdict)), world.table, LOG, world.terms, None, claims)
        assert (not history_of(world.table[OTHER.table]).held) is taken
    assert "approve` can't be followed" in caplog.text
    assert set((book.places(OTHER, STORES) or {}).values()) == {None}, "turned down: its rows become dead letters"


async def test_settings_that_bring_two_known_tables_together_hold_the_later_one(world: World) -> None:
    await world.book().seen(ORDERS, BATCH)
    await world.book().seen(OTHER, Batches().of([event(3)], topic=OTHER.table))
    await world.flow()
    book = SchemaBook(Outbox(world.producer, NAMES), NAMES, world.stats, lambda: 9, Claims(named_alike))
    book.attach(world.table)
    found = {each.table: book.places(each, STORES) is not None for each in (ORDERS, OTHER)}
    assert sorted(found.values()) == [False, True], "of two that were seen in one moment, one"
    assert list(book.held()) == [table for table, there in found.items() if not there]

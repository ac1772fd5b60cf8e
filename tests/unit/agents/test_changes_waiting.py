"""The agent `changes` while a table's shape is not decided on: what waits, what goes on, and what comes after."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_stubs import NAMES, TOPIC, Record, event, turns
from test_changes_agent import World

from agents import changes as agent
from agents.schema_book import SchemaSeen
from parrot_faust.schema import STORES, Behaviour, Policy, Terms
from parrot_faust.schema.history import EARLIER, history_of

OTHER = "shop.public.customers"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(agent, "FIRST_LOOK_S", 0.0)
    monkeypatch.setattr(agent, "LONGEST_LOOK_S", 0.0)
    return World()


def wider(offset: int, **more: Any) -> Record:
    """A change of the table with more columns, or with columns of another type."""
    value = json.loads(event(offset).value or b"")
    value["after"] |= more
    return Record(offset, event(offset).key, json.dumps(value).encode())


def declared(offset: int, kind: str, n: Any, at_ms: int = 0) -> Record:
    """A change of the table in JSON that says its types, committed at that time."""
    fields = [
        {"field": "id", "type": "int64", "optional": False},
        {"field": "n", "type": kind, "optional": True},
        {"field": "note", "type": "string", "optional": True},
    ]
    row = {"type": "struct", "optional": True, "fields": fields}
    envelope = {
        "type": "struct",
        "fields": [
            {"field": "before", **row},
            {"field": "after", **row},
            {"field": "op", "type": "string", "optional": False},
            {"field": "source", "type": "struct", "fields": [{"field": "ts_ms", "type": "int64"}]},
        ],
    }
    key = {"type": "struct", "fields": fields[:1]}
    payload = {"before": None, "after": {"id": offset, "n": n, "note": "x"}, "op": "c", "source": {"ts_ms": at_ms}}
    return Record(
        offset,
        json.dumps({"schema": key, "payload": {"id": offset}}).encode(),
        json.dumps({"schema": envelope, "payload": payload}).encode(),
    )


def policy(behaviour: Behaviour) -> Terms:
    return Terms(Policy(behaviour), tuple(STORES.values()))


def verdict(word: str) -> SchemaSeen:
    return SchemaSeen(None, TOPIC, -1, -1, "", (), 7, verdict=word)


async def test_a_held_partition_waits_and_others_go_on(world: World) -> None:
    world.producer.terms = policy(Behaviour.REVIEW)
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    await changes.take(world.batches.of([event(1), wider(2, extra="y"), event(3)]))
    await changes.take(world.batches.of([event(4)]))
    await changes.take(world.batches.of([event(0)], topic=OTHER))
    await turns(20)
    assert [row.offset for row in world.producer.rows()] == [0, 1, 0], "up to the change, and the other table"
    assert [settled[:2] for settled in world.batches.settled] == [(0, 0), (0, 0)]
    assert not world.fatal


@pytest.mark.parametrize(("word", "width"), [("approve", 4), ("reject", 3)])
async def test_what_waited_goes_on_in_its_order_once_a_person_has_decided(world: World, word: str, width: int) -> None:
    world.producer.terms = policy(Behaviour.REVIEW)
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    await changes.take(world.batches.of([event(1), wider(2, extra="y"), event(3)]))
    await changes.take(world.batches.of([wider(4, extra="z")]))
    await turns(20)
    world.producer.take_in(verdict(word))
    await turns(50)
    assert [row.offset for row in world.producer.rows()] == [0, 1, 2, 3, 4]
    assert [settled[:2] for settled in world.batches.settled] == [(0, 0), (1, 3), (4, 4)]
    chunk = world.producer.chunks("hbase")[-1]
    assert (len(chunk.schema.columns), len(chunk.rows[0].values)) == (width, width)
    await changes.take(world.batches.of([event(5)]))
    assert [row.offset for row in world.producer.rows()][-1] == 5, "the partition flows again"


async def test_a_lane_that_is_read_again_leaves_what_waited(world: World) -> None:
    world.producer.terms = policy(Behaviour.EXCEPTION)
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    await changes.take(world.batches.of([wider(1, extra="y")]))
    await turns(10)
    await changes.take(world.batches.of([wider(1, extra="y")], generation=2))  # after a rebalance
    await turns(10)
    world.producer.take_in(verdict("approve"))
    await turns(50)
    assert [row.offset for row in world.producer.rows()] == [0, 1], "once, and by the lane of the new generation"
    assert [chunk.header.generation for chunk in world.producer.chunks()] == [1, 2]


async def test_nothing_is_written_before_the_history_has_the_shape(world: World) -> None:
    world.producer.undecided = True
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    await turns(10)
    assert [sent.topic for sent in world.producer.sent] == [NAMES.schemas]
    assert world.batches.settled == []


async def test_an_impossible_type_goes_beside_the_old_column_in_both_stores(world: World) -> None:
    changes = world.changes()
    records = [declared(0, "int64", 1), declared(1, "string", "many"), declared(2, "int64", 1)]
    await changes.take(world.batches.of(records))
    for sink in ("kudu", "hbase"):
        before, after, late = world.producer.chunks(sink)
        assert [column.name for column in before.schema.columns] == ["id", "n", "note"]
        assert [column.name for column in after.schema.columns] == ["id", "n__string", "note", "n"]
        assert after.rows[0].values == (1, "many", "x", None)
        assert late.rows[0].values == (2, 1, "x", None), "the older type again: the other column is null"
        assert [column.name for column in late.schema.columns] == ["id", "n", "note", "n__string"]


async def test_a_key_that_was_turned_down_makes_dead_letters_and_no_rows(world: World) -> None:
    world.producer.terms = policy(Behaviour.IGNORE)
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    other = Record(1, b'{"n": 1}', event(1).value)
    await changes.take(world.batches.of([other, event(2)]))
    await turns(10)
    assert [row.offset for row in world.producer.rows()] == [0, 2]
    (letter,) = world.producer.held()
    assert (letter.offset, letter.error) == (1, "TableRefused")
    assert "key (n)" in letter.message
    assert world.counts()["dead_lettered"] == 1


async def test_a_delete_that_brings_its_key_alone_is_no_new_shape(world: World) -> None:
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    source = {"db": "shop", "schema": "public", "table": "orders"}
    value = {"before": {"id": 0}, "after": None, "op": "d", "source": source}
    await changes.take(world.batches.of([Record(1, b'{"id": 0}', json.dumps(value).encode())]))
    assert len(world.producer.to(NAMES.schemas)) == 1
    assert world.producer.rows()[-1].values == (0,)


async def test_rows_of_another_table_in_the_topic_are_refused_by_name_and_its_own_go_on(world: World) -> None:
    def of(offset: int, table: str) -> Record:
        value = json.loads(event(offset).value or b"")
        value["source"] = {"db": "shop", "schema": "public", "table": table}
        return Record(offset, event(offset).key, json.dumps(value).encode())

    changes = world.changes()
    await changes.take(world.batches.of([of(0, "a/b"), of(1, "a:b"), of(2, "a/b")]))
    await changes.take(world.batches.of([of(3, "a:b")]))
    await turns(10)
    assert [row.offset for row in world.producer.rows()] == [0, 2]
    letters = world.producer.held()
    assert [(letter.offset, letter.error) for letter in letters] == [(1, "TableRefused"), (3, "TableRefused")]
    assert "a row of public.a:b, in a topic whose rows are those of public.a/b" in letters[0].message
    assert world.counts()["dead_lettered"] == 2


@pytest.mark.parametrize("first", [0, 1])
async def test_an_app_that_meets_a_later_shape_first_begins_with_the_oldest(world: World, first: int) -> None:
    old, new = declared(0, "int64", 1, at_ms=1_000), declared(0, "string", "many", at_ms=2_000)
    world.heads = [(0, old), (1, new)]
    changes = world.changes()
    for partition in (first, 1 - first):
        await changes.take(world.batches.of([(old, new)[partition]], partition=partition))
        await turns(20)
    history = history_of(world.producer.histories[TOPIC])
    assert [(seen.partition, seen.source_us) for seen in history.events] == [(0, 1_000_000), (1, 2_000_000)]
    by_partition = {chunk.header.partition: chunk.schema for chunk in world.producer.chunks("kudu")}
    assert [column.name for column in by_partition[0].columns][:3] == ["id", "n", "note"]
    assert [column.name for column in by_partition[1].columns][:3] == ["id", "n__string", "note"]


async def test_a_shape_that_was_before_the_latest_is_taken_without_undoing_anything(world: World) -> None:
    world.producer.terms = policy(Behaviour.EVOLVE)
    changes = world.changes()
    await changes.take(world.batches.of([wider(0, extra="y")]))
    latest = history_of(world.producer.histories[TOPIC]).latest
    earlier = json.loads(event(0).value or b"")
    earlier["source"]["ts_ms"] -= 5_000
    record = Record(0, event(0).key, json.dumps(earlier).encode())
    await changes.take(world.batches.of([record], partition=1))
    history = history_of(world.producer.histories[TOPIC])
    assert history.latest == latest
    assert history.events[-1].notes == (EARLIER,)
    assert history.events[-1].changes == ()
    late = world.producer.chunks("kudu")[-1]
    assert "extra" in [column.name for column in late.schema.columns], "the column stays, and is null in such rows"
    assert not late.schema.without

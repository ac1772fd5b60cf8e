"""What the agent `changes` does with a row that fails a rule: what is put in, what stops, and that the rest goes on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, TOPIC, Record, event, turns
from test_changes_agent import World

from parrot_faust.quality import load
from parrot_faust.quality.standing import RuleEntry


@pytest.fixture
def world() -> World:
    return World()


def update(offset: int, before: dict[str, Any] | None, **after: Any) -> Record:
    record = event(offset, "u", **after)
    value = json.loads(record.value or b"")
    value["before"] = before
    return replace(record, value=json.dumps(value).encode())


def failed(world: World) -> dict[str, int]:
    return {rule["rule"]: rule["failed"] for rule in world.stats.snapshot()["rules"]}


async def test_a_default_takes_the_place_of_a_bad_value_and_is_counted(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}, default: 7}]\n"
    await world.changes().take(world.batches.of([event(0, n=5), event(1, n=50), event(2, n=6)]))
    await turns()
    assert [row.values for row in world.producer.rows()] == [(0, 5, "x"), (1, 7, "x"), (2, 6, "x")]
    counts = world.counts()
    assert (counts["forwarded"], counts["mended"], counts["warned"], counts["quarantined"]) == (3, 1, 0, 0)
    assert failed(world) == {"n.be_between": 1}


async def test_null_takes_the_place_of_a_bad_value_and_every_bad_one_is_mended(world: World) -> None:
    world.rules = """
columns:
  n: [{be_between: {max_value: 10}, action: 'null'}]
  note: [{be_in_set: [x, y], default: y}]
"""
    await world.changes().take(world.batches.of([event(0, n=50, note="z")]))
    assert [row.values for row in world.producer.rows()] == [(0, None, "y")]


async def test_a_value_put_in_that_fails_as_well_is_quarantined_as_it_came(world: World) -> None:
    world.rules = "columns:\n  n: [not_be_null, {be_between: {max_value: 10}, action: 'null'}]\n"
    record = event(0, n=50)
    await world.changes().take(world.batches.of([record]))
    await turns()
    assert world.producer.rows() == []
    (letter,) = world.producer.held()
    assert letter.value == record.value
    assert letter.rule == "n.be_between,n.not_be_null"
    assert (world.counts()["quarantined"], world.counts()["mended"]) == (1, 0)


async def test_a_column_of_the_key_is_never_given_another_value(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.rules = "columns:\n  id: [{be_between: {max_value: 10}, default: 7}]\n"
    await world.changes().take(world.batches.of([event(50)]))
    assert world.producer.rows() == []
    assert len(world.producer.held()) == 1
    assert "part of the key" in caplog.text


@pytest.mark.parametrize(
    ("rules", "good", "bad", "rule"),
    [
        ("transitions: [{column: note, allow: {new: [paid]}}]", {"note": "paid"}, {"note": "gone"}, "note.transitions"),
        ("immutable: [n]", {"n": 5}, {"n": 6}, "n.immutable"),
        ("monotonic: [n]", {"n": 6}, {"n": 4}, "n.monotonic"),
        ("rows: [{condition: after.n >= before.n, ops: [u]}]", {"n": 5}, {"n": 4}, "condition"),
    ],
)
async def test_rules_about_what_a_change_does_hold_it_back(
    world: World, rules: str, good: dict[str, Any], bad: dict[str, Any], rule: str
) -> None:
    world.rules = rules + "\n"
    before = {"id": 0, "n": 5, "note": "new"}
    row = {"n": 5, "note": "new"}
    records = [
        event(0),
        update(1, before, id=0, **{**row, **good}),
        update(2, before, id=0, **{**row, **bad}),
        event(3, "d", id=0),
    ]
    await world.changes().take(world.batches.of(records))
    assert [row.offset for row in world.producer.rows()] == [0, 1, 3]
    (letter,) = world.producer.held()
    assert (letter.offset, letter.rule) == (2, rule)


async def test_a_change_without_the_row_before_fails_such_a_rule_and_says_what_to_do(world: World) -> None:
    world.rules = "immutable: [n]\n"
    await world.changes().take(world.batches.of([update(0, None, n=5)]))
    (letter,) = world.producer.held()
    assert "replica identity full" in letter.message


async def test_a_rule_may_be_for_deletes_only(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}, ops: [d], image: before, action: drop}]\n"
    await world.changes().take(world.batches.of([event(0, n=50), event(1, "d", n=50), event(2, "d", n=5)]))
    assert [row.offset for row in world.producer.rows()] == [0, 2]


async def test_fail_stops_the_partition_before_the_row_and_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}, action: fail}]\n"
    changes = world.changes()
    await changes.take(world.batches.of([event(0), event(1, n=50), event(2)]))
    await changes.take(world.batches.of([event(3)]))
    await changes.take(world.batches.of([event(0), event(1)], partition=1))
    await turns()
    assert [settled[:2] for settled in world.batches.settled] == [(0, 1)], "the other partition's"
    assert world.fatal == []
    assert [sent.partition for sent in world.producer.to(NAMES.writes("kudu"))] == [1], "nothing of the stopped one"
    assert "shop.public.orders[0] is STOPPED before offset 1: rule n.be_between" in caplog.text
    (stopped,) = world.stats.snapshot()["stopped"]
    assert (stopped["table"], stopped["partition"], stopped["offset"], stopped["rules"]) == (
        TOPIC, 0, 1, ["n.be_between"],
    )  # fmt: skip
    assert failed(world) == {"n.be_between": 1}


async def test_a_stopped_partition_goes_on_as_soon_as_its_rules_let_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.rules = (
        "columns:\n  n: [{be_between: {max_value: 10}, action: fail}]\n  note: [{be_in_set: [x], default: x}]\n"
    )
    book: dict[str, str] = {}
    changes = world.changes(book)
    await changes.take(world.batches.of([event(0, note="z"), event(1, n=50)]))
    await changes.take(world.batches.of([event(2)]))
    await turns()
    assert (world.batches.settled, world.producer.rows()) == ([], [])
    other = load(f"table: {TOPIC}\n" + world.rules.replace("10", "100"), "orders.yaml")
    book[TOPIC] = msgspec.json.encode(RuleEntry(other.version, other.to_json(), "command", 10**15)).decode()
    for _ in range(200):
        await asyncio.sleep(0.01)
        if len(world.batches.settled) == 2:
            break
    assert [settled[:2] for settled in world.batches.settled] == [(0, 1), (2, 2)]
    assert [row.values for row in world.producer.rows()] == [(0, 1, "x"), (1, 50, "x"), (2, 1, "x")]
    assert (world.stats.snapshot()["stopped"], world.counts()["mended"]) == ([], 1)
    assert "goes on" in caplog.text


async def test_a_stopped_partition_that_is_read_again_is_judged_again(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}, action: fail}]\n"
    changes = world.changes()
    await changes.take(world.batches.of([event(0), event(1, n=50)]))
    await changes.take(world.batches.of([event(0), event(1, n=5)], generation=2))
    await turns()
    assert [settled[:2] for settled in world.batches.settled] == [(0, 1)]
    assert world.stats.snapshot()["stopped"] == []

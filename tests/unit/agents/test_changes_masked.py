"""The agent `changes` on a table with masked columns: rules see the values, nothing that leaves the worker does."""

from __future__ import annotations

import hashlib
import json
import logging

import pytest
from agent_stubs import NAMES, TOPIC, Record, event, garbage, turns
from test_changes_agent import PLACEHOLDER, World

from models import Column, Kind, RowOp
from parrot_faust.masking import Masking, read_masked

SECRET = "ada@example.org"
HASH = hashlib.sha256(SECRET.encode()).hexdigest()
CHECKED = f"columns:\n  note:\n    - not_match_regex: '^{SECRET}$'\n"


@pytest.fixture
def world() -> World:
    return World(masking=Masking({TOPIC: {"note": "sha256"}}))


def everything(world: World) -> bytes:
    """All that was sent, as bytes."""
    parts = [(sent.key, sent.value, *dict(sent.headers).values()) for sent in world.producer.sent]
    return b"\n".join(part for each in parts for part in each if part)


async def take(world: World, *records: Record) -> None:
    await world.changes().take(world.batches.of(records))
    await turns()


async def test_a_value_is_stored_masked_and_its_column_has_the_mask_s_kind(world: World) -> None:
    world.masking = Masking({TOPIC: {"note": "sha256", "n": "redact"}})
    await take(world, event(0, note=SECRET))
    (chunk,) = world.producer.chunks()
    assert chunk.rows[0].values == (0, "***", HASH)
    assert chunk.schema.columns[1] == Column("n", Kind.STRING, chunk.schema.columns[1].nullable)
    assert SECRET.encode() not in everything(world)


async def test_rules_check_the_original_value_and_say_nothing_of_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.rules = CHECKED
    await take(world, event(0, note=SECRET), event(1, note="other"))
    (held,) = world.producer.held()
    assert held.quarantined
    assert held.masked == ("note",)
    schema, change = read_masked(held.value or b"", offset=0)
    assert change.after == (0, 1, HASH)
    assert schema == world.producer.chunks()[0].schema
    assert HASH in held.message
    assert json.loads(held.key or b"") == {"id": 0}
    assert [row.offset for row in world.producer.rows()] == [1]
    assert SECRET.encode() not in everything(world)
    assert SECRET not in caplog.text


async def test_a_masked_key_is_masked_alike_in_rows_deletes_and_quarantine(world: World) -> None:
    world.masking = Masking({TOPIC: {"id": "sha256"}})
    world.rules = "columns:\n  n:\n    - be_between: {max_value: 10}\n"
    await take(world, event(0, id=7), event(1, "d", id=7), event(2, id=7, n=20))
    hashed = hashlib.sha256(b"7").hexdigest()
    upsert, delete = world.producer.rows()
    assert (upsert.values[0], delete.op, delete.values) == (hashed, RowOp.DELETE, (hashed,))
    assert json.loads(world.producer.held()[0].key or b"") == {"id": hashed}


async def test_what_can_t_be_decoded_is_described_and_not_carried(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    record = Record(0, SECRET.encode(), f'{{"after": "{SECRET}"'.encode())
    with caplog.at_level(logging.DEBUG):
        await take(world, record, garbage(1), event(2, note=SECRET))
    first, _ = world.producer.held()
    assert first.withheld
    assert first.key is None
    assert json.loads(first.value or b"") == {
        "withheld": {
            "key_bytes": len(record.key or b""),
            "value_bytes": len(record.value or b""),
            "value_sha256": hashlib.sha256(record.value or b"").hexdigest(),
        }
    }
    assert SECRET.encode() not in everything(world)
    assert SECRET not in caplog.text
    assert world.counts()["dead_lettered"] == 2


async def test_a_mask_of_a_column_that_is_not_there_lets_nothing_of_the_table_pass(world: World) -> None:
    world.masking = Masking({TOPIC: {"notes": "sha256"}})
    await take(world, event(0, note=SECRET), event(1, note=SECRET))
    assert [letter.error for letter in world.producer.held()] == ["TableRefused"] * 2
    assert "did you mean note?" in world.producer.held()[0].message
    assert not world.producer.rows()
    assert SECRET.encode() not in everything(world)


async def test_a_row_too_large_for_a_chunk_is_described_and_not_carried(world: World) -> None:
    world.masking = Masking({TOPIC: {"n": "redact"}})
    world.chunk_bytes = 1000
    await take(world, event(0, n=4242424242, note="x" * 2000))
    (letter,) = world.producer.held()
    assert (letter.error, letter.withheld) == ("RowTooLarge", True)
    assert b"4242424242" not in everything(world)


async def test_a_held_value_is_kept_masked_and_put_in_once_masked(world: World) -> None:
    world.rules = CHECKED
    changes = world.changes()
    await changes.take(world.batches.of([event(0, id=1, note=SECRET)]))
    await changes.take(world.batches.of([event(1, "u", id=1, note=PLACEHOLDER)]))
    await turns()
    assert world.producer.to(NAMES.images), "the held value is kept"
    assert [row.values for row in world.producer.rows()] == [(1, 1, HASH)]
    assert SECRET.encode() not in everything(world)


async def test_a_value_kept_before_its_column_was_masked_is_masked_when_it_is_put_in(world: World) -> None:
    world.masking = Masking({})
    world.rules = CHECKED
    changes = world.changes()
    await changes.take(world.batches.of([event(0, id=1, note=SECRET)]))
    changes._masking = changes._fan_out._masking = changes.filling._masking = Masking(
        {TOPIC: {"note": "sha256"}}
    )  # as after a restart with other settings
    await changes.take(world.batches.of([event(1, "u", id=1, note=PLACEHOLDER)]))
    await turns()
    assert [row.values for row in world.producer.rows()] == [(1, 1, HASH)]

"""The agent `changes`: what each record becomes, and when its batch is settled."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import fastavro
import msgspec
import pytest
from agent_stubs import (
    NAMES,
    TIME_US,
    TOPIC,
    Batches,
    Producer,
    Record,
    event,
    garbage,
    tombstone,
    turns,
)

from agents.breakers import Breakers
from agents.changes import Changes
from agents.fan_out import Targets
from agents.held_images import HeldImages
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook
from agents.schema_book import SchemaBook, SchemaSeen, history_of
from agents.tallying import Tallying
from models import RowOp, Stage
from parrot_faust.codec import Decoder
from parrot_faust.delivery.stats import Stats
from parrot_faust.errors import RegistryUnavailable
from parrot_faust.masking import Masking
from parrot_faust.quality import load
from parrot_faust.tracing import OFF, Traces

LOG = logging.getLogger("test.changes")
PLACEHOLDER = "__debezium_unavailable_value"
OUTCOMES = ("forwarded", "quarantined", "dropped", "dead_lettered", "tombstones", "skipped")


@dataclass
class World:
    """The agent among stubs."""

    producer: Producer = field(default_factory=Producer)
    reservations: Producer = field(default_factory=Producer)
    batches: Batches = field(default_factory=Batches)
    stats: Stats = field(default_factory=lambda: Stats(lambda: 1_700_000_000.0))
    fatal: list[BaseException] = field(default_factory=list)
    notes: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    registry: Any = None
    rules: str = ""
    sinks: tuple[str, ...] = ("kudu", "hbase")
    chunk_rows: int = 100
    chunk_bytes: int = 100_000
    pauses: dict[str, str] = field(default_factory=dict)
    now_ms: int = TIME_US // 1000 + 5_000
    masking: Masking = field(default_factory=lambda: Masking({}))
    heads: list[tuple[int, Record]] = field(default_factory=list)
    traces: Traces = OFF

    def changes(self, rules_table: Mapping[str, str] | None = None) -> Changes:
        outbox = Outbox(self.producer, NAMES)
        files = {TOPIC: load(f"table: {TOPIC}\n{self.rules}", "orders.yaml")} if self.rules else {}

        rules = RuleBook(files, 0, LOG)
        rules.attach(rules_table if rules_table is not None else {})

        async def committed_note(topic: str, partition: int) -> tuple[int, str] | None:
            return self.notes.get((topic, partition))

        async def no_images(_topic: str, _partition: int) -> list[tuple[bytes | None, bytes | None]]:
            return []

        return Changes(
            decoder=Decoder(format="auto"),
            registry=self.registry,
            rules=rules,
            schemas=self.book(outbox),
            outbox=outbox,
            names=NAMES,
            targets=Targets(lambda _: self.sinks, lambda: 4, self.chunk_rows, self.chunk_bytes),
            masking=self.masking,
            stats=self.stats,
            committed_note=committed_note,
            confirmed=lambda _topic, _partition: None,
            images=HeldImages(outbox, NAMES, lambda: 4, no_images),
            reserved=ReservedVersions(Outbox(self.reservations, NAMES), NAMES, lambda: 4, self.read_reserved),
            heads=self.read_heads,
            tallying=self.tallying(rules, outbox),
            breakers=self.breakers(outbox),
            fatal=self.fatal.append,
            log=LOG,
            jitter=lambda: 0.0,
            traces=self.traces,
        )

    async def read_heads(self, _topic: str) -> list[tuple[int, Record]]:
        return self.heads

    def tallying(self, rules: RuleBook, outbox: Outbox) -> Tallying:
        return Tallying(
            rules=rules,
            masking=self.masking,
            outbox=outbox,
            names=NAMES,
            confirmed=lambda _topic, _partition: None,
            partitions=lambda _: 1,
            now_ms=lambda: self.now_ms,
            log=LOG,
        )

    def breakers(self, outbox: Outbox) -> Breakers:
        made = Breakers(outbox, NAMES, lambda: self.now_ms, LOG)
        made.attach(self.pauses)
        return made

    def book(self, outbox: Outbox) -> SchemaBook:
        """A book whose announcements are decided on as soon as they are sent."""
        book = SchemaBook(outbox, NAMES, self.stats, lambda: 5)
        book.attach(self.producer.histories)
        return book

    async def read_reserved(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        return [(sent.key, sent.value) for sent in self.reservations.to(topic) if sent.partition == partition]

    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = self.stats.snapshot()["sources"].get(TOPIC, {})
        return counts


@pytest.fixture
def world() -> World:
    return World()


# -- settling --------------------------------------------------------------------------------------------------------


async def test_a_batch_is_settled_only_after_every_confirmation_came(world: World) -> None:
    world.producer.prompt = False
    await world.changes().take(world.batches.of([event(0), garbage(1)]))
    sent = world.producer.sent
    assert {each.topic for each in sent} == {NAMES.writes("kudu"), NAMES.writes("hbase"), NAMES.held, NAMES.schemas}
    for each in sent:
        await turns()
        assert (world.batches.settled, world.counts()) == ([], {}), "settled before the broker had everything"
        world.producer.confirm([each])
    await turns()
    assert [settled[:2] for settled in world.batches.settled] == [(0, 1)]
    assert world.counts()["captured"] == 2


async def test_a_failure_of_the_producer_is_fatal_and_settles_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.producer.prompt = False
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    refused = ConnectionError("the broker is gone")
    world.producer.to(NAMES.writes("hbase"))[0].confirmation.set_exception(refused)
    await changes.take(world.batches.of([event(1)]))
    world.producer.confirm()
    await turns()
    assert world.fatal == [refused]
    assert (world.batches.settled, world.counts()) == ([], {}), "what follows a batch that failed settles nothing"
    assert "did not take" in caplog.text


async def test_batches_of_a_partition_settle_in_their_order(world: World) -> None:
    world.producer.prompt = False
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    first = list(world.producer.sent)
    await changes.take(world.batches.of([event(1)]))
    await changes.take(world.batches.of([event(0)], partition=1))
    world.producer.confirm(each for each in world.producer.sent if each not in first)
    await turns()
    assert [settled[:2] for settled in world.batches.settled] == [(0, 0)], "only the other partition's"
    world.producer.confirm()
    await turns()
    assert [settled[:2] for settled in world.batches.settled] == [(0, 0), (0, 0), (1, 1)]


async def test_what_waits_for_confirmation_is_known_until_it_came(world: World) -> None:
    world.producer.prompt = False
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    await turns()
    assert len(changes.confirming) == 1
    world.producer.confirm()
    await turns()
    assert not changes.confirming


# -- what a record becomes -------------------------------------------------------------------------------------------


async def test_every_record_ends_as_exactly_one_outcome(world: World) -> None:
    world.rules = (
        "columns:\n"
        "  n:\n"
        "    - be_between: {max_value: 100}\n"
        "    - be_between: {max_value: 50}\n      action: drop\n"
        "    - be_between: {max_value: 10}\n      action: warn\n"
    )
    records = [
        event(0),
        event(1, n=20),  # warned, and forwarded
        event(2, n=60),  # dropped
        event(3, n=200),  # breaks all three: the strictest wins
        garbage(4),
        event(5, "d"),
        tombstone(6),
        event(7, "m"),
        event(8, "t"),
        event(9, "r"),
    ]
    await world.changes().take(world.batches.of(records))
    await turns()
    counts = world.counts()
    assert counts == {
        "captured": 10,
        "forwarded": 4,
        "warned": 1,
        "mended": 0,
        "dropped": 1,
        "quarantined": 1,
        "dead_lettered": 1,
        "tombstones": 1,
        "skipped": 2,
    }
    assert sum(counts[name] for name in OUTCOMES) == counts["captured"]
    for sink in world.sinks:
        assert [row.offset for row in world.producer.rows(sink)] == [0, 1, 5, 9]
    assert sorted(letter.offset for letter in world.producer.held()) == [3, 4]


async def test_a_quarantined_record_keeps_its_bytes_and_says_which_rules_it_broke(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n  note: [{be_in_set: [x, y]}]\n"
    record = event(3, n=50, note="z")
    await world.changes().take(world.batches.of([record]))
    (letter,) = world.producer.held()
    assert (letter.key, letter.value, letter.timestamp_ms) == (record.key, record.value, record.timestamp)
    assert letter.stage is Stage.CHECK
    assert letter.quarantined
    assert letter.rule.count(",") == 1, "both rules"
    assert "50" in letter.message
    assert "'z'" in letter.message
    assert letter.rules_version
    failed = {rule["rule"]: rule["failed"] for rule in world.stats.snapshot()["rules"]}
    assert failed == dict.fromkeys(letter.rule.split(","), 1)


async def test_a_record_that_is_no_event_is_held_with_its_bytes_and_reason(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    record = garbage(7)
    await world.changes().take(world.batches.of([record]))
    (letter,) = world.producer.held()
    assert (letter.topic, letter.partition, letter.offset) == (TOPIC, 0, 7)
    assert (letter.key, letter.value, letter.carried) == (record.key, record.value, True)
    assert (letter.stage, letter.error) == (Stage.DECODE, "DecodeError")
    assert letter.message in caplog.text


async def test_a_record_that_is_held_has_the_version_of_its_place_among_its_neighbours(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n"
    same = TIME_US // 1000  # so that there would be no room between them
    records = [
        event(0, time_ms=same),
        garbage(1),
        event(2, n=50, time_ms=same),
        garbage(3),
        event(4, time_ms=same),
    ]
    changes = world.changes()
    await changes.take(world.batches.of(records))
    await changes.take(world.batches.of([event(5, time_ms=same)]))
    versions = {letter.offset: letter.version for letter in world.producer.held()}
    versions |= {row.offset: row.version for row in world.producer.rows()}
    assert [versions[offset] for offset in range(6)] == [TIME_US + offset for offset in range(6)]


async def test_a_record_s_own_headers_are_held_with_it(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n"
    own = (("trace", b"\xff"), ("trace", b""))
    held = [replace(garbage(0), headers=own), replace(event(1, n=50), headers=own)]
    await world.changes().take(world.batches.of(held))
    assert [letter.headers for letter in world.producer.held()] == [own, own]


async def test_values_that_the_event_did_not_carry_pass_through_as_unset(world: World) -> None:
    world.rules = "columns: {note: [not_be_null, {be_in_set: [x]}]}\n"
    await world.changes().take(world.batches.of([event(0), event(1, "u", id=0, note=PLACEHOLDER)]))
    first, second = world.producer.rows()
    assert (first.values, first.unset) == ((0, 1, "x"), ())
    assert (second.values, second.unset) == ((0, 1, None), (2,))


async def test_a_delete_is_forwarded_as_its_key_alone(world: World) -> None:
    await world.changes().take(world.batches.of([event(4, "d", id=9)]))
    (row,) = world.producer.rows()
    assert (row.op, row.values) == (RowOp.DELETE, (9,))


async def test_a_truncate_is_said_and_not_applied(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.changes().take(world.batches.of([event(0), event(1, "t")]))
    assert [row.offset for row in world.producer.rows()] == [0]
    assert "truncated at the source (offset 1)" in caplog.text


# -- chunks ----------------------------------------------------------------------------------------------------------


async def test_a_row_too_large_is_dead_lettered_while_its_neighbours_are_forwarded(world: World) -> None:
    world.chunk_bytes = 2_000
    await world.changes().take(world.batches.of([event(0), event(1, note="y" * 5_000), event(2)]))
    await turns()
    assert [row.offset for row in world.producer.rows()] == [0, 2]
    (letter,) = world.producer.held()
    assert (letter.offset, letter.error) == (1, "RowTooLarge")
    assert "2000" in letter.message
    assert letter.value == event(1, note="y" * 5_000).value
    assert (world.counts()["forwarded"], world.counts()["dead_lettered"]) == (2, 1)


async def test_chunks_are_bounded_in_order_and_on_one_partition_of_each_sink(world: World) -> None:
    world.chunk_rows = 3
    changes = world.changes()
    for first in (0, 8):
        await changes.take(world.batches.of([event(offset) for offset in range(first, first + 8)], partition=2))
    for sink in world.sinks:
        assert [len(chunk.rows) for chunk in world.producer.chunks(sink)] == [3, 3, 2] * 2
        assert [row.offset for row in world.producer.rows(sink)] == list(range(16))
        sent = world.producer.to(NAMES.writes(sink))
        assert len({each.partition for each in sent}) == 1, "order per key survives on one partition only"
        assert {each.key for each in sent} == {f"{TOPIC}/2".encode()}
    header = world.producer.chunks()[0].header
    assert (header.table, header.partition, header.generation) == (TOPIC, 2, 1)


async def test_a_table_goes_to_the_sinks_that_its_settings_name(world: World) -> None:
    world.sinks = ("hbase",)
    await world.changes().take(world.batches.of([event(0)]))
    assert not world.producer.to(NAMES.writes("kudu"))
    assert [row.offset for row in world.producer.rows("hbase")] == [0]


# -- versions --------------------------------------------------------------------------------------------------------


async def test_versions_follow_the_source_time_and_are_committed_as_the_note(world: World) -> None:
    await world.changes().take(
        world.batches.of([event(0, time_ms=1000), event(1, time_ms=1000), event(2, time_ms=900)])
    )
    await turns()
    assert [row.version for row in world.producer.rows()] == [1_000_000, 1_000_001, 1_000_002]
    assert world.batches.settled == [(0, 2, "1000002")]


@pytest.mark.parametrize(("generation", "first"), [(2, 1), (1, 0)], ids=["new generation", "read again"])
async def test_versions_begin_where_the_commit_left_them(world: World, generation: int, first: int) -> None:
    floor = TIME_US * 2
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    world.notes[TOPIC, 0] = (first, str(floor))
    await changes.take(world.batches.of([event(first)], generation=generation))
    assert [row.version for row in world.producer.rows()][1] == floor + 1


async def test_within_a_generation_the_clock_just_goes_on(world: World) -> None:
    changes = world.changes()
    await changes.take(world.batches.of([event(0)]))
    world.notes[TOPIC, 0] = (0, str(TIME_US * 2))
    await changes.take(world.batches.of([event(1)]))
    assert [row.version for row in world.producer.rows()] == [TIME_US, TIME_US + 1000]


async def test_versions_are_reserved_at_the_broker_before_the_first_row_is_sent(world: World) -> None:
    world.reservations.prompt = False
    taking = asyncio.create_task(world.changes().take(world.batches.of([event(0)])))
    await turns(50)
    assert world.reservations.sent
    assert world.producer.rows() == []
    world.reservations.confirm()
    await taking
    assert [row.version for row in world.producer.rows()] == [TIME_US]


@pytest.mark.parametrize("restarted", [False, True], ids=["by the same worker", "by another one"])
async def test_a_topic_made_anew_has_versions_above_all_of_before_though_the_broker_forgot_the_note(
    world: World, restarted: bool
) -> None:
    changes = world.changes()
    await changes.take(world.batches.of([event(0), event(1), event(2)]))
    behind = event(0, time_ms=1_000)  # the new database's clock is years behind
    await (world.changes() if restarted else changes).take(world.batches.of([behind], generation=1 + restarted))
    *before, again = [row.version for row in world.producer.rows()]
    assert len(before) == 3
    assert again > max(before)
    assert len(world.reservations.sent) == 2


async def test_reading_again_from_a_note_reserves_nothing_anew(world: World) -> None:
    changes = world.changes()
    await changes.take(world.batches.of([event(0), event(1)]))
    world.notes[TOPIC, 0] = (1, str(TIME_US))
    await world.changes().take(world.batches.of([event(1)], generation=2))
    assert [row.version for row in world.producer.rows()] == [TIME_US, TIME_US + 1000, TIME_US + 1000]
    assert len(world.reservations.sent) == 1


async def test_rows_of_a_snapshot_do_not_count_for_the_time_until_visible(world: World) -> None:
    changes = world.changes()
    await changes.take(world.batches.of([event(0, "r")]))
    await changes.take(world.batches.of([event(1)]))
    read, created = (chunk.header for chunk in world.producer.chunks())
    assert (read.oldest_us, read.newest_us) == (0, 0)
    assert created.newest_us == TIME_US + 1000


# -- schemas ---------------------------------------------------------------------------------------------------------


async def test_a_shape_is_announced_once(world: World) -> None:
    changes = world.changes()
    for offset in range(3):
        await changes.take(world.batches.of([event(offset)]))
    (sent,) = world.producer.to(NAMES.schemas)
    seen = msgspec.json.decode(sent.value or b"", type=SchemaSeen)
    assert (sent.key, seen.offset, seen.sink) == (TOPIC.encode(), 0, "")
    history = history_of(world.producer.histories[TOPIC])
    assert [change.change for change in history.events[0].changes] == ["CreateTable"]


ENVELOPE = """{"type": "record", "name": "Envelope", "fields": [
  {"name": "before", "type": ["null", {"type": "record", "name": "Value", "fields": [
    {"name": "id", "type": "long"}, {"name": "n", "type": "long"}]}], "default": null},
  {"name": "after", "type": ["null", "Value"], "default": null},
  {"name": "op", "type": "string"}]}"""


def avro(offset: int) -> Record:
    body = io.BytesIO()
    schema = fastavro.parse_schema(json.loads(ENVELOPE))
    fastavro.schemaless_writer(body, schema, {"before": None, "after": {"id": offset, "n": 5}, "op": "c"})
    return Record(offset, b'{"id": %d}' % offset, b"\x00\x00\x00\x00\x07" + body.getvalue())


@dataclass
class Registry:
    """Is away for `away` questions."""

    away: int = 0
    text: str | None = ENVELOPE
    asked: list[int] = field(default_factory=list)

    async def schema(self, schema_id: int) -> str | None:
        self.asked.append(schema_id)
        if len(self.asked) <= self.away:
            raise RegistryUnavailable("http://registry", "connection refused")
        return self.text


async def test_a_registry_that_is_away_is_waited_for_and_nothing_is_dead_lettered(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agents.written_schemas.delays", _no_delay)
    world.registry = Registry(away=3)
    await world.changes().take(world.batches.of([avro(0), avro(1)]))
    assert world.registry.asked == [7] * 4
    assert [row.values for row in world.producer.rows()] == [(0, 5), (1, 5)]
    assert not world.producer.held()
    assert caplog.text.count("trying again") == 3


@pytest.mark.parametrize("registry", [None, Registry(text=None)], ids=["none set", "does not know it"])
async def test_a_schema_that_nobody_knows_is_a_dead_letter_and_the_batch_goes_on(world: World, registry: Any) -> None:
    world.registry = registry
    await world.changes().take(world.batches.of([avro(0), event(1)]))
    await turns()
    assert [(letter.offset, letter.error) for letter in world.producer.held()] == [(0, "UnknownSchema")]
    assert [row.offset for row in world.producer.rows()] == [1]
    assert len(world.batches.settled) == 1


def _no_delay(_first: float, _cap: float, _jitter: Callable[[], float]) -> Any:
    return itertools.repeat(0.0)


async def test_a_value_too_large_to_be_kept_makes_the_change_that_leaves_it_out_a_dead_letter(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n"
    world.chunk_bytes = 1_000
    changes = world.changes()
    placeholder = PLACEHOLDER
    await changes.take(world.batches.of([event(0, id=1, n=50, note="x" * 5_000)]))
    await changes.take(world.batches.of([event(1, id=1, note=placeholder), event(2, id=2)]))
    await changes.take(world.batches.of([event(3, id=1, note=placeholder)]))
    await turns()
    assert [(letter.offset, letter.error) for letter in world.producer.held()] == [
        (0, "RuleFailed"),
        (1, "RowTooLarge"),
        (3, "RowTooLarge"),
    ]
    assert all(sent.value is None or len(sent.value) < 1_000 for sent in world.producer.to(NAMES.images))
    await changes.take(world.batches.of([event(4, id=1, note="short"), event(5, id=1, note=placeholder)]))
    await turns()
    assert [row.offset for row in world.producer.rows()] == [2, 4, 5], "the next one that brings the value passes"
    assert sum(world.counts()[name] for name in OUTCOMES) == world.counts()["captured"] == 6

"""Sending dead letters again: who takes a letter, what is in its way, and where it goes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, TIME_US, TOPIC, Batches, Producer, Record, event, tombstone, turns

from agents.again import Again
from agents.breakers import Breakers
from agents.changes import Changes
from agents.fan_out import Targets
from agents.held_images import HeldImages
from agents.letters import Redrive
from agents.outbox import Outbox
from agents.reserved_versions import ReservedVersions
from agents.rule_book import RuleBook
from agents.schema_book import SchemaBook, SchemaSeen
from agents.tallying import Tallying
from models import Asked, DeadLetter, Edit, Fate, Place, RedriveRequest, Resolution, Stage
from parrot_faust.codec import Decoder
from parrot_faust.delivery.filing import headers_of
from parrot_faust.delivery.stats import Stats
from parrot_faust.masking import Masking
from parrot_faust.quality import load
from parrot_faust.quality.standing import RuleEntry

LOG = logging.getLogger("test.redrive")
DEAD = NAMES.dead(TOPIC)
QUARANTINE = NAMES.quarantine(TOPIC)


@dataclass
class Broker:
    """What a reader reads: records by topic, all in partition 0."""

    topics: dict[str, list[Record]] = field(default_factory=dict)
    begin: dict[str, int] = field(default_factory=dict)
    scans: list[tuple[str, int, int]] = field(default_factory=list)

    async def bounds(self, topic: str, _partition: int) -> tuple[int, int]:
        records = self.topics.get(topic, [])
        return self.begin.get(topic, 0), records[-1].offset + 1 if records else 0

    async def scan(self, topic: str, _partition: int, first: int, end: int) -> AsyncIterator[Sequence[Record]]:
        self.scans.append((topic, first, end))
        found = [record for record in self.topics.get(topic, []) if first <= record.offset < end]
        if found:
            yield found

    async def read(self, topic: str, _partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        begin = self.begin.get(topic, 0)
        return {
            record.offset: record
            for record in self.topics.get(topic, [])
            if record.offset in offsets and record.offset >= begin
        }

    def put(self, topic: str, key: bytes | None, value: bytes | None, headers: Any = ()) -> int:
        records = self.topics.setdefault(topic, [])
        records.append(Record(len(records), key, value, headers=tuple(headers)))
        return len(records) - 1


@dataclass
class World:
    """A worker's agents among stubs; what is produced arrives in the broker's topics when `deliver` is called."""

    broker: Broker = field(default_factory=Broker)
    producer: Producer = field(default_factory=Producer)
    batches: Batches = field(default_factory=Batches)
    stats: Stats = field(default_factory=lambda: Stats(lambda: 1_700_000_000.0))
    owned: dict[tuple[str, int], int] = field(default_factory=lambda: {(TOPIC, 0): 1})
    committed: int | None = None
    rules: str = ""
    mask: dict[str, Any] = field(default_factory=dict)
    chunk_bytes: int = 100_000
    flattened: bool = False
    delivered: int = 0

    def build(self) -> None:
        outbox = Outbox(self.producer, NAMES)
        files = {TOPIC: load(f"table: {TOPIC}\n{self.rules}", "orders.yaml")} if self.rules else {}
        decoder, masking = Decoder(format="auto"), Masking({TOPIC: self.mask})
        self.book = RuleBook(files, 0, LOG)
        schemas = SchemaBook(outbox, NAMES, self.stats, lambda: 5)
        schemas.attach(self.producer.histories)
        targets = Targets(lambda _: ("kudu", "hbase"), lambda: 4, 100, self.chunk_bytes)

        async def committed_note(_topic: str, _partition: int) -> tuple[int, str] | None:
            return None if self.committed is None else (self.committed, "")

        async def no_images(_topic: str, _partition: int) -> list[tuple[bytes | None, bytes | None]]:
            return []

        async def no_heads(_topic: str) -> list[tuple[int, Record]]:
            return []

        self.changes = Changes(
            decoder=decoder,
            registry=None,
            rules=self.book,
            schemas=schemas,
            outbox=outbox,
            names=NAMES,
            targets=targets,
            masking=masking,
            stats=self.stats,
            committed_note=committed_note,
            confirmed=lambda _topic, _partition: self.committed,
            images=HeldImages(outbox, NAMES, lambda: 4, no_images),
            reserved=ReservedVersions(Outbox(Producer(), NAMES), NAMES, lambda: 4, no_images),
            heads=no_heads,
            tallying=Tallying(
                rules=self.book,
                masking=masking,
                outbox=outbox,
                names=NAMES,
                confirmed=lambda _topic, _partition: None,
                partitions=lambda _: 1,
                now_ms=lambda: 0,
                log=LOG,
            ),
            breakers=Breakers(outbox, NAMES, lambda: 0, LOG),
            fatal=lambda error: pytest.fail(repr(error)),
            log=LOG,
            jitter=lambda: 0.0,
        )
        again = Again(
            changes=self.changes,
            decoder=decoder,
            rules=self.book,
            schemas=schemas,
            masking=masking,
            outbox=outbox,
            names=NAMES,
            targets=targets,
        )
        self.redrive = Redrive(
            changes=self.changes,
            again=again,
            reader=self.broker,  # type: ignore[arg-type]
            outbox=outbox,
            names=NAMES,
            stats=self.stats,
            owned=lambda: self.owned,
            committed_note=committed_note,
            tombstones_delete=self.flattened,
            log=LOG,
        )

    async def take(self, *records: Record, commit: bool = True) -> None:
        """Let `changes` take records of the source; the held ones are then filed, as the agent of dead letters does."""
        self.broker.topics.setdefault(TOPIC, []).extend(records)
        await self.changes.take(self.batches.of(list(records)))
        await turns()
        if commit:
            self.committed = records[-1].offset + 1
        self.deliver()

    def deliver(self) -> None:
        for sent in self.producer.sent[self.delivered :]:
            if sent.topic == NAMES.held:
                letter = self.producer.held()[-1]
                for each in self.producer.held():
                    if msgspec.msgpack.encode(each) == sent.value:
                        letter = each
                box = QUARANTINE if letter.quarantined else DEAD
                self.broker.put(box, letter.key, letter.value, headers_of(letter))
            elif sent.topic == NAMES.resolved:
                self.broker.put(sent.topic, sent.key, sent.value)
        self.delivered = len(self.producer.sent)

    def ask(
        self,
        *letters: int,
        box: str = DEAD,
        checked_to: int | None = None,
        request: str = "r",
        edit: Edit | None = None,
    ) -> None:
        """Ask for letters of a box by their offsets there."""
        asked = []
        for letter in letters:
            headers = dict(self.broker.topics[box][letter].headers)
            source = Place(TOPIC, 0, int(headers["parrot.offset"]))
            end = len(self.broker.topics[TOPIC]) if checked_to is None else checked_to
            asked.append(Asked(Place(box, 0, letter), source, end, edit))
        self.broker.put(NAMES.redrive, b"r", msgspec.json.encode(RedriveRequest(request, tuple(asked))))

    async def step(self) -> dict[int, Resolution]:
        """Let the worker look once; return what it has said, by the letter's offset in its box."""
        await self.redrive.step()
        self.deliver()
        return {
            found.letter.offset: found
            for sent in self.producer.to(NAMES.resolved)
            if (found := msgspec.json.decode(sent.value or b"", type=Resolution))
        }

    def repair(self, offset: int, record: Record) -> None:
        """Let the record at a source offset be another one from now on, as if the reader were at fault before."""
        self.broker.topics[TOPIC][offset] = record
        for box in (DEAD, QUARANTINE):
            for letter in self.broker.topics.get(box, []):
                if dict(letter.headers).get("parrot.offset") == str(offset).encode():
                    letter.value = record.value

    def again(self, sink: str = "kudu") -> list[tuple[int, int]]:
        """Offsets and versions of rows that were sent again."""
        chunks = [chunk for chunk in self.producer.chunks(sink) if chunk.header.letters]
        return [(row.offset, row.version) for chunk in chunks for row in chunk.rows]


@pytest.fixture
def world() -> World:
    made = World()
    made.build()
    return made


KEY = b'{"id": 1}'


def broken(offset: int, key: bytes = KEY) -> Record:
    return Record(offset, key, b"\xff")


async def test_a_letter_is_sent_again_behind_all_that_was_sent_with_the_version_of_its_own_place(world: World) -> None:
    await world.take(event(0, id=1), broken(1), event(2, id=2))
    clock = (await world.changes.lanes.at(TOPIC, 0, 1)).clock.last
    world.repair(1, event(1, id=1, n=7))
    world.ask(0)
    said = await world.step()
    assert said == {0: Resolution(Place(DEAD, 0, 0), Fate.FORWARDED, "r", sinks=("kudu", "hbase"))}
    rows = world.producer.rows()
    assert [row.offset for row in rows] == [0, 2, 1]
    versions = {row.offset: row.version for row in rows}
    assert versions[0] < versions[1] < versions[2]
    assert (await world.changes.lanes.at(TOPIC, 0, 1)).clock.last == clock, "the clock is not moved"
    chunk = world.producer.chunks("hbase")[-1]
    assert (chunk.header.letters, chunk.header.request) == ((Place(DEAD, 0, 0),), "r")
    assert chunk.header.newest_us == 0, "it says nothing of how fresh the store is"
    assert world.stats.snapshot()["redrive"]["sources"] == {TOPIC: {"forwarded": 1}}


async def test_an_answered_letter_is_not_taken_again_and_a_new_worker_takes_what_is_not_answered(world: World) -> None:
    await world.take(broken(0), broken(1, b'{"id": 2}'))
    world.repair(0, event(0, id=1))
    world.repair(1, event(1, id=2))
    world.ask(0)
    await world.step()
    await world.step()
    assert [offset for offset, _ in world.again()] == [0]
    world.ask(1)
    other = World(broker=world.broker, producer=world.producer, committed=2, delivered=world.delivered)
    other.build()
    await other.step()
    assert [offset for offset, _ in world.again()] == [0, 1]


async def test_only_the_worker_that_has_the_partition_takes_a_letter(world: World) -> None:
    await world.take(broken(0))
    world.owned = {(TOPIC, 1): 1, ("other", 0): 1}
    world.ask(0)
    assert await world.step() == {}
    world.owned = {(TOPIC, 0): 2}
    world.repair(0, event(0, id=1))
    assert (await world.step())[0].fate is Fate.FORWARDED
    assert world.producer.chunks()[-1].header.generation == 2


async def test_a_partition_without_traffic_since_it_was_assigned_is_taken_too() -> None:
    first = World()
    first.build()
    await first.take(broken(0))
    world = World(broker=first.broker, producer=first.producer, committed=1, delivered=first.delivered)
    world.build()
    world.repair(0, event(0, id=1))
    world.ask(0)
    assert (await world.step())[0].fate is Fate.FORWARDED


async def test_a_letter_whose_offset_is_not_committed_waits(world: World) -> None:
    await world.take(broken(0), commit=False)
    world.ask(0)
    assert await world.step() == {}
    world.committed = 1
    assert (await world.step())[0].fate is Fate.FAILED


async def test_a_newer_record_that_came_since_it_was_asked_for_leaves_the_letter_open(world: World) -> None:
    await world.take(broken(0), broken(1, b'{"id": 2}'))
    world.ask(0, 1)
    world.repair(0, event(0, id=1))
    world.repair(1, event(1, id=2))
    await world.take(event(2, id=1), tombstone(3))
    said = await world.step()
    assert (said[0].fate, said[1].fate) == (Fate.OVERTAKEN, Fate.FORWARDED)
    assert [offset for offset, _ in world.again()] == [1]


async def test_what_was_looked_at_before_is_not_looked_at_again(world: World) -> None:
    await world.take(broken(0), event(1, id=5))
    world.ask(0)
    await world.take(event(2, id=6))
    await world.step()
    assert [scan for scan in world.broker.scans if scan[0] == TOPIC] == [(TOPIC, 2, 3)]


async def test_a_letter_that_fails_again_stays_the_letter_it_is(world: World) -> None:
    await world.take(broken(0))
    world.ask(0)
    said = await world.step()
    assert (said[0].fate, said[0].error) == (Fate.FAILED, "DecodeError")
    assert said[0].message
    assert len(world.producer.held()) == 1, "no second letter"
    assert world.again() == []


async def test_a_letter_of_one_sink_goes_to_that_sink_alone(world: World) -> None:
    await world.take(event(0, id=1))
    value = event(0, id=1).value
    letter = DeadLetter(TOPIC, 0, 0, KEY, value, Stage.WRITE, "ValueRefused", "too large", "hbase", version=77)
    world.broker.put(DEAD, letter.key, letter.value, headers_of(letter))
    world.ask(0)
    assert (await world.step())[0].sinks == ("hbase",)
    assert (world.again("kudu"), world.again("hbase")) == ([], [(0, 77)])


async def test_letters_of_one_key_are_sent_in_the_order_of_their_offsets(world: World) -> None:
    await world.take(broken(0), broken(1), broken(2))
    for offset, op in enumerate(("c", "d", "c")):
        world.repair(offset, event(offset, op, id=1))
    world.ask(2, 0)
    world.ask(1)
    await world.step()
    sent = world.again()
    assert [offset for offset, _ in sent] == [0, 1, 2]
    assert [version for _, version in sent] == sorted({version for _, version in sent})


async def test_rules_as_they_are_now_decide(world: World) -> None:
    world.rules = (
        "columns:\n  n: [{be_between: {max_value: 10}}, {be_between: {max_value: 100}, action: drop},"
        " {be_between: {max_value: 5}, action: warn}]\n"
    )
    world.build()
    await world.take(broken(0, b'{"id": 0}'), broken(1, b'{"id": 1}'), broken(2, b'{"id": 2}'), event(3, n=50))
    world.repair(0, event(0, n=50))
    world.repair(1, event(1, n=500))
    world.repair(2, event(2, n=7))
    world.ask(0, 1, 2)
    world.ask(0, box=QUARANTINE)
    held = len(world.producer.held())
    await world.step()
    by_box = {
        (found.letter.topic, found.letter.offset): found.fate
        for sent in world.producer.to(NAMES.resolved)
        if (found := msgspec.json.decode(sent.value or b"", type=Resolution))
    }
    assert by_box == {
        (DEAD, 0): Fate.QUARANTINED,
        (DEAD, 1): Fate.QUARANTINED,
        (DEAD, 2): Fate.FORWARDED,
        (QUARANTINE, 0): Fate.FAILED,
    }
    moved = world.producer.held()[held:]
    assert [(letter.offset, letter.stage, letter.quarantined) for letter in moved] == [
        (0, Stage.CHECK, True),
        (1, Stage.CHECK, True),
    ]
    assert all(letter.rule and letter.rules_version and letter.version for letter in moved)


async def test_a_rule_that_drops_closes_the_letter_and_a_record_without_a_row_too(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}, action: drop}]\n"
    world.build()
    await world.take(broken(0, b'{"id": 0}'), broken(1, b'{"id": 1}'), broken(2, b'{"id": 2}'))
    world.repair(0, event(0, n=50))
    world.repair(1, event(1, "m"))
    world.repair(2, event(2, "t"))
    world.ask(0, 1, 2)
    said = await world.step()
    assert [said[offset].fate for offset in range(3)] == [Fate.DROPPED, Fate.EMPTY, Fate.EMPTY]


async def test_a_row_that_is_too_large_fails_again_and_its_neighbours_go_on(world: World) -> None:
    world.chunk_bytes = 2_000
    world.build()
    await world.take(broken(0, b'{"id": 0}'), broken(1, b'{"id": 1}'))
    world.repair(0, event(0, note="x" * 3_000))
    world.repair(1, event(1))
    world.ask(0, 1)
    said = await world.step()
    assert (said[0].fate, said[0].error, said[1].fate) == (Fate.FAILED, "RowTooLarge", Fate.FORWARDED)


async def test_a_letter_whose_original_is_gone_or_another_is_left_open(world: World) -> None:
    await world.take(broken(0), broken(1, b'{"id": 2}'), event(2, id=9))
    world.broker.begin[TOPIC] = 1
    world.broker.topics[TOPIC][1].timestamp += 1  # the topic was made anew
    world.ask(0, 1)
    said = await world.step()
    assert [said[offset].fate for offset in (0, 1)] == [Fate.UNCERTAIN, Fate.UNCERTAIN]
    assert world.again() == []


async def test_a_gap_that_the_topic_no_longer_has_leaves_the_letter_open(world: World) -> None:
    await world.take(broken(0), event(1, id=5))
    world.ask(0)
    await world.take(event(2, id=6), event(3, id=7))
    read = world.broker.read

    async def before(topic: str, partition: int, offsets: Sequence[int]) -> dict[int, Record]:
        found = await read(topic, partition, offsets)
        world.broker.begin[TOPIC] = 3  # what was read just now is gone when the rest is looked at
        return found

    world.broker.read = before  # type: ignore[method-assign]
    assert (await world.step())[0].fate is Fate.UNCERTAIN


async def test_a_record_without_a_key_and_a_letter_that_is_not_there_are_refused(world: World) -> None:
    await world.take(Record(0, None, b"\xff"), broken(1))
    world.ask(0)
    world.broker.put(
        NAMES.redrive,
        b"r",
        msgspec.json.encode(RedriveRequest("r", (Asked(Place(DEAD, 0, 9), Place(TOPIC, 0, 1), 2),))),
    )
    said = await world.step()
    assert {offset: each.fate for offset, each in said.items()} == {0: Fate.REFUSED, 9: Fate.REFUSED}


async def test_masked_letters_are_read_at_their_source_and_leave_masked(world: World) -> None:
    world.mask = {"note": "redact"}
    world.build()
    await world.take(broken(0))
    assert b"secret" not in (world.broker.topics[DEAD][0].value or b"")
    world.broker.topics[TOPIC][0] = event(0, id=1, note="secret")
    world.ask(0)
    assert (await world.step())[0].fate is Fate.FORWARDED
    (row,) = world.producer.rows()
    assert row.offset == 0
    assert "secret" not in row.values


async def test_a_value_that_was_left_out_is_taken_from_the_change_that_was_held_before(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n"
    world.build()
    placeholder = "__debezium_unavailable_value"
    await world.take(event(0, id=1, n=50, note="long"), event(1, id=1, n=60, note=placeholder))
    removed = RuleEntry("", "", "", 1, files={"": world.book.files()[TOPIC].version})
    world.book.attach({TOPIC: msgspec.json.encode(removed).decode()})
    world.ask(1, box=QUARANTINE)
    assert (await world.step())[1].fate is Fate.FORWARDED
    (row,) = world.producer.rows()
    assert (row.values, row.unset) == ((1, 60, "long"), ())


async def test_a_request_that_can_t_be_read_is_said_and_left_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.broker.put(NAMES.redrive, b"r", b"\xff")
    assert await world.step() == {}
    assert "can't be read" in caplog.text


async def test_versions_of_letters_stand_between_those_of_their_neighbours_when_all_have_one_time(world: World) -> None:
    same = TIME_US // 1000
    await world.take(event(0, id=1, time_ms=same), broken(1), event(2, id=2, time_ms=same))
    world.repair(1, event(1, id=1, time_ms=same))
    world.ask(0)
    await world.step()
    assert world.again() == [(1, TIME_US + 1)]


async def test_a_letter_of_a_new_shape_waits_until_that_is_decided_on(world: World) -> None:
    await world.take(broken(0))
    world.repair(0, event(0, id=1))
    world.ask(0)
    world.producer.undecided = True
    assert await world.step() == {}
    assert len(world.producer.to(NAMES.schemas)) == 1
    assert world.again() == []
    world.producer.take_in(msgspec.json.decode(world.producer.to(NAMES.schemas)[0].value or b"", type=SchemaSeen))
    assert (await world.step())[0].fate is Fate.FORWARDED


# -- corrected values ------------------------------------------------------------------------------------------------


async def test_a_corrected_value_is_judged_and_sent_and_who_did_it_is_kept(world: World) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n"
    world.build()
    await world.take(event(0, id=1, n=50, note="x"), event(1, id=2, n=60, note="y"))
    edit = Edit({"n": "7"}, "me@here", 5)
    world.ask(0, box=QUARANTINE, edit=edit)
    said = (await world.step())[0]
    assert (said.fate, said.edit) == (Fate.FORWARDED, edit)
    (chunk,) = [chunk for chunk in world.producer.chunks("kudu") if chunk.header.letters]
    assert [row.values for row in chunk.rows] == [(1, 7, "x")]


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"n": "70"}, "RuleFailed", "n.be_between"),
        ({"n": "many"}, "", "not corrected: 'many' is no value of n"),
        ({"id": "9"}, "", "not corrected: id is part of the key"),
    ],
)
async def test_a_correction_that_does_not_help_leaves_the_row_held(
    world: World, values: dict[str, str | None], error: str, message: str
) -> None:
    world.rules = "columns:\n  n: [{be_between: {max_value: 10}}]\n"
    world.build()
    await world.take(event(0, id=1, n=50, note="x"))
    world.ask(0, box=QUARANTINE, edit=Edit(values, "me", 5))
    said = (await world.step())[0]
    assert (said.fate, said.error) == (Fate.FAILED, error)
    assert message in said.message
    assert world.again() == []


async def test_a_masked_column_is_not_corrected_because_the_value_would_be_seen(world: World) -> None:
    world.rules, world.mask = "columns:\n  n: [{be_between: {max_value: 10}}]\n", {"note": "redact"}
    world.build()
    await world.take(event(0, id=1, n=50, note="x"))
    world.ask(0, box=QUARANTINE, edit=Edit({"n": "1", "note": "secret"}, "me", 5))
    said = (await world.step())[0]
    assert (said.fate, said.message) == (Fate.FAILED, "not corrected: note is masked: correct it at the source")
    assert world.again() == []

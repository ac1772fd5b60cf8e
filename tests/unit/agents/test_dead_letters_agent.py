"""The agent `dead_letters` and the outbox: held records arrive where they belong, byte for byte."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import msgspec
import pytest
from agent_stubs import NAMES, TIME_MS, TOPIC, Batches, Producer, Record, turns

from agents.dead_letters import DeadLetters
from agents.outbox import Outbox
from models import DeadLetter, Stage
from parrot_faust.masking import Masking

DEAD, QUARANTINE = NAMES.dead(TOPIC), NAMES.quarantine(TOPIC)
FAILED = DeadLetter(
    topic=TOPIC,
    partition=3,
    offset=17,
    key=b"k\x00",
    value=b"\xff\x00 no text",
    stage=Stage.DECODE,
    error="DecodeError",
    message="né à ŋ",
    timestamp_ms=TIME_MS,
)
HELD_BACK = msgspec.structs.replace(FAILED, stage=Stage.CHECK, error="RuleFailed", rule="n.max", rules_version="abc")
BY_ADDRESS = msgspec.structs.replace(
    FAILED, key=None, value=None, carried=False, stage=Stage.WRITE, sink="kudu", timestamp_ms=0
)


@dataclass
class World:
    """The agent among stubs. `source` is what the broker still has, by address."""

    producer: Producer = field(default_factory=Producer)
    batches: Batches = field(default_factory=Batches)
    source: dict[tuple[str, int, int], tuple[bytes | None, bytes | None]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    read: list[tuple[str, int, int]] = field(default_factory=list)

    masking: Masking = field(default_factory=lambda: Masking({}))

    def agent(self) -> DeadLetters:
        async def read_again(*address: object) -> tuple[bytes | None, bytes | None] | None:
            self.read.append(address)  # type: ignore[arg-type]
            return self.source.get(address)  # type: ignore[arg-type,call-overload,no-any-return]

        async def ensure_topic(topic: str) -> None:
            assert not self.producer.to(topic), "a topic is made before anything is sent to it"
            self.made.append(topic)

        outbox = Outbox(self.producer, NAMES)
        return DeadLetters(outbox, NAMES, read_again, ensure_topic, logging.getLogger("test.dead"), self.masking)

    async def take(self, *letters: DeadLetter) -> None:
        records = [Record(index, None, msgspec.msgpack.encode(letter)) for index, letter in enumerate(letters)]
        await self.agent().take(self.batches.of(records, topic=NAMES.held))


@pytest.fixture
def world() -> World:
    return World()


async def test_a_record_that_carries_its_bytes_is_filed_with_them_unread(world: World) -> None:
    await world.take(FAILED)
    (sent,) = world.producer.sent
    assert (sent.topic, sent.key, sent.value) == (DEAD, FAILED.key, FAILED.value)
    assert not world.read


async def test_headers_say_where_when_and_why(world: World) -> None:
    await world.take(FAILED, HELD_BACK)
    failed, held_back = (dict(sent.headers) for sent in world.producer.sent)
    assert failed == {
        "parrot.topic": TOPIC.encode(),
        "parrot.partition": b"3",
        "parrot.offset": b"17",
        "parrot.timestamp": str(TIME_MS).encode(),
        "parrot.stage": b"decode",
        "parrot.error": b"DecodeError",
        "parrot.message": "né à ŋ".encode(),
    }
    assert held_back["parrot.rule"] == b"n.max"
    assert held_back["parrot.rules_version"] == b"abc"


async def test_what_a_rule_held_back_goes_to_quarantine_and_the_rest_to_the_dead_letters(world: World) -> None:
    await world.take(FAILED, HELD_BACK, FAILED)
    assert [sent.topic for sent in world.producer.sent] == [DEAD, QUARANTINE, DEAD]


async def test_bytes_that_were_not_carried_are_read_again_by_address(world: World) -> None:
    world.source[TOPIC, 3, 17] = (b"its key", b"its value")
    await world.take(BY_ADDRESS)
    (sent,) = world.producer.sent
    assert (sent.key, sent.value) == (b"its key", b"its value")
    headers = dict(sent.headers)
    assert headers["parrot.sink"] == b"kudu"
    assert "parrot.original" not in headers


async def test_bytes_that_the_broker_no_longer_has_are_said_to_be_gone(world: World) -> None:
    await world.take(BY_ADDRESS)
    (sent,) = world.producer.sent
    assert (sent.key, sent.value) == (None, b""), "the broker's client takes no message without both"
    headers = dict(sent.headers)
    assert headers["parrot.original"] == b"gone"
    assert headers["parrot.offset"] == b"17"


@pytest.mark.parametrize("letter", [BY_ADDRESS, FAILED], ids=["read again", "sent before the mask was set"])
async def test_the_bytes_of_a_masked_table_stay_in_its_source_topic(world: World, letter: DeadLetter) -> None:
    world.masking = Masking({TOPIC: {"email": "sha256"}})
    world.source[TOPIC, 3, 17] = (b"its key", b"ada@example.org")
    await world.take(letter)
    (sent,) = world.producer.sent
    original = world.source[TOPIC, 3, 17][1] if letter is BY_ADDRESS else FAILED.value
    assert (sent.key, sent.value) == (
        None,
        world.masking.withheld(b"its key" if letter is BY_ADDRESS else FAILED.key, original),
    )
    headers = dict(sent.headers)
    assert (headers["parrot.withheld"], headers["parrot.offset"]) == (b"1", b"17")


async def test_what_is_masked_already_is_filed_as_it_is(world: World) -> None:
    world.masking = Masking({TOPIC: {"email": "sha256"}})
    masked = msgspec.structs.replace(HELD_BACK, value=b"{}", masked=("email", "card"))
    await world.take(masked)
    (sent,) = world.producer.sent
    assert (sent.topic, sent.key, sent.value) == (QUARANTINE, FAILED.key, b"{}")
    assert dict(sent.headers)["parrot.masked"] == b"email,card"


async def test_a_tombstone_stays_one(world: World) -> None:
    await world.take(msgspec.structs.replace(FAILED, value=None))
    assert [(sent.key, sent.value) for sent in world.producer.sent] == [(FAILED.key, None)]


async def test_a_topic_is_made_once(world: World) -> None:
    agent = world.agent()
    for _ in range(3):
        records = [Record(0, None, msgspec.msgpack.encode(FAILED)), Record(1, None, msgspec.msgpack.encode(HELD_BACK))]
        await agent.take(world.batches.of(records, topic=NAMES.held))
    assert world.made == [DEAD, QUARANTINE]


async def test_a_batch_is_settled_only_after_confirmation(world: World) -> None:
    world.producer.prompt = False
    task = asyncio.create_task(world.take(FAILED, HELD_BACK))
    await turns()
    world.producer.confirm(world.producer.to(QUARANTINE))
    await turns()
    assert not world.batches.settled
    world.producer.confirm()
    await task
    assert world.batches.settled == [(0, 1, "")]


async def test_a_batch_whose_records_the_broker_refuses_is_not_settled(world: World) -> None:
    world.producer.prompt = False
    task = asyncio.create_task(world.take(FAILED))
    await turns()
    world.producer.sent[0].confirmation.set_exception(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        await task
    assert not world.batches.settled


async def test_a_message_that_is_no_letter_is_said_and_holds_up_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    records = [Record(0, None, b"\xff"), Record(1, None, None), Record(2, None, msgspec.msgpack.encode(FAILED))]
    await world.agent().take(world.batches.of(records, topic=NAMES.held))
    assert len(world.producer.sent) == 1
    assert world.batches.settled == [(0, 2, "")]
    assert "offset 0" in caplog.text
    assert "offset 1" in caplog.text


# -- the outbox ------------------------------------------------------------------------------------------------------


async def test_letters_of_a_source_partition_keep_their_order_by_one_key() -> None:
    producer = Producer()
    outbox = Outbox(producer, NAMES)
    await outbox.hold(FAILED)
    await outbox.hold(HELD_BACK)
    assert {(sent.topic, sent.key) for sent in producer.sent} == {(NAMES.held, f"{TOPIC}/3".encode())}
    assert producer.held() == [FAILED, HELD_BACK]


async def test_confirm_waits_for_all_and_raises_what_the_broker_answered() -> None:
    producer = Producer(prompt=False)
    outbox = Outbox(producer, NAMES)
    pending = [await outbox.send("t", b"v", key=b"k", partition=2, headers=[("h", b"1")]) for _ in range(3)]
    assert (producer.sent[0].partition, producer.sent[0].headers) == (2, [("h", b"1")])
    confirming = asyncio.ensure_future(outbox.confirm(pending))
    for sent in producer.sent:
        await turns()
        assert not confirming.done()
        producer.confirm([sent])
    await confirming
    await outbox.confirm([])
    failed = await outbox.send("t", b"v")
    producer.sent[-1].confirmation.set_exception(TimeoutError("not in time"))
    with pytest.raises(TimeoutError, match="not in time"):
        await outbox.confirm([failed])

"""The agent `dead_letters` and the outbox: held records arrive where they belong, byte for byte."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from agent_stubs import NAMES, TIME_MS, TOPIC, Batches, Producer, Record, Sent, turns
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from agents.dead_letters import DeadLetters
from agents.outbox import Outbox
from models import DeadLetter, Stage
from parrot_faust.delivery.heads import HEAD_BYTES
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
    source: dict[tuple[str, int, int], Record] = field(default_factory=dict)
    away: list[Exception] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    read: list[tuple[str, int, int]] = field(default_factory=list)

    masking: Masking = field(default_factory=lambda: Masking({}))

    def agent(self) -> DeadLetters:
        async def read_again(*address: object) -> Record | None:
            self.read.append(address)  # type: ignore[arg-type]
            if self.away:
                raise self.away.pop()
            return self.source.get(address)  # type: ignore[arg-type,call-overload,no-any-return]

        async def ensure_topic(topic: str) -> None:
            assert not self.producer.to(topic), "a topic is made before anything is sent to it"
            self.made.append(topic)

        outbox = Outbox(self.producer, NAMES)
        return DeadLetters(
            outbox, NAMES, read_again, ensure_topic, logging.getLogger("test.dead"), self.masking, lambda: 0.0
        )

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
    world.source[TOPIC, 3, 17] = Record(17, b"its key", b"its value", TIME_MS + 7, (("trace", b"\xff"),))
    await world.take(BY_ADDRESS)
    (sent,) = world.producer.sent
    assert (sent.key, sent.value) == (b"its key", b"its value")
    assert sent.headers[0] == ("trace", b"\xff"), "the record's own header comes first"
    headers = dict(sent.headers)
    assert headers["parrot.timestamp"] == str(TIME_MS + 7).encode()
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
    world.source[TOPIC, 3, 17] = Record(17, b"its key", b"ada@example.org")
    await world.take(letter)
    (sent,) = world.producer.sent
    original = world.source[TOPIC, 3, 17].value if letter is BY_ADDRESS else FAILED.value
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


async def test_bytes_are_waited_for_while_the_broker_is_away(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.dead_letters.RETRY_FIRST_S", 0.0)
    world.source[TOPIC, 3, 17] = Record(17, b"k", b"v")
    world.away = [KafkaConnectionError("away"), OSError("refused")]
    await world.take(BY_ADDRESS)
    assert [sent.value for sent in world.producer.sent] == [b"v"]
    assert caplog.text.count("trying again") == 2


async def test_a_message_that_is_no_letter_is_kept_as_it_is_and_holds_up_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    own = (("who", b"knows"),)
    records = [
        Record(0, b"k", b"\xff", TIME_MS, own),
        Record(1, None, None),
        Record(2, None, msgspec.msgpack.encode(FAILED)),
    ]
    await world.agent().take(world.batches.of(records, topic=NAMES.held))
    assert [(sent.topic, sent.key, sent.value) for sent in world.producer.sent] == [
        (NAMES.dead(NAMES.held), b"k", b"\xff"),
        (NAMES.dead(NAMES.held), None, b""),
        (DEAD, FAILED.key, FAILED.value),
    ]
    headers = dict(world.producer.sent[0].headers)
    assert (headers["who"], headers["parrot.error"]) == (b"knows", b"MessageUnreadable")
    assert (headers["parrot.topic"], headers["parrot.offset"]) == (NAMES.held.encode(), b"0")
    assert world.batches.settled == [(0, 2, "")]
    assert "offset 0" in caplog.text
    assert "offset 1" in caplog.text


# -- what is too large -----------------------------------------------------------------------------------------------

LARGE = msgspec.structs.replace(FAILED, value=b"<" * 300_000)


def head_of_large(sent: Sent) -> bool:
    headers = dict(sent.headers)
    assert LARGE.value is not None
    return (
        headers["parrot.truncated"] == b"value"
        and headers["parrot.value_size"] == b"300000"
        and headers["parrot.value_sha256"] == sha256(LARGE.value).hexdigest().encode()
        and (sent.key, sent.value) == (FAILED.key, b"<" * HEAD_BYTES)
    )


async def test_a_record_that_its_topic_refuses_for_its_size_is_kept_by_its_head(world: World) -> None:
    world.producer.prompt = False
    task = asyncio.create_task(world.take(LARGE, FAILED))
    await turns()
    world.producer.sent[0].confirmation.set_exception(MessageSizeTooLargeError("the topic takes 1 MB"))
    await turns()
    assert not world.batches.settled
    world.producer.confirm()
    await task
    whole, small, head = world.producer.sent
    assert (whole.value, small.value) == (LARGE.value, FAILED.value)
    assert head_of_large(head)
    assert world.batches.settled


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_record_that_the_client_refuses_for_its_size_is_kept_by_its_head(wrapped: bool) -> None:
    producer, limit = Producer(), 100_000

    async def bounded(topic: str, key: bytes | None, value: bytes | None, *more: Any) -> Any:
        if len(value or b"") > limit:
            refused = MessageSizeTooLargeError("more than max_request_size")
            if wrapped:  # as Faust does
                raise RuntimeError("Error while sending") from refused
            raise refused
        return await producer(topic, key, value, *more)

    await Outbox.confirm([await Outbox(bounded, NAMES).file(DEAD, LARGE)])
    assert head_of_large(producer.sent[0])


async def test_a_head_that_is_refused_too_is_an_error_and_settles_nothing(world: World) -> None:
    world.producer.prompt = False
    task = asyncio.create_task(world.take(LARGE))
    for index in range(2):
        await turns()
        world.producer.sent[index].confirmation.set_exception(MessageSizeTooLargeError("the topic takes 1 kB"))
    with pytest.raises(MessageSizeTooLargeError):
        await task
    assert len(world.producer.sent) == 2
    assert not world.batches.settled


async def test_another_refusal_of_the_client_is_no_matter_of_size() -> None:
    async def refuse(*_: Any) -> Any:
        raise RuntimeError("Error while sending") from ConnectionError("gone")

    with pytest.raises(RuntimeError):
        await Outbox(refuse, NAMES).hold(LARGE)


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

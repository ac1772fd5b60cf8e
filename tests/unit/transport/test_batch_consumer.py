"""What the consumer would commit, what it stops fetching, and what it hands out, without a broker."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import faust
import pytest
from faust.types.tuples import TP
from test_batch import Given

from parrot_faust.transport import Batch, BatchConsumer, BatchLimits
from parrot_faust.transport.consumer import Fetchable, Unacknowledged

SOURCE, OTHER, SINGLE = TP("source", 0), TP("source", 1), TP("single", 0)
LIMITS = BatchLimits(records=10, bytes=1_000, partition_batches=2, group_bytes=50)


@pytest.fixture
async def consumer() -> Any:
    app: Any = faust.App("unit", broker="parrot://127.0.0.1:1", autodiscover=False, web_enabled=False)
    app.batch_limits = LIMITS
    app.batch_group = {"source": "changes", "held": "held"}.get
    app.consumer_generation_id = 5
    made: BatchConsumer = app.consumer
    made.resume_flow()
    made.handed_out = []

    async def take(message: Any) -> None:
        made.handed_out.append(message)

    made.callback = take
    return made


async def hand_out(consumer: Any, tp: TP, first: int, count: int, size: int = 1) -> list[Batch]:
    """Hand out what a fetch would bring; return the batches."""
    before = len(consumer.handed_out)
    await consumer._records_in_batches(tp, [Given(first + n, None, b"x" * size) for n in range(count)], 5)
    return [message.value for message in consumer.handed_out[before:]]


async def test_nothing_is_committed_past_a_batch_that_is_not_settled_in_whatever_order(consumer: Any) -> None:
    for order in permutations(range(4)):
        consumer.ledger.forget([SOURCE])
        batches = await hand_out(consumer, SOURCE, 100, 40)
        settled: set[int] = set()
        assert consumer._new_offset(SOURCE) is None
        for index in order:
            batches[index].done(f"note {index}")
            settled.add(index)
            prefix = next(n for n in range(5) if n not in settled)
            expected = None if prefix == 0 else 100 + 10 * prefix
            assert consumer._new_offset(SOURCE) == expected, f"{order} at {index}"
            if prefix:
                assert consumer._notes[SOURCE] == f"note {prefix - 1}"


async def test_records_of_a_partition_that_was_taken_away_after_the_fetch_are_left_out(
    consumer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Thread:
        def highwater(self, tp: TP) -> int:
            assert tp != OTHER, "Partition is not assigned"
            return 3

        async def put_back(self, *_: Any) -> None:
            raise AssertionError("what is not assigned can't be set back")

    async def fetched(_: float) -> Any:
        return {tp: [Given(n, None, b"x") for n in range(3)] for tp in (OTHER, SOURCE)}, {SOURCE, OTHER}

    consumer._thread = Thread()
    monkeypatch.setattr(consumer, "_wait_next_records", fetched)
    await consumer._drain_once()
    assert [(message.value.topic, message.value.partition) for message in consumer.handed_out] == [("source", 0)]
    assert consumer.highwater(OTHER) is None


async def test_a_batch_settled_twice_counts_once(consumer: Any) -> None:
    first, second = await hand_out(consumer, SOURCE, 0, 20)
    first.done("once")
    first.done("twice")
    assert consumer._new_offset(SOURCE) == 10
    assert consumer._notes[SOURCE] == "once"
    second.done()
    assert consumer._new_offset(SOURCE) == 20


async def test_partitions_are_committed_apart(consumer: Any) -> None:
    (held,), (settled,) = await hand_out(consumer, SOURCE, 0, 10), await hand_out(consumer, OTHER, 50, 10)
    settled.done()
    assert (consumer._new_offset(SOURCE), consumer._new_offset(OTHER)) == (None, 60)
    held.done()
    assert consumer._new_offset(SOURCE) == 10


async def test_an_offset_that_the_broker_did_not_confirm_is_offered_again(consumer: Any) -> None:
    (batch,) = await hand_out(consumer, SOURCE, 0, 10)
    batch.done("n")
    sent: list[Any] = []

    class Thread:
        confirms = False

        async def commit_noted(self, offsets: Any) -> bool:
            sent.append(offsets)
            return self.confirms

    consumer._thread = thread = Thread()
    assert await consumer._commit({SOURCE: consumer._new_offset(SOURCE)}) is False
    thread.confirms = True
    assert await consumer._commit({SOURCE: consumer._new_offset(SOURCE)}) is True
    assert sent == [{SOURCE: (10, "n")}] * 2
    assert consumer._new_offset(SOURCE) is None


async def test_a_batch_of_a_forgotten_account_settles_nothing(consumer: Any) -> None:
    (old,) = await hand_out(consumer, SOURCE, 0, 10)
    consumer.ledger.forget([SOURCE])
    (new,) = await hand_out(consumer, SOURCE, 0, 10)
    old.done("late")
    assert consumer._new_offset(SOURCE) is None
    new.done("anew")
    assert consumer._new_offset(SOURCE) == 10


async def test_a_position_set_back_begins_a_new_account(consumer: Any) -> None:
    old = await hand_out(consumer, SOURCE, 0, 30)
    new = await hand_out(consumer, SOURCE, 10, 20)
    for batch in old:
        batch.done()
    assert consumer._new_offset(SOURCE) is None
    new[0].done()
    assert consumer._new_offset(SOURCE) == 20


async def test_a_partition_is_full_at_its_batches_and_not_before(consumer: Any) -> None:
    (first,) = await hand_out(consumer, SOURCE, 0, 10)
    assert consumer._full([SOURCE, OTHER]) == set()
    await hand_out(consumer, SOURCE, 10, 10)
    assert consumer._full([SOURCE, OTHER]) == {SOURCE}
    first.done()
    assert consumer._full([SOURCE, OTHER]) == set()


async def test_a_group_is_full_at_its_bytes_and_another_is_not(consumer: Any) -> None:
    (large,) = await hand_out(consumer, SOURCE, 0, 1, size=LIMITS.group_bytes)
    assert consumer._full([SOURCE, OTHER, TP("held", 0), SINGLE]) == {SOURCE, OTHER}
    large.done()
    assert consumer._full([SOURCE, OTHER, TP("held", 0), SINGLE]) == set()


async def test_what_is_not_handed_out_when_the_group_moves_on_is_counted(consumer: Any) -> None:
    fetched = [Given(offset) for offset in range(30)]

    async def move_on(message: Any) -> None:
        consumer.app.consumer_generation_id = 6

    consumer.callback = move_on
    assert await consumer._records_in_batches(SOURCE, fetched, 5) == 10
    consumer.stop_flow()
    assert await consumer._records_in_batches(OTHER, fetched, 6) == 0


async def test_what_was_not_handed_out_is_put_back(consumer: Any) -> None:
    put_back: list[tuple[TP, int]] = []

    class Thread:
        async def put_back(self, tp: TP, offset: int) -> None:
            put_back.append((tp, offset))

        def highwater(self, tp: TP) -> int:
            return 100

    async def fetch(timeout: float) -> Any:
        consumer.stop_flow()
        return {SOURCE: [Given(7), Given(8)], SINGLE: [Given(3)]}, {SOURCE, SINGLE}

    consumer._thread, consumer._wait_next_records = Thread(), fetch
    await asyncio.wait_for(consumer._drain_once(), 5)
    assert put_back == [(SOURCE, 7), (SINGLE, 3)]
    assert consumer.handed_out == []


async def test_no_rebalance_waits_for_a_batch(consumer: Any) -> None:
    await hand_out(consumer, SOURCE, 0, 10)
    batch = consumer.handed_out[0]
    waited_for = Unacknowledged()
    waited_for.add(batch)
    assert len(waited_for) == 0
    waited_for.add(record := type("Message", (), {})())
    assert list(waited_for) == [record]
    assert isinstance(consumer.unacked, Unacknowledged)


def test_fetchable_partitions_follow_pauses_and_are_never_taken_for_all() -> None:
    active, ready = {SOURCE, OTHER}, {SOURCE}
    fetchable = Fetchable(active, {OTHER}, ready.__contains__)
    assert SOURCE in fetchable
    assert OTHER not in fetchable
    ready.clear()  # as while a rebalance lasts
    assert SOURCE not in fetchable
    ready.add(SOURCE)
    active.discard(SOURCE)
    assert SOURCE not in fetchable
    assert bool(Fetchable(set(), set(), ready.__contains__))

"""Cutting what was fetched into batches, and what a batch and its Faust message promise."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from faust.types.tuples import TP
from hypothesis import given
from hypothesis import strategies as st

from parrot_faust.delivery.ledger import Ticket
from parrot_faust.transport.batch import Batch, BatchLimits, BatchMessage, BatchSchema, cut


@dataclass
class Given:
    """A record as the broker gave it."""

    offset: int
    key: bytes | None = None
    value: bytes | None = b""
    timestamp: int = 1_700_000_000_500
    headers: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.key or b"") + len(self.value or b"")


def records(*sizes: int) -> list[Given]:
    return [Given(offset, None, b"x" * size) for offset, size in enumerate(sizes)]


def lengths(given: list[Given], **limits: int) -> list[int]:
    return [len(run) for run, _ in cut(given, BatchLimits(**limits))]


def test_a_batch_is_cut_at_the_number_of_records() -> None:
    assert lengths(records(*[1] * 7), records=3) == [3, 3, 1]
    assert lengths(records(*[1] * 6), records=3) == [3, 3]


def test_a_batch_is_cut_before_the_record_that_would_pass_the_bytes() -> None:
    assert lengths(records(40, 40, 20, 1, 99, 1, 1), bytes=100) == [3, 2, 2]


def test_a_record_above_the_bytes_is_alone() -> None:
    assert lengths(records(10, 10, 500, 10, 10), bytes=100) == [2, 1, 2]
    assert lengths(records(500), bytes=100) == [1]
    assert lengths(records(500, 500), bytes=100) == [1, 1]


def test_keys_count_as_bytes_and_nulls_as_none() -> None:
    given = [Given(0, b"k" * 60, b"v" * 50), Given(1, b"k" * 60, None), Given(2, None, None)]
    assert [(len(run), size) for run, size in cut(given, BatchLimits(bytes=100))] == [(1, 110), (2, 60)]


def test_nothing_fetched_makes_no_batch() -> None:
    assert list(cut([], BatchLimits())) == []


@given(
    sizes=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 120))),
    most=st.integers(1, 6),
    size=st.integers(1, 150),
)
def test_every_record_is_in_one_batch_in_order_and_within_the_bounds(
    sizes: list[tuple[int, int]], most: int, size: int
) -> None:
    given = [Given(offset, b"k" * key, b"v" * value) for offset, (key, value) in enumerate(sizes)]
    runs = list(cut(given, BatchLimits(records=most, bytes=size)))
    assert [record for run, _ in runs for record in run] == given
    for run, reported in runs:
        assert reported == sum(record.size for record in run)
        assert 1 <= len(run) <= most
        assert reported <= size or len(run) == 1


def a_batch(given: list[Given]) -> tuple[Batch, list[tuple[Ticket, str]]]:
    settled: list[tuple[Ticket, str]] = []
    ticket = Ticket(TP("shop", 3), given[0].offset, given[-1].offset, 10)
    return Batch(TP("shop", 3), given, 7, ticket, lambda one, note: settled.append((one, note))), settled


def test_done_settles_the_batch_s_own_ticket_with_the_note() -> None:
    batch, settled = a_batch(records(1, 1, 1))
    batch.done("a clock")
    assert settled == [(batch.ticket, "a clock")]
    batch.done()
    assert settled[1:] == [(batch.ticket, "")]


def test_a_batch_says_where_it_is_from() -> None:
    batch, _ = a_batch([Given(40), Given(41), Given(47)])
    assert (batch.topic, batch.partition, batch.first, batch.last, batch.generation) == ("shop", 3, 40, 47, 7)
    assert len(batch) == 3
    assert repr(batch) == "<Batch shop[3] 40..47>"


def test_the_message_of_a_batch_has_its_last_offset_and_the_batch_as_value() -> None:
    batch, _ = a_batch([Given(40, timestamp=1_000), Given(47, timestamp=2_500)])
    message = BatchMessage.of(TP("shop", 3), batch, 123)
    assert (message.tp, message.offset, message.timestamp) == (TP("shop", 3), 47, 2.5)
    assert message.value is batch
    assert message.generation_id == 7


def test_faust_s_own_acknowledgement_settles_nothing() -> None:
    batch, settled = a_batch(records(1))
    message = BatchMessage.of(TP("shop", 3), batch, 1)
    message.incref()
    message.ack(None)
    assert message.acked
    assert settled == []


@pytest.mark.parametrize("value", [b"bytes", None])
def test_the_schema_hands_bytes_on_as_they_are(value: bytes | None) -> None:
    message = type("Message", (), {"key": value, "value": value})()
    schema = BatchSchema()
    assert schema.loads_key(None, message) is value
    assert schema.loads_value(None, message) is value

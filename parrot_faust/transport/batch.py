"""What an agent gets instead of a record: a run of records of one partition, and the means to settle it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import faust
from faust.types.tuples import TP, ConsumerMessage

from parrot_faust.delivery.ledger import Ticket


class Record(Protocol):
    """What is used of an aiokafka `ConsumerRecord`. `timestamp` is in milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one batch and of what may be in flight.

    `records` and `bytes` bound a batch; `partition_batches` is how many batches of one partition may be unsettled
    before no more of it is fetched; `group_bytes` bounds what all partitions of one group hold together.
    """

    records: int = 2_000
    bytes: int = 4 << 20
    partition_batches: int = 4
    group_bytes: int = 64 << 20


class Batch:
    """Records of one partition, in offset order, from `first` to `last` inclusive.

    Only `done` lets the offset be committed past it: that an agent raised, or that Faust acknowledged the event for a
    reason of its own, does not. `generation` is the consumer group's when the records were fetched.
    """

    __slots__ = ("_settle", "first", "generation", "last", "partition", "records", "ticket", "topic")

    def __init__(
        self, tp: TP, records: Sequence[Record], generation: int, ticket: Ticket, settle: Callable[[Ticket, str], None]
    ) -> None:
        self.topic, self.partition = tp.topic, tp.partition
        self.records = records
        self.first, self.last = ticket.first, ticket.last
        self.generation = generation
        self.ticket = ticket
        self._settle = settle

    def done(self, note: str = "") -> None:
        """Say that nothing of this batch can be lost any more. `note` is committed with the offset."""
        self._settle(self.ticket, note)

    def __len__(self) -> int:
        return len(self.records)

    def __repr__(self) -> str:
        return f"<Batch {self.topic}[{self.partition}] {self.first}..{self.last}>"


class BatchMessage(ConsumerMessage):
    """A Faust message that carries a batch. Faust's own acknowledgement settles nothing."""

    @classmethod
    def of(cls, tp: TP, batch: Batch, size: int) -> BatchMessage:
        newest = batch.records[-1]
        return cls(
            tp.topic,
            tp.partition,
            batch.last,
            newest.timestamp / 1000.0,
            0,
            None,
            None,
            batch,
            None,
            0,
            size,
            tp,
            generation_id=batch.generation,
        )

    def on_final_ack(self, consumer: Any) -> bool:  # noqa: ARG002 - Faust's signature
        self.acked = True
        return True


class BatchSchema(faust.Schema):
    """Hands key and value on as they are: the bytes are decoded a batch at a time by the agent."""

    def loads_key(self, app: faust.App, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Faust's signature
        return message.key

    def loads_value(self, app: faust.App, message: Any, **_: Any) -> Any:  # noqa: ARG002 - Faust's signature
        return message.value


def cut(records: Sequence[Record], limits: BatchLimits) -> Iterator[tuple[Sequence[Record], int]]:
    """Yield runs of `records` within the limits, each with its size in bytes of keys and values.

    A record above the limit is alone.
    """
    sizes = [len(record.value or b"") + len(record.key or b"") for record in records]
    for first in range(0, len(records), limits.records):
        run = sizes[first : first + limits.records]
        if sum(run) <= limits.bytes:  # nearly always: no need to look at every record again
            yield records[first : first + limits.records], sum(run)
        else:
            for begin, end, size in _by_size(run, limits.bytes):
                yield records[first + begin : first + end], size


def _by_size(sizes: Sequence[int], limit: int) -> Iterator[tuple[int, int, int]]:
    begin = total = 0
    for index, size in enumerate(sizes):
        if index > begin and total + size > limit:
            yield begin, index, total
            begin, total = index, 0
        total += size
    yield begin, len(sizes), total

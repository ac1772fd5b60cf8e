"""The batch consumer: fetches, cuts, hands out, gates, and commits what is settled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast
from weakref import WeakSet

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from parrot_faust.delivery.ledger import Ledger, Ticket
from parrot_faust.transport.batch import Batch, BatchLimits, BatchMessage, Record, cut
from parrot_faust.transport.thread import BatchConsumerThread

GATED_POLL_S = 0.02  # while partitions wait for room, look for it this often
POLL_S = 1.0  # otherwise a fetch may wait this long for the first record

#: Names the group of a topic whose records come in batches, None for topics that stay record by record.
Grouping = Callable[[str], str | None]


class Unacknowledged(WeakSet[Any]):
    """Messages that a rebalance and a stop wait for, which batches are not.

    A batch that waits for a store must not hold up the whole group; whoever has its partition next reads it again.
    """

    def add(self, item: Any) -> None:
        if not isinstance(item, BatchMessage):
            super().add(item)


class Fetchable:
    """The partitions of which records are wanted, as they are while a fetch waits: one paused meanwhile is not among
    them, and one that `ready` denies is not yet. It is never empty for aiokafka, which would take that for all.
    """

    __slots__ = ("_active", "_full", "_ready")

    def __init__(self, active: set[TP], full: set[TP], ready: Callable[[TP], bool]) -> None:
        self._active, self._full, self._ready = active, full, ready

    def __contains__(self, tp: object) -> bool:
        return tp in self._active and tp not in self._full and self._ready(cast(TP, tp))


class BatchConsumer(driver.Consumer):
    """Delivers batches for the topics that `app.batch_group` names, and everything else as Faust does."""

    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unacked_messages = Unacknowledged()
        self.ledger = Ledger()
        self.limits: BatchLimits = getattr(self.app, "batch_limits", BatchLimits())
        self._group: Grouping = getattr(self.app, "batch_group", lambda _topic: None)
        self._notes: dict[TP, str] = {}
        self._room = asyncio.Event()

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def is_batched(self, topic: str) -> bool:
        """Whether the records of a topic come in batches."""
        return self._group(topic) is not None

    # -- the lease ---------------------------------------------------------------------------------------------------

    def lease_until(self, seconds: float) -> float:
        """`time.monotonic()` up to which this worker surely has its partitions, if a lease lasts `seconds`."""
        return self._thread.last_heartbeat + seconds

    # -- handing out -------------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self.sleep(0)
                await self._drain_once()
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        records, active = await self._wait_next_records(POLL_S)
        generation = self.app.consumer_generation_id
        for tp, fetched in (records or {}).items():
            if (end := self.highwater(tp)) is None:
                continue  # a rebalance has begun this partition anew or taken it away: these are read again
            self.app.monitor.track_tp_end_offset(tp, end)
            if self._group(tp.topic) is None:
                handed_out = await self._records_singly(tp, fetched, active, generation)
            else:
                handed_out = await self._records_in_batches(tp, fetched, generation)
            if handed_out < len(fetched):
                await self._thread.put_back(tp, fetched[handed_out].offset)

    def highwater(self, tp: TP) -> int | None:
        """Where a partition ends, None while that is not known, also of one that was taken away a moment ago."""
        try:
            end: int | None = super().highwater(tp)
        except AssertionError:  # aiokafka's only way of saying that the partition is not assigned
            return None
        return end

    def _may_hand_out(self, generation: int) -> bool:
        return bool(not self.should_stop and self.flow_active and self.app.consumer_generation_id == generation)

    async def _records_in_batches(self, tp: TP, fetched: list[Record], generation: int) -> int:
        """Hand out what was fetched; return how many records were. A partition paused after the fetch gets them too."""
        if self.ledger.passed(tp, fetched[0].offset):
            self.ledger.forget([tp])  # Faust has set the position back: these are read again, and settled anew
        handed_out = 0
        for records, size in cut(fetched, self.limits):
            if not self._may_hand_out(generation):
                break
            ticket = self.ledger.open(tp, records[0].offset, records[-1].offset, size)
            message = BatchMessage.of(tp, Batch(tp, records, generation, ticket, self._settle), size)
            await self._hand_out(tp, message)
            handed_out += len(records)
        return handed_out

    async def _records_singly(self, tp: TP, fetched: list[Record], active: set[TP] | None, generation: int) -> int:
        """Hand out what was fetched one by one, as Faust does; return how many records were, or need not be."""
        acks = self.app.topics.acks_enabled_for(tp.topic)
        for index, record in enumerate(fetched):
            if not self._may_hand_out(generation):
                return index
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                return index
            message = self._to_message(tp, record)
            read = self._read_offset[tp]
            if read is not None and message.offset < read:
                continue
            if acks and read and message.offset - read > 1:
                await self._add_gap(tp, read + 1, message.offset)
            await self._hand_out(tp, message)
        return len(fetched)

    async def _hand_out(self, tp: TP, message: Any) -> None:
        await self.wait_first(self.callback(message), self.suspend_flow.wait())
        self._read_offset[tp] = message.offset

    def _settle(self, ticket: Ticket, note: str) -> None:
        if self.ledger.settle(ticket, note):
            self._room.set()

    # -- back-pressure -----------------------------------------------------------------------------------------------

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        if active_partitions is None:
            return await super()._getmany(None, timeout)
        full = self._full(active_partitions)
        if len(full) < len(active_partitions):
            wanted = Fetchable(active_partitions, full, self._ready)
            return await self._thread.getmany(wanted, GATED_POLL_S if full else timeout)
        self._room.clear()
        await self.wait_first(self._room.wait(), self.suspend_flow.wait(), timeout=timeout)
        return {}

    def _ready(self, tp: TP) -> bool:
        """Whether records of a partition may be fetched yet.

        At the end of a rebalance Faust resumes the partitions, seeks, and then empties the agents' queues. What was
        handed out in between would be gone, and its partition would stand still until the next rebalance. Changelogs
        are what a rebalance waits for.
        """
        return not self.app.rebalancing or self._is_changelog_tp(tp)

    def _full(self, partitions: Iterable[TP]) -> set[TP]:
        """Partitions of which nothing is fetched until more of them, or of their group, is settled."""
        held: dict[str, int] = {}
        for known in self.ledger.partitions():
            tp = cast(TP, known)
            group = self._group(tp.topic) or ""
            held[group] = held.get(group, 0) + self.ledger.outstanding(tp)[1]
        full = set()
        for tp in partitions:
            group = self._group(tp.topic) or ""
            if group and (
                self.ledger.outstanding(tp)[0] >= self.limits.partition_batches
                or held.get(group, 0) >= self.limits.group_bytes
            ):
                full.add(tp)
        return full

    # -- committing --------------------------------------------------------------------------------------------------

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        for known in self.ledger.partitions():
            tp = cast(TP, known)
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if self._group(tp.topic) is None:
            offset: int | None = super()._new_offset(tp)
            return offset
        if (next_offset := self.ledger.committable(tp)) is None:
            return None
        self._notes[tp] = next_offset[1]
        return next_offset[0]

    def _should_commit(self, tp: TP, offset: int) -> bool:
        # The ledger knows what the broker has confirmed; Faust's own record is set even when a commit failed.
        return self._group(tp.topic) is not None or bool(super()._should_commit(tp, offset))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        noted = {tp: (offset, self._notes.get(tp, "")) for tp, offset in offsets.items()}
        if not await self._thread.commit_noted(noted):
            return False
        for tp, offset in offsets.items():
            self.ledger.committed(tp, offset)
        return True

    async def committed_note(self, topic: str, partition: int) -> tuple[int, str] | None:
        """The group's committed offset of a partition and the note kept with it."""
        tp = TP(topic, partition)
        return (await self._thread.committed_notes([tp])).get(tp)

    def confirmed(self, topic: str, partition: int) -> int | None:
        """The offset of a partition whose commit was confirmed last since it was assigned, None before the first."""
        return self.ledger.confirmed(TP(topic, partition))

    # -- losing partitions -------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        await self.commit()  # what is settled need not be read again by whoever comes next
        self.ledger.forget(revoked)
        self._room.set()
        await super().on_partitions_revoked(revoked)

    async def seek(self, partition: TP, offset: int) -> None:
        await super().seek(partition, offset)
        self.ledger.forget([partition])

    async def _seek(self, partition: TP, offset: int) -> None:
        # In the consumer's thread: from this one, a fetch that is just taking records would move the position back.
        await self._thread.call_thread(self._thread.seek, partition, offset)

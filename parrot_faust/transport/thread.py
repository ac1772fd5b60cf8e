"""The consumer's thread: the part of the transport that talks to aiokafka."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from parrot_faust import failpoints

FETCH_WAIT_MS = 50  # one fetch per broker is in flight: an idle partition delays a busy one by this much, no more


def _as_it_is(_tp: TP, record: Any) -> Any:
    return record


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread with a short fetch wait, commits that carry a note, and a clock of the group's lease."""

    #: `time.monotonic()` at which the last heartbeat that the broker accepted was sent.
    last_heartbeat: float = 0.0
    #: Of each partition in the last fetch, aiokafka's state of it and the position the fetch has left it at.
    _fetched: Mapping[TP, tuple[Any, int]] = MappingProxyType({})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before_commit = failpoints.at("commit.before")
        self._after_commit = failpoints.at("commit.after")

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust fixes 1,500 ms and offers no setting; the fetcher reads this when the consumer starts.
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def on_start(self) -> None:
        await super().on_start()
        self._take_records_as_they_are()
        coordinator = self._ensure_consumer()._coordinator
        if hasattr(coordinator, "_do_heartbeat"):  # a consumer without a group has no heartbeat
            send = coordinator._do_heartbeat

            async def noted() -> bool:
                sent = time.monotonic()
                accepted: bool = await send()
                if accepted:
                    self.last_heartbeat = sent
                return accepted

            coordinator._do_heartbeat = noted

    def _take_records_as_they_are(self) -> None:
        """Leave out aiokafka's second object for each record of a batched topic, which is half the cost of a fetch.

        A batch holds the parsed records themselves: they have all that `Record` asks for.
        """
        fetcher, batched = self._ensure_consumer()._fetcher, self.consumer.is_batched
        receive = fetcher._proc_fetch_request

        async def receive_plainly(*arguments: Any) -> bool:
            arrived: bool = await receive(*arguments)
            for tp, result in fetcher._records.items():
                if isinstance(result, FetchResult) and result.has_more() and batched(tp.topic):
                    result._partition_records._consumer_record = _as_it_is
            return arrived

        fetcher._proc_fetch_request = receive_plainly

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self.last_heartbeat = time.monotonic()  # joining renews the session as a heartbeat does
        await super().on_partitions_assigned(assigned, generation_id)

    async def _fetch_records(self, consumer: AIOKafkaConsumer, *args: Any, **kwargs: Any) -> Any:
        records = await super()._fetch_records(consumer, *args, **kwargs)
        states = [(tp, self._state(tp)) for tp in records]
        self._fetched = {tp: (state, state.position) for tp, state in states if state and state.has_valid_position}
        return records

    async def put_back(self, tp: TP, offset: int) -> None:
        """Read a partition again from an offset of the last fetch: what was not handed out must not be left out.

        Does nothing where something else has set the position since: a new assignment, or a seek.
        """
        await self.call_thread(self._put_back, tp, offset)

    def _put_back(self, tp: TP, offset: int) -> None:
        state, position = self._fetched.get(tp, (None, 0))
        if state and state is self._state(tp) and state.has_valid_position and state.position == position:
            self._ensure_consumer().seek(tp, offset)

    def _state(self, tp: TP) -> Any:
        subscription = self._ensure_consumer()._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        return assignment.state_value(tp) if assignment is not None else None

    async def commit_noted(self, offsets: Mapping[TP, tuple[int, str]]) -> bool:
        """Commit offsets with their notes. False when the broker did not confirm: the same offsets are tried again."""
        confirmed: bool = await self.call_thread(self._commit_noted, offsets)
        return confirmed

    async def _commit_noted(self, offsets: Mapping[TP, tuple[int, str]]) -> bool:
        assignment = self.assignment()
        now = time.monotonic()
        request = {
            driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(offset, note)
            for tp, (offset, note) in offsets.items()
            if tp in assignment
        }
        if not request:
            return False
        self._before_commit()
        try:
            await self._ensure_consumer().commit(request)
        except (CommitFailedError, IllegalStateError) as error:
            # The group has moved on: whoever has the partitions now reads from the last confirmed offset.
            self.log.info("Offsets not committed, the partitions were taken away: %s", error)
            return False
        except KafkaError as error:
            self.log.warning("Offsets not committed, will be tried again: %r", error)
            return False
        self._after_commit()
        self.tp_last_committed_at.update(dict.fromkeys(offsets, now))
        return True

    async def committed_notes(self, partitions: Iterable[TP]) -> dict[TP, tuple[int, str]]:
        """Read the group's committed offset and note of each partition; those without a commit are left out."""
        notes: dict[TP, tuple[int, str]] = await self.call_thread(self._committed_notes, list(partitions))
        return notes

    async def _committed_notes(self, partitions: list[TP]) -> dict[TP, tuple[int, str]]:
        wanted = {driver.ensure_aiokafka_TP(tp): tp for tp in partitions}
        found = await self._ensure_consumer()._coordinator.fetch_committed_offsets(list(wanted))
        return {wanted[tp]: (entry.offset, entry.metadata or "") for tp, entry in found.items() if entry.offset >= 0}

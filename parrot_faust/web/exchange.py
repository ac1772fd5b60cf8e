"""What the workers of an app tell each other of themselves, through the topic of stats.

Each says how things are with it once a second while something happens, else every few seconds. All read all of it, so
that any of them shows the whole app. A record has its worker as its key; one that ends leaves a tombstone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiokafka.errors import KafkaError
from faust.exceptions import FaustError

from parrot_faust.transport.admin import TopicPlan
from parrot_faust.transport.batch import Record
from parrot_faust.transport.following import follow
from parrot_faust.web.fleet import Fleet
from parrot_faust.web.merging import brief

PUBLISH_S = 1.0
IDLE_S = 5.0
PAST_S = 900  # what is read of the past when a worker starts: as much as the finer history shows
LEAVE_S = 1.0

#: Said in every record: another form is another version's, and is left out.
FORM = 1

Send = Callable[[str, bytes, bytes | None], Awaitable[Awaitable[Any]]]


def stats_topic(name: str) -> TopicPlan:
    """The topic: it keeps an hour, all of it, and of older records the newest of each worker for a while."""
    config = {
        "cleanup.policy": "compact,delete",
        "min.compaction.lag.ms": "3600000",
        "retention.ms": "7200000",
        "segment.ms": "1800000",
        "max.message.bytes": str(16 << 20),
    }
    return TopicPlan(name, 1, config)


class Exchange:
    """Publishes this worker's snapshots and takes in everyone's."""

    def __init__(
        self,
        *,
        topic: str,
        worker: str,
        fleet: Fleet,
        snapshot: Callable[[], dict[str, Any]],
        send: Send,
        options: Mapping[str, Any],
        log: Any,
    ) -> None:
        self._topic, self.worker, self.fleet = topic, worker, fleet
        self._snapshot, self._send, self._options, self._log = snapshot, send, options, log
        self._told: tuple[Any, float] = (None, 0.0)

    def look(self) -> dict[str, Any]:
        """Take this worker's own state into the fleet as it is now, and return the whole app's."""
        self.fleet.take(self.worker, brief(self._snapshot()))
        return self.fleet.view()

    async def publish(self, should_stop: Callable[[], bool], sleep: Callable[[float], Awaitable[Any]]) -> None:
        """Tell the others, until `should_stop`."""
        said = False
        while not should_stop():
            view = brief(self._snapshot())
            self.fleet.take(self.worker, view)
            self.fleet.view()  # which also keeps since when what is behind
            if self._is_news(view):
                try:
                    await (await self._send(self._topic, self.worker.encode(), encoded(view)))
                    said = False
                except (KafkaError, FaustError, OSError) as error:
                    if not said:
                        self._log.warning("the other workers can't be told how things are here: %s", error)
                        said = True
            await sleep(PUBLISH_S)

    def _is_news(self, view: Mapping[str, Any]) -> bool:
        """Whether something happened since the last record, or that was long enough ago."""
        state = {name: view[name] for name in ("sources", "sinks", "stopped", "held_tables", "waiting", "partitions")}
        now = time.monotonic()
        if state == self._told[0] and now - self._told[1] < IDLE_S:
            return False
        self._told = (state, now)
        return True

    async def follow(self, should_stop: Callable[[], bool]) -> None:
        """Take in what all workers say, and have said lately."""
        began = time.time()
        past_ms = int((began - PAST_S) * 1000)

        def take(record: Record) -> None:
            self.take(record.key, record.value, record.timestamp / 1000 if record.timestamp < began * 1000 else None)

        await follow(self._options, self._topic, past_ms, take, should_stop, self._log)

    def take(self, key: bytes | None, value: bytes | None, at: float | None) -> None:
        """Take in one record; `at` is when it was written, None for now."""
        worker = (key or b"").decode("utf-8", "replace")
        if worker == self.worker:
            return
        if value is None:
            self.fleet.drop(worker)
            return
        try:
            view = msgspec.json.decode(value)
            if view.get("form") == FORM:
                self.fleet.take(worker, view, at)
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
            self._log.warning("what worker %r says of itself can't be read: %r", worker, error)

    async def leave(self) -> None:
        """Say that this worker ends. The others find it out by themselves when this can't be said in time."""
        try:
            async with asyncio.timeout(LEAVE_S):
                await (await self._send(self._topic, self.worker.encode(), None))
        except (KafkaError, FaustError, OSError) as error:
            self._log.info("the end of this worker was not announced: %r", error)


def encoded(view: Mapping[str, Any]) -> bytes:
    """A snapshot as a record's value."""
    return msgspec.json.encode({"form": FORM, **view})

"""Which sinks people have paused, and restarts of their writers, as every worker of an app knows them.

Orders are records of one topic of one partition, which keeps the newest of each sink. A worker reads it before its
writers start, so that a paused sink stays paused over a restart, and follows it as it grows: the last record counts,
whoever has sent it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from uuid import uuid4

import msgspec

from models import SinkOrder, Steer
from parrot_faust.errors import ParrotError, SinkUnavailable
from parrot_faust.logs import named
from parrot_faust.transport.admin import TopicPlan
from parrot_faust.transport.following import follow

_decoder = msgspec.json.Decoder(SinkOrder)
_DONE = {Steer.PAUSE: "paused", Steer.RESUME: "resumed", Steer.RESTART: "restarted"}

#: Sends key and value to the topic of orders and returns once the broker has them.
Send = Callable[[bytes, bytes], Awaitable[None]]
ReadAll = Callable[[str, int], Awaitable[list[tuple[bytes | None, bytes | None]]]]


class Restartable(Protocol):
    """A process that holds a store's client."""

    async def restart(self) -> None:
        """End it once the call at hand is answered, and start another. Raise SinkUnavailable when that dies."""


class Steering:
    """Takes orders to this worker's writers, and sends them to everyone's. One instance a worker."""

    def __init__(
        self,
        *,
        topic: str,
        worker: Callable[[], str],
        processes: Mapping[str, Restartable],
        failed: Callable[[str], bool],
        send: Send,
        options: Mapping[str, Any],
        log: Any,
    ) -> None:
        """`failed` says whether a sink's writer of this worker gets no answer from its store."""
        self.topic, self._worker, self._processes, self._failed = topic, worker, processes, failed
        self._send, self._options, self._log = send, options, log
        self._newest: dict[str, SinkOrder] = {}
        self._known: set[str] = set()
        self._restarting: dict[asyncio.Task[None], str] = {}

    def topics(self) -> list[TopicPlan]:
        """The topic that must be there."""
        return [TopicPlan(self.topic, 1, {"cleanup.policy": "compact"})]

    # -- what is known -----------------------------------------------------------------------------------------------

    def pause(self, sink: str) -> SinkOrder | None:
        """The order by which a sink is paused now, None when it goes on."""
        newest = self._newest.get(sink)
        return newest if newest is not None and newest.word is Steer.PAUSE else None

    def paused(self, sink: str) -> bool:
        """Whether a sink is paused now."""
        return self.pause(sink) is not None

    def restarting(self, sink: str) -> bool:
        """Whether this worker's writer of a sink is just beginning anew."""
        return sink in self._restarting.values()

    # -- taking orders -----------------------------------------------------------------------------------------------

    async def load(self, read_all: ReadAll) -> None:
        """Know all that was said so far. Restarts of before are no matter of a worker that starts now."""
        for _, value in await read_all(self.topic, 0):
            self.take(value, past=True)

    async def follow(self, should_stop: Callable[[], bool]) -> None:
        """Take in orders as they come, until `should_stop`."""
        await follow(self._options, self.topic, 0, lambda record: self.take(record.value), should_stop, self._log)

    def take(self, value: bytes | None, *, past: bool = False) -> None:
        """Take in one record. One that is read again changes nothing."""
        try:
            order = _decoder.decode(value or b"")
        except msgspec.DecodeError as error:
            self._log.error("an order to a sink's writers can't be read and is left out: %s", error)
            return
        if order.id in self._known:
            return
        self._known.add(order.id)
        if order.word is Steer.RESTART:
            if not past and self._concerns(order):
                task = asyncio.create_task(self._restart(order))
                self._restarting[task] = order.sink
                task.add_done_callback(self._restarting.pop)
            return
        before = self.pause(order.sink)
        self._newest[order.sink] = order
        if order.word is Steer.PAUSE and before is None:
            self._log.warning(
                "%s is PAUSED: %s; its changes wait, the other stores go on",
                order.sink,
                order.reason,
                extra=named(sink=order.sink),
            )
        elif order.word is Steer.RESUME and before is not None:
            self._log.warning("%s goes on: %s", order.sink, order.reason, extra=named(sink=order.sink))

    def _concerns(self, order: SinkOrder) -> bool:
        if order.sink not in self._processes or (order.workers and self._worker() not in order.workers):
            return False
        return not order.only_failed or self._failed(order.sink)

    async def _restart(self, order: SinkOrder) -> None:
        self._log.warning("%s: its writer process is started again: %s", order.sink, order.reason)
        try:
            await self._processes[order.sink].restart()
        except SinkUnavailable as error:  # the next write starts another one
            self._log.warning("%s", error)

    # -- giving orders -----------------------------------------------------------------------------------------------

    async def order(
        self, sink: str, word: Steer, who: str, *, workers: tuple[str, ...] = (), only_failed: bool = False
    ) -> SinkOrder:
        """Tell the writers of a sink in all workers; returns once the broker has it.

        It is sent whatever is known here: what another worker was told a moment ago may not have come yet.
        """
        if sink not in self._processes:
            raise ParrotError(f"there is no sink {sink!r}; there are {', '.join(self._processes)}")
        at_ms, reason = int(time.time() * 1000), f"{_DONE[word]} by {who}"
        order = SinkOrder(uuid4().hex, sink, word, at_ms, reason, workers, only_failed)
        await self._send(order.key, msgspec.json.encode(order))
        return order

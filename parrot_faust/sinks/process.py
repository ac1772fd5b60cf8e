"""A sink's client in a process of its own: it may block, hold the interpreter's lock or die, and the worker goes on."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import msgspec

from models import PlannedDdl, TableSchema
from parrot_faust.errors import LeaseExpired, SinkUnavailable
from parrot_faust.sinks import host
from parrot_faust.sinks.factory import SinkSpec
from parrot_faust.sinks.host import ChunkFailure, ChunkResult

OVERRUN_S = 2.0  # past its lease a call has been told to end; one that has not by then never will
START_S = 60.0
ANSWER_S = 20.0  # a look at a table has no deadline of its own but the client's time-outs, which add up

_decoder = msgspec.msgpack.Decoder(host.Answer)

__all__ = ["ChunkFailure", "ChunkResult", "SinkProcess"]


class SinkProcess:
    """One process with one sink. Calls follow one another; the event loop is never blocked.

    A process that died or hung is left behind by the call that finds it out, and the next call starts another.
    """

    def __init__(self, spec: SinkSpec, name: str) -> None:
        self.spec, self.name = spec, name
        self._pool: ProcessPoolExecutor | None = None
        self._identity: asyncio.Future[int] | None = None
        self._since = 0.0
        self._stopped = False
        self._turn = asyncio.Lock()
        self._writes = 0
        #: How often the process died or hung.
        self.restarts = 0

    async def start(self) -> None:
        """Start the process. The store itself is first spoken to by a write. Raise SinkUnavailable when it dies."""
        async with self._turn:
            self._stopped = False
            try:
                await self._ready(time.monotonic() + START_S)
            except BrokenProcessPool:
                raise await self._lost("died while it was starting") from None

    @property
    def pid(self) -> int | None:
        """The process, None while there is none that has answered."""
        identity = self._identity
        known = identity is not None and identity.done() and not identity.cancelled() and not identity.exception()
        return identity.result() if identity is not None and known else None

    @property
    def writing(self) -> bool:
        """Whether a write is at hand, or waits for the call before it."""
        return bool(self._writes)

    async def write(self, chunks: Sequence[bytes], lease: float) -> list[ChunkResult]:
        """Write encoded chunks and return a result for each.

        `lease` is a value of `time.monotonic()` after which nothing is sent any more. Raise SinkUnavailable when the
        store, or the process, gave no answer (rows may or may not be applied: write them again), LeaseExpired when
        the lease ran out first.
        """
        self._writes += 1
        try:
            answer = _decoder.decode(await self._written(chunks, lease))
        finally:
            self._writes -= 1
        if answer.expired:
            raise LeaseExpired("the lease ran out before the rows were sent")
        if answer.unavailable:
            raise SinkUnavailable(self.name, answer.unavailable)
        return list(answer.results)

    async def _written(self, chunks: Sequence[bytes], lease: float) -> bytes:
        async with self._turn:
            try:
                await self._ready(lease)
                left = lease - time.monotonic()
                if left <= 0:
                    raise LeaseExpired("the lease ran out before the rows were sent")
                data: bytes = await asyncio.wait_for(self._submit(host.write, chunks, lease), left + OVERRUN_S)
            except BrokenProcessPool:
                raise await self._lost("died") from None
            except TimeoutError:
                raise await self._lost("hung") from None
            return data

    async def creations(self, schema: TableSchema) -> list[PlannedDdl]:
        """What would have to be made for the table of a schema; nothing when it is there. Raise SinkUnavailable when
        the store, or the process, gives no answer.
        """
        async with self._turn:
            try:
                await self._ready(time.monotonic() + host.CALL_S)
                asked = self._submit(host.creations, msgspec.msgpack.encode(schema))
                data = await asyncio.wait_for(asked, host.CALL_S + ANSWER_S)
            except BrokenProcessPool:
                raise await self._lost("died") from None
            except TimeoutError:
                raise await self._lost("hung") from None
        answer = msgspec.msgpack.decode(data, type=host.Creations)
        if answer.unavailable:
            raise SinkUnavailable(self.name, answer.unavailable)
        return answer.planned

    async def restart(self) -> None:
        """End the process once the call at hand is answered, and start another; one that was stopped stays so.

        Raise SinkUnavailable when the new one dies, or does not begin in time.
        """
        async with self._turn:
            if self._stopped:
                return
            await self._end()
            try:
                await self._ready(time.monotonic() + START_S)
            except BrokenProcessPool:
                raise await self._lost("died while it was starting") from None

    async def stop(self) -> None:
        """End the process, whatever it is doing; return when it is gone."""
        self._stopped = True
        await self._end()

    async def _ready(self, until: float) -> int:
        """The id of the process, which is started when there is none."""
        if self._stopped:
            raise SinkUnavailable(self.name, "its writer process was stopped")
        if self._identity is None:
            # Spawned, because the Kudu client hangs in a process forked after it was loaded.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, initializer=host.begin, initargs=(self.spec,))
            self._since = time.monotonic()
            self._identity = self._submit(host.identity)
        try:
            # Shielded: a process that starts slowly goes on doing so when a call can wait no longer.
            return await asyncio.wait_for(asyncio.shield(self._identity), until - time.monotonic())
        except TimeoutError:
            if time.monotonic() - self._since > START_S:
                raise await self._lost("did not start") from None
            raise SinkUnavailable(self.name, "its writer process is still starting") from None

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        if self._pool is None:  # it was stopped just now; without a pool the call would run in this process
            raise BrokenProcessPool("the process was ended")
        return asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def _lost(self, how: str) -> SinkUnavailable:
        await self._end()
        if self._stopped:
            return SinkUnavailable(self.name, "its writer process was stopped")
        self.restarts += 1
        return SinkUnavailable(self.name, f"its writer process {how}; another one is started")

    async def _end(self) -> None:
        pool, self._pool = self._pool, None
        identity, self._identity = self._identity, None
        if pool is None:
            return
        for process in list((pool._processes or {}).values()):
            process.kill()  # asked to end it would first finish a call that may never end
        await asyncio.to_thread(pool.shutdown, wait=True)
        if identity is not None:
            await asyncio.gather(identity, return_exceptions=True)  # or its failure would be logged as nobody's

"""A sink's client in a process of its own: it may block, hold the interpreter's lock or die, and the worker goes on."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any

import msgspec

from parrot_faust.errors import LeaseExpired, SinkUnavailable
from parrot_faust.sinks import host
from parrot_faust.sinks.factory import SinkSpec
from parrot_faust.sinks.host import ChunkFailure, ChunkResult

OVERRUN_S = 2.0  # past its lease a call has been told to end; one that has not by then never will
START_S = 60.0

_decoder = msgspec.msgpack.Decoder(host.Answer)

__all__ = ["ChunkFailure", "ChunkResult", "SinkProcess"]


class SinkProcess:
    """One process with one sink. Calls follow one another; the event loop is never blocked."""

    def __init__(self, spec: SinkSpec, name: str) -> None:
        self._spec, self.name = spec, name
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0
        #: How often the process died or hung and was started again.
        self.restarts = 0

    async def start(self) -> None:
        """Start the process. The store itself is first spoken to by a write."""
        # Spawned, because the Kudu client hangs in a process forked after it was loaded.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=host.begin, initargs=(self._spec,))
        self._pid = await asyncio.wait_for(self._call(host.identity), START_S)

    async def write(self, chunks: Sequence[bytes], lease: float) -> list[ChunkResult]:
        """Write encoded chunks and return a result for each.

        `lease` is a value of `time.monotonic()` after which nothing is sent any more. Raise SinkUnavailable when the
        store, or the process, gave no answer (rows may or may not be applied: write them again), LeaseExpired when
        the lease ran out first.
        """
        if self._pool is None:
            await self.start()
        try:
            data = await asyncio.wait_for(self._call(host.write, chunks, lease), lease - time.monotonic() + OVERRUN_S)
        except BrokenProcessPool:
            await self._restart()
            raise SinkUnavailable(self.name, "its writer process died and was started again") from None
        except TimeoutError:
            await self._restart()
            raise SinkUnavailable(self.name, "its writer process hung and was started again") from None
        answer = _decoder.decode(data)
        if answer.expired:
            raise LeaseExpired("the lease ran out before the rows were sent")
        if answer.unavailable:
            raise SinkUnavailable(self.name, answer.unavailable)
        return list(answer.results)

    async def stop(self) -> None:
        """End the process."""
        self._kill()

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    async def _restart(self) -> None:
        self._kill()
        self.restarts += 1
        await self.start()

    def _kill(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            if self._pid:
                with suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
            pool.shutdown(wait=False, cancel_futures=True)

"""A TCP proxy with faults, so that a server can be away or slow for one worker and not for the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any


class Proxy:
    """Forwards connections on a loopback port of its own to `target` (host:port), unless told otherwise.

    `cut` ends what is connected and refuses the rest, `freeze` takes bytes and passes none on, `heal` ends both.
    `delay` lets every piece of up to 64 kB wait, either way; `reset` ends what is connected, once; `half_close` ends
    the target's half of each connection and leaves the other open. `connections` counts what was asked for, refused or
    not.
    """

    def __init__(self, target: str) -> None:
        host, port = target.rsplit(":", 1)
        self._target = (host, int(port))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._open: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._cut = False
        self._delay_s = 0.0
        self._flowing = asyncio.Event()
        self.connections = 0
        self._server = self._run(self._serve())
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Drop all connections, and every new one at once."""
        self._run(self._set(cut=True, flowing=True))

    def freeze(self) -> None:
        """Keep connections open and let nothing through."""
        self._run(self._set(cut=False, flowing=False))

    def heal(self) -> None:
        """Forward again."""
        self._run(self._set(cut=False, flowing=True))

    def delay(self, seconds: float) -> None:
        """From now on let every piece wait so long; 0 ends it."""
        self._delay_s = seconds

    def reset(self) -> None:
        """Drop all connections; new ones are served."""
        self._run(self._reset())

    def half_close(self) -> None:
        """Tell every client that no more will come, and go on taking what it sends."""
        self._run(self._half_close())

    def close(self) -> None:
        """End the proxy and its connections."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self) -> asyncio.Server:
        self._flowing.set()
        return await asyncio.start_server(self._forward, "127.0.0.1", 0)

    async def _set(self, *, cut: bool, flowing: bool) -> None:
        self._cut = cut
        if flowing:
            self._flowing.set()
        else:
            self._flowing.clear()
        if cut:
            await self._reset()

    async def _reset(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _half_close(self) -> None:
        for writer in list(self._clients):
            writer.write_eof()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._cut:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._open |= ends
        self._clients.add(writer)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except OSError:
            pass  # one end has gone, so the other goes too
        finally:
            self._open -= ends
            self._clients.discard(writer)
            for end in ends:
                end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._flowing.wait()
            if self._delay_s:
                await asyncio.sleep(self._delay_s)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

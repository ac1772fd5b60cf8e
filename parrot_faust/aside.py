"""Work that blocks, beside the event loop: one piece at a time, and none that the end of the program waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class Aside:
    """Runs functions one after the other, each in a thread of its own that ends with the program."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._running: asyncio.Future[Any] | None = None

    async def run(self, work: Callable[[], Any]) -> Any:
        """What `work` returns or raises. Given up, it goes on all the same, and the next one waits for it."""
        async with self._turn:
            if self._running is not None:
                await asyncio.wait({self._running})
            self._running = running = _started(work)
        return await asyncio.shield(running)


def _started(work: Callable[[], Any]) -> asyncio.Future[Any]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    # What nobody waits for any more may raise: it was given up.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def tell(set_it: Callable[[Any], None], value: Any) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(set_it, value)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
            tell(future.set_exception, error)
        else:
            tell(future.set_result, result)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return future

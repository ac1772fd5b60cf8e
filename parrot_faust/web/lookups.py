"""What pages show and a worker does not have at hand: read when somebody looks, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError

from parrot_faust.errors import ParrotError

WAIT_S = 0.03  # a page waits so long for something it has never shown, and shows it in the next one otherwise
KEPT = 64
PATIENCE_S = 30.0  # what takes longer is given up, and asked anew when somebody looks again


@dataclass(slots=True)
class _Entry:
    value: Any = None
    error: str = ""
    at: float = float("-inf")
    task: asyncio.Task[None] | None = None


class Lookups:
    """Answers from memory, while what is old is read again in the background: a page never waits for a server."""

    def __init__(self, log: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._log, self._monotonic = log, monotonic
        self._entries: OrderedDict[Any, _Entry] = OrderedDict()
        self._hurried: dict[Any, tuple[float, float]] = {}

    async def get(
        self,
        key: Any,
        load: Callable[[], Awaitable[Any]],
        fresh_s: float,
        wait_s: float = WAIT_S,
        patience_s: float = PATIENCE_S,
    ) -> tuple[Any, str]:
        """What `load` gave last, None before the first time, and why it can't be read, if it can't.

        It is asked again when what is known is older than `fresh_s`; only the first answer is waited for, and not long.
        """
        hurry_s, until = self._hurried.get(key, (fresh_s, 0.0))
        if self._monotonic() < until:
            fresh_s = min(fresh_s, hurry_s)
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > KEPT:
            _, old = self._entries.popitem(last=False)
            if old.task is not None:
                old.task.cancel()
        if entry.task is None and self._monotonic() - entry.at >= fresh_s:
            entry.task = asyncio.create_task(self._load(key, entry, load, patience_s))
        if entry.task is not None and entry.at == float("-inf"):
            await asyncio.wait({entry.task}, timeout=wait_s)
        return entry.value, entry.error

    def hurry(self, key: Any, fresh_s: float, for_s: float) -> None:
        """Let what is known of `key` be no older than `fresh_s` for a while: somebody has done something about it."""
        self._hurried[key] = fresh_s, self._monotonic() + for_s

    async def _load(self, key: Any, entry: _Entry, load: Callable[[], Awaitable[Any]], patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                entry.value = await load()
            entry.error = ""
        except (KafkaError, OSError, ParrotError) as error:  # a time-out is an OSError
            entry.error = str(error) or type(error).__name__
            self._log.warning("web view: %s can't be read now: %s", key, entry.error)
        finally:
            entry.at, entry.task = self._monotonic(), None

    async def close(self) -> None:
        """End what is being read."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

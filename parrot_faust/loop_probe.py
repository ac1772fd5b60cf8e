"""How late the event loop is: what a blocking call on it would show."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

PERIOD_S = 0.05
RECENT = 200  # measurements that count as recent: ten seconds
#: A folder a thread of this process. Its `schedstat` holds, on Linux: time on the CPU, time ready and waiting for one
#: (both in ns), number of turns.
_THREADS = Path("/proc/self/task")


class LoopProbe:
    """Sleeps again and again, and keeps the greatest lateness in milliseconds.

    `own_ms` leaves out what threads of this process, of which one may hold the interpreter's lock, spent waiting for a
    CPU that others had: it is what this program's own code has blocked. Where the system does not tell, it equals
    `worst_ms`.
    """

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self.own_ms = 0.0
        self._recent: deque[float] = deque(maxlen=RECENT)

    @property
    def recent_ms(self) -> float:
        """The greatest lateness of the last ten seconds."""
        return max(self._recent, default=0.0)

    async def run(self, ended: Callable[[], bool]) -> None:
        """Measure until `ended`."""
        while not ended():
            before, waited = time.perf_counter(), _waited_s()
            await asyncio.sleep(PERIOD_S)
            late = time.perf_counter() - before - PERIOD_S
            self._recent.append(max(0.0, late * 1e3))
            self.worst_ms = max(self.worst_ms, late * 1e3)
            self.own_ms = max(self.own_ms, (late - (_waited_s() - waited)) * 1e3)


def _waited_s() -> float:
    total = 0
    for file in _THREADS.glob("*/schedstat"):
        try:
            total += int(file.read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # the thread has just ended
    return total / 1e9

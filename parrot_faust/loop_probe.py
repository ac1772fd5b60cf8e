"""How late the event loop is: what a blocking call on it would show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

PERIOD_S = 0.05
#: Time on the CPU, time ready and waiting for one (both ns), number of turns; of the thread that reads it. Linux only.
_SCHEDULING = Path("/proc/thread-self/schedstat")


class LoopProbe:
    """Sleeps again and again, and keeps the greatest lateness in milliseconds.

    `own_ms` leaves out what the thread spent waiting for a CPU that others had: it is what this program's own code
    has blocked. Where the system does not tell, it equals `worst_ms`.
    """

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self.own_ms = 0.0

    async def run(self, ended: Callable[[], bool]) -> None:
        """Measure until `ended`."""
        while not ended():
            before, waited = time.perf_counter(), _waited_s()
            await asyncio.sleep(PERIOD_S)
            late = time.perf_counter() - before - PERIOD_S
            self.worst_ms = max(self.worst_ms, late * 1e3)
            self.own_ms = max(self.own_ms, (late - (_waited_s() - waited)) * 1e3)


def _waited_s() -> float:
    try:
        return int(_SCHEDULING.read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0

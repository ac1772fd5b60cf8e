"""How long to wait before trying again, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def delays(first: float, cap: float, jitter: Callable[[], float]) -> Iterator[float]:
    """Yield seconds to wait, for ever: doubling from `first` up to `cap`, each spread over its upper half.

    `jitter` returns a number in [0, 1). Spreading keeps many workers from knocking at a recovering store together.
    """
    delay = first
    while True:
        yield delay / 2 + jitter() * delay / 2
        delay = min(delay * 2, cap)

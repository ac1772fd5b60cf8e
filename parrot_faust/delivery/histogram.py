"""Measurements counted in fixed buckets, as Prometheus takes them: memory is constant, and workers' counts add up."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

#: Upper bounds. Seconds from a batch in memory to a store that was away for a minute; rows up to a whole batch.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ROWS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)


class Histogram:
    """How many measurements were at most each of `bounds`, which grow, or above the last; and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def add(self, value: float, weight: int = 1) -> None:
        """Count a measurement `weight` times; what is negative by a clock's error counts as 0."""
        value = max(value, 0.0)
        self._counts[bisect_left(self._bounds, value)] += weight
        self._sum += value * weight

    def view(self) -> dict[str, Any]:
        """Plain data: `bounds`, a count for each and one for what is above them, and the `sum`."""
        return {"bounds": list(self._bounds), "counts": list(self._counts), "sum": round(self._sum, 6)}

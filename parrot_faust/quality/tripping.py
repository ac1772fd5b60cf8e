"""When too many rows of a table fail: counting them by the second, and tripping its breaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from models import Tallied
from parrot_faust.quality.rules import Breaker

#: A second, how many rows were checked in it, and how many of those failed.
Bucket = tuple[int, int, int]


class Trip(NamedTuple):
    """A breaker that has tripped: so many of so many rows failed."""

    breaker: Breaker
    failed: int
    checked: int
    at_ms: int


def count(
    buckets: Sequence[Bucket], message: Tallied, breaker: Breaker, now_ms: int
) -> tuple[list[Bucket], Trip | None]:
    """Add a message's rows. Where too many of the last ones failed the breaker trips, and counting begins anew."""
    second = message.at_ms // 1000
    _, checked, failed = next((one for one in buckets if one[0] == second), (second, 0, 0))
    kept = [one for one in buckets if one[0] != second and one[0] * 1000 > now_ms - breaker.within_ms]
    kept.append((second, checked + message.checked, failed + message.failed))
    checked, failed = sum(one[1] for one in kept), sum(one[2] for one in kept)
    if checked >= breaker.at_least and failed > breaker.share * checked:
        return [], Trip(breaker, failed, checked, now_ms)
    return kept, None

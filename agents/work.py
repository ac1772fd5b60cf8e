"""What one batch of a source partition comes to."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.tallying import Seen
from parrot_faust.codec import Decoded, Segment
from parrot_faust.delivery.stats import Outcome
from parrot_faust.delivery.versions import VersionClock
from parrot_faust.tracing import Trail
from parrot_faust.transport import Batch


@dataclass(slots=True)
class Work:
    """What one batch has come to. `segments` are still to be taken."""

    batch: Batch
    decoded: Decoded
    segments: deque[Segment]
    decode_ms: float
    #: Versions by position in the batch, given beforehand where some of its records can't be decoded.
    versions: Mapping[int, int] | None = None
    check_s: float = 0.0
    active_s: float = 0.0
    pending: list[Awaitable[Any]] = field(default_factory=list)
    outcomes: dict[Outcome, list[int]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    asked: bool = False
    trail: Trail | None = None

    def settle(self, outcome: Outcome, offset: int) -> None:
        self.outcomes.setdefault(outcome, []).append(offset)


def versions_beside_failures(clock: VersionClock, decoded: Decoded) -> Mapping[int, int] | None:
    """Give a version to every change and to every record that can't be decoded, by position; None where all can.

    So a dead letter that is sent again later has a version of its own place, between those of its neighbours.
    """
    if not decoded.failures:
        return None
    times = {change.index: change.time_us for segment in decoded.segments for change in segment.changes}
    times |= {failure.index: 0 for failure in decoded.failures}
    positions = sorted(times)
    return dict(zip(positions, clock.advance(times[position] for position in positions), strict=True))

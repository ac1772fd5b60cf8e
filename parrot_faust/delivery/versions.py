"""The version of a write: a hybrid clock per source partition.

A version is near the source's commit time in microseconds, grows with every change of its source partition, and never
falls below what was used before: not within one transaction, whose events share one time; not when the source's clock
jumps back; not when the topic or the database is made again. It is a function of the records alone, begun from the
version that was committed with the offset, so reading a segment again gives each change the version it had.
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_NOTE = 18  # digits: what is longer is no version of ours, and may not fit the 64 bits of a store's


class VersionClock:
    """Versions of one source partition, from the `floor` that was committed with the offset it is read from."""

    __slots__ = ("last",)

    def __init__(self, floor: int = 0) -> None:
        self.last = floor

    def advance(self, times_us: Iterable[int]) -> list[int]:
        """Return a version for each change, given the source commit times in source order."""
        last = self.last
        versions = []
        for time_us in times_us:
            last = time_us if time_us > last else last + 1
            versions.append(last)
        self.last = last
        return versions


def floor_of(note: str) -> int:
    """The floor kept in a commit's note; 0 where there is none or another tool has written the commit."""
    return int(note) if note.isascii() and note.isdigit() and len(note) <= LONGEST_NOTE else 0

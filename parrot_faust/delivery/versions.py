"""The version of a write: a hybrid clock per source partition.

A version is near the source's commit time in microseconds, grows with every change of its source partition, and never
falls below what was used before: not within one transaction, whose events share one time; not when the source's clock
jumps back; not when the topic or the database is made again. It is a function of the records alone, begun from the
version that was committed with the offset, so reading a segment again gives each change the version it had.

A broker forgets what was committed of a topic that is deleted, and whoever sets an offset back removes the version that
was kept with it. So versions are reserved ahead, in a place of their own, before the first of them is used; without a
note they begin from there, above all that were used before.
"""

from __future__ import annotations

from collections.abc import Iterable

#: How far ahead, in microseconds: a reservation is made about as often, and versions may be ahead of their time so far
#: after a note was lost.
AHEAD_US = 600_000_000
LONGEST_NOTE = 18  # digits: what is longer is no version of ours, and may not fit the 64 bits of a store's


class VersionClock:
    """Versions of one source partition, from the `floor` that was committed with the offset it is read from."""

    __slots__ = ("last", "reserved")

    def __init__(self, floor: int = 0, reserved: int = 0) -> None:
        self.last, self.reserved = floor, reserved

    @classmethod
    def begun(cls, note: str, reserved: int) -> VersionClock:
        """The clock from a commit's note, or, where there is none, from what was reserved."""
        return cls(floor_of(note) if _is_version(note) else reserved, reserved)

    def reserve(self, ahead: int = AHEAD_US) -> int | None:
        """Up to which version all is to be reserved before those given so far are used; None when they already are.

        Set `reserved` to it once that is done.
        """
        return self.last + ahead if self.last > self.reserved else None

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
    return int(note) if _is_version(note) else 0


def _is_version(note: str) -> bool:
    return note.isascii() and note.isdigit() and len(note) <= LONGEST_NOTE

"""What was, in bounded memory: a value for each slot of time, the last so many slots. Pure."""

from __future__ import annotations

from array import array

#: Slots of the two histories of each series: a quarter of an hour in steps of 5 s, six hours in steps of 2 min.
FINE_S, COARSE_S, SLOTS = 5, 120, 180

#: In a series of peaks, a slot in which nothing was measured. Measurements are never negative.
NOTHING = -1.0


class Ring:
    """A float for each of the last `slots` steps of time; older ones are given up."""

    __slots__ = ("_empty", "_newest", "_values", "step")

    def __init__(self, step: int, slots: int = SLOTS, empty: float = 0.0) -> None:
        self.step, self._empty, self._newest = step, empty, 0
        self._values = array("f", [empty]) * slots

    def _place(self, at: float) -> int | None:
        """The index of a moment's slot, None when it is too long ago."""
        slot, size = int(at // self.step), len(self._values)
        for later in range(max(self._newest + 1, slot - size + 1), slot + 1):
            self._values[later % size] = self._empty
        self._newest = max(self._newest, slot)
        return slot % size if slot > self._newest - size else None

    def add(self, at: float, amount: float) -> None:
        """Add to the sum of a moment's slot."""
        if (place := self._place(at)) is not None:
            self._values[place] += amount

    def peak(self, at: float, value: float) -> None:
        """Keep the greatest value of a moment's slot."""
        if (place := self._place(at)) is not None:
            self._values[place] = max(self._values[place], value)

    def read(self, now: float) -> list[float]:
        """The slots up to the last one that is over, oldest first."""
        # In slices, because an overview reads hundreds of rings.
        size, begin = len(self._values), (self._newest + 1) % len(self._values)
        known = self._values[begin:] + self._values[:begin]
        later = int(now // self.step) - 1 - self._newest
        empty = array("f", [self._empty]) * min(abs(later), size)
        found = known[later:] + empty if later >= 0 else empty + known[:later]
        return found.tolist()

    def total(self, now: float) -> float:
        """The sum of what `read` gives, of a ring whose empty slots are 0."""
        last, size = int(now // self.step) - 1, len(self._values)
        oldest = self._newest - size + 1
        # An overview asks hundreds of rings, in most of which only the slot that is not over yet is left out.
        left_out = range(oldest, min(oldest + last - self._newest, self._newest + 1))
        if last < self._newest:
            left_out = range(max(last + 1, oldest), self._newest + 1)
        return sum(self._values) - sum(self._values[slot % size] for slot in left_out)

    def newest(self, now: float, count: int) -> list[float]:
        """The last `count` of them."""
        last, size = int(now // self.step) - 1, len(self._values)
        known = range(self._newest - size + 1, self._newest + 1)
        return [
            self._values[slot % size] if slot in known else self._empty for slot in range(last - count + 1, last + 1)
        ]


class Series:
    """One quantity over time, in both resolutions."""

    __slots__ = ("_sums", "coarse", "fine")

    def __init__(self, *, sums: bool) -> None:
        self._sums = sums
        empty = 0.0 if sums else NOTHING
        self.fine, self.coarse = Ring(FINE_S, SLOTS, empty), Ring(COARSE_S, SLOTS, empty)

    def put(self, at: float, value: float) -> None:
        """Add a count, or note a measurement."""
        for ring in (self.fine, self.coarse):
            if self._sums:
                ring.add(at, value)
            else:
                ring.peak(at, value)

    def read(self, now: float, step: int) -> list[float | None]:
        """Rates a second, or peaks with None where nothing was measured, oldest first."""
        ring = self.fine if step == FINE_S else self.coarse
        if self._sums:
            return [round(value / ring.step, 2) for value in ring.read(now)]
        return [None if value == NOTHING else round(value, 3) for value in ring.read(now)]

    def rate(self, now: float) -> float:
        """Of the two newest fine slots that are over, what came in a second."""
        return sum(self.fine.newest(now, 2)) / (2 * FINE_S)

    def minutes(self, now: float) -> list[float]:
        """What came in each minute of the quarter of an hour, oldest first."""
        values, size = self.fine.read(now), 60 // FINE_S
        return [sum(values[first : first + size]) for first in range(0, SLOTS, size)]

    def recent(self, now: float) -> float:
        """All that came in the quarter of an hour."""
        return self.fine.total(now)

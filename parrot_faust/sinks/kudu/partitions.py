"""Making the range partitions that rows and the clock need, and dropping old ones where the settings say so.

Kudu's client can't list a table's ranges. So each is asked for by its bounds: one that is there already is found out by
the answer, also when another process has just made it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from models import AppliedDdl, TableSchema
from parrot_faust.creation import KuduRange
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.kudu.outcomes import message
from parrot_faust.sinks.kudu.prepare import Operation
from parrot_faust.sinks.kudu.ranges import Periods, missing

LOOK_S = 60.0  # how often the clock's ranges are looked at: each comes `ahead` periods before it is needed
PRESENT = ("Already present", "already exists")
#: A range of others lies over ours: its rows have their place.
COVERED = "conflicts with existing"
ABSENT = "no range partition to drop"
UNCOVERED = "No tablet covering"


@dataclass(slots=True)
class Ranges:
    """The ranges of one table, as far as this process knows. `left` gives the seconds there are, or raises."""

    schema: TableSchema
    target: str
    periods: Periods
    wanted: KuduRange
    known: set[int] = field(default_factory=set)
    looked: float = float("-inf")

    def first(self, now: float) -> list[int]:
        """The periods that a new table begins with: the clock's and those ahead of it."""
        here = self.periods.now(now)
        return list(range(here, here + self.wanted.ahead + 1))

    def tend(self, client: Any, now: float, left: Callable[[], float]) -> list[AppliedDdl]:
        """Make what the clock needs and drop what is too old, when it is time to look; return what was done."""
        if time.monotonic() < self.looked + LOOK_S:
            return []
        done = self._make(client, {number for number in self.first(now) if number not in self.known}, left)
        if self.wanted.keep is not None:
            done += self._drop(client, self.periods.now(now) - self.wanted.keep, left)
        self.looked = time.monotonic()
        return done

    def cover(self, client: Any, operations: Sequence[Operation], left: Callable[[], float]) -> list[AppliedDdl]:
        """Make the ranges of rows that are to be sent."""
        place = self.periods.place
        if not operations:
            return []
        wanted = missing(self.periods, [each.record[place] for each in operations], self.known.__contains__)
        return self._make(client, wanted, left)

    def _make(self, client: Any, numbers: set[int], left: Callable[[], float]) -> list[AppliedDdl]:
        if not numbers:
            return []
        began = time.monotonic()
        every = sorted(numbers)
        found = {self._added(client, every, left): every}
        if "AddRange" not in found:  # one of them was there: each for itself
            found = {}
            for number in every:
                found.setdefault(self._added(client, [number], left), []).append(number)
        return [self._told(change, some, began) for change, some in found.items() if change]

    def _added(self, client: Any, numbers: Sequence[int], left: Callable[[], float]) -> str:
        """``AddRange`` where they were made here, all at once; ``KeepRange`` where a range of others lies over one,
        nothing where one is there already: then none is made.
        """
        import kudu

        left()
        alterer = client.new_table_alterer(client.table(self.target))
        for number in numbers:
            alterer.add_range_partition(*self.periods.bounds(number))
        try:
            alterer.alter()
        except kudu.KuduException as error:
            text = message(error)
            if any(sign in text for sign in PRESENT) or COVERED in text:
                if len(numbers) == 1:
                    self.known.add(numbers[0])
                return "KeepRange" if COVERED in text else ""
            if isinstance(error, kudu.KuduInvalidArgument):
                raise TableRefused(self.schema.table, f"its ranges can't be made: {text}") from error
            raise SinkUnavailable("kudu", text) from error
        self.known.update(numbers)
        return "AddRange"

    def _drop(self, client: Any, first_kept: int, left: Callable[[], float]) -> list[AppliedDdl]:
        """Drop ranges before a period: those that this process knows, and those in which there are rows."""
        began = time.monotonic()
        old = sorted(number for number in self.known if number < first_kept)
        dropped = [number for number in old if self._dropped(client, number, left)]
        tried = set(dropped)
        while (number := self._oldest(client, first_kept, left)) is not None and number not in tried:
            tried.add(number)
            if self._dropped(client, number, left):
                dropped.append(number)
        return [self._told("DropRange", dropped, began)] if dropped else []

    def _dropped(self, client: Any, number: int, left: Callable[[], float]) -> bool:
        import kudu

        left()
        alterer = client.new_table_alterer(client.table(self.target))
        alterer.drop_range_partition(*self.periods.bounds(number))
        try:
            alterer.alter()
        except kudu.KuduException as error:
            if ABSENT not in message(error):
                raise SinkUnavailable("kudu", message(error)) from error
            self.known.discard(number)
            return False
        self.known.discard(number)
        return True

    def _oldest(self, client: Any, first_kept: int, left: Callable[[], float]) -> int | None:
        """The period of a row before `first_kept`, None when there is none."""
        import kudu

        left()
        try:
            table = client.table(self.target)
            scanner = table.scanner()
            scanner.set_projected_column_names([self.periods.column])
            scanner.add_predicate(table[self.periods.column] < self.periods.begin(first_kept))
            scanner.open()
            while scanner.has_more_rows():
                for (value,) in scanner.next_batch().as_tuples():
                    return self.periods.number(value)
        except kudu.KuduException as error:
            raise SinkUnavailable("kudu", message(error)) from error
        return None

    def _told(self, change: str, numbers: Sequence[int], began: float) -> AppliedDdl:
        seconds = time.monotonic() - began
        return AppliedDdl(self.schema.table, self.target, change, self.periods.told(numbers), seconds)

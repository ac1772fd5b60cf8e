"""What many rows come to: tallies that take a run of values at a time, merge, and can be sent as plain data.

All but `Steps` may be merged in any order. Values are kept as keys: equal exactly when the values are, short, and made
of nothing that a message can't carry. Beyond a limit of them a tally keeps a
sketch.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Protocol

from parrot_faust.quality import sketches
from parrot_faust.quality.rules import EXACT
from parrot_faust.quality.values import is_null

_LONGEST = 40  # characters of a text that is its own key: others are known by a hash
_HASHED = "\0"  # what the key of such a value begins with
_COLLECTION = "\0\0"  # and that of a list or mapping
_LONGEST_EXTREME = 200  # characters of a text by which the least and the greatest are told

Key = int | float | str


class Undecided(ValueError):
    """There were more values than are kept, so the rule can't be judged."""


class Tally(Protocol):
    """Takes the values of the rows that count: how many, and those that are not null."""

    def extend(self, rows: int, present: Sequence[Any]) -> None: ...
    def merge(self, other: Any) -> None: ...
    def packed(self) -> Any: ...
    def unpack(self, data: Any) -> None: ...


def without_nulls(values: Sequence[Any]) -> Sequence[Any]:
    """The values that are not null, as `is_null` has it."""
    kinds = set(map(type, values))
    if kinds <= {int, str, bool, bytes}:
        return values
    if not kinds & {float, Decimal}:
        return [value for value in values if value is not None]
    return [value for value in values if not is_null(value)]


def key_of(value: Any, secret: bytes = b"") -> Key:
    """The key of a value: equal exactly where Python says that the values are. Under a secret it tells nothing else."""
    key = _plain_key(value)
    if secret or (isinstance(key, str) and (len(key) > _LONGEST or key.startswith(_HASHED))):
        mark = _COLLECTION if isinstance(key, str) and key.startswith(_COLLECTION) else _HASHED
        return mark + blake2b(repr(key).encode("utf-8", "replace"), key=secret[:64], digest_size=12).hexdigest()
    return key


def is_hashed(key: Key) -> bool:
    """Whether a key does not tell its value."""
    return isinstance(key, str) and key.startswith(_HASHED)


def _plain_key(value: Any) -> Key:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else f"{_HASHED}{value}"
    if isinstance(value, float | Decimal):
        near = float(value)
        if near in (math.inf, -math.inf):
            return near if near == value else f"{_HASHED}{value}"
        if value == int(value):
            return _plain_key(int(value))
        return near if near == value else f"{_HASHED}{Decimal(value).normalize()}"
    if isinstance(value, list):
        return _COLLECTION + repr([_plain_key(one) for one in value])
    if isinstance(value, dict):
        return _COLLECTION + repr(sorted((repr(_plain_key(name)), _plain_key(one)) for name, one in value.items()))
    hash(value)  # of several columns, none may hold a list
    if isinstance(value, tuple):
        return _HASHED + repr([_plain_key(one) for one in value])
    return _HASHED + repr(value)


@dataclass(slots=True)
class Rows:
    """How many rows, and how many of them hold null."""

    rows: int = 0
    nulls: int = 0

    def extend(self, rows: int, present: Sequence[Any]) -> None:
        self.rows, self.nulls = self.rows + rows, self.nulls + rows - len(present)

    def merge(self, other: Rows) -> None:
        self.rows, self.nulls = self.rows + other.rows, self.nulls + other.nulls

    def packed(self) -> Any:
        return [self.rows, self.nulls]

    def unpack(self, data: Any) -> None:
        self.rows, self.nulls = data


@dataclass(slots=True)
class Numbers:
    """Count, sum, extremes, and Welford's mean and sum of squared deviations."""

    count: int = 0
    total: Any = 0
    low: Any = None
    high: Any = None
    _mean: float = 0.0
    _squares: float = 0.0

    def extend(self, rows: int, present: Sequence[Any]) -> None:  # noqa: ARG002 - nulls do not count
        if not present:
            return
        values: list[Any] = [float(one) if isinstance(one, Decimal) else one for one in present]
        if any(isinstance(one, str) for one in values):
            values = [one[:_LONGEST_EXTREME] for one in values]
        part = Numbers(len(values), 0, min(values), max(values))
        if isinstance(part.low, int | float):
            part.total = reduce(operator.add, values, 0)
            part._mean = part.total / part.count
            part._squares = sum((one - part._mean) ** 2 for one in values)
        self.merge(part)

    def merge(self, other: Numbers) -> None:
        if not other.count:
            return
        if not self.count:
            self.count, self.total, self.low, self.high = other.count, other.total, other.low, other.high
            self._mean, self._squares = other._mean, other._squares
            return
        count = self.count + other.count
        delta = other._mean - self._mean
        self._squares += other._squares + delta * delta * self.count * other.count / count
        self._mean += delta * other.count / count
        self.total += other.total
        self.count, self.low, self.high = count, min(self.low, other.low), max(self.high, other.high)

    def packed(self) -> Any:
        return [self.count, *map(_sendable, (self.total, self.low, self.high)), self._mean, self._squares]

    def unpack(self, data: Any) -> None:
        self.count, *exact, self._mean, self._squares = data
        self.total, self.low, self.high = map(_sent, exact)

    @property
    def mean(self) -> float | None:
        """The mean, None of nothing."""
        return self._number(self.total) / self.count if self.count else None

    @property
    def deviation(self) -> float | None:
        """The standard deviation of a sample, None of fewer than two."""
        self._number(self.low)
        return float((self._squares / (self.count - 1)) ** 0.5) if self.count > 1 else None

    @property
    def sum(self) -> Any:
        """The sum, 0 of nothing."""
        self._number(self.low)
        return self.total

    def _number(self, value: Any) -> Any:
        if self.low is not None and not isinstance(self.low, int | float):
            raise TypeError(f"{type(self.low).__name__} is no number")
        return value


def _counted(values: Sequence[Any]) -> Iterable[tuple[Any, int]]:
    try:
        return Counter(values).items()
    except TypeError:  # lists and mappings can't be counted so
        return ((value, 1) for value in values)


@dataclass(slots=True)
class Values:
    """How often each value came. Those in `wanted` are always kept; of others at most `limit`, beyond it a sketch."""

    limit: int = EXACT
    wanted: Mapping[Key, Any] = field(default_factory=dict)
    secret: bytes = b""
    count: int = 0
    kept: dict[Key, int] = field(default_factory=dict)
    others: dict[Key, int] = field(default_factory=dict)
    sketch: Any = None

    def extend(self, rows: int, present: Sequence[Any]) -> None:  # noqa: ARG002 - nulls do not count
        for value, times in _counted(present):
            key = key_of(value)
            self._put(key if key in self.wanted or not self.secret else key_of(value, self.secret), times)
        self.count += len(present)
        self._shorten()

    def merge(self, other: Values) -> None:
        self.count += other.count
        for counts in (other.kept, other.others):
            for key, times in counts.items():
                self._put(key, times)
        if other.sketch is not None:
            self.sketch = other.sketch if self.sketch is None else sketches.distinct_union(self.sketch, other.sketch)
        self._shorten()

    def _put(self, key: Key, times: int) -> None:
        counts = self.kept if key in self.wanted else self.others
        counts[key] = counts.get(key, 0) + times

    def _shorten(self) -> None:
        if self.others and (self.sketch is not None or len(self.others) > self.limit):
            new = sketches.distinct(self.others)
            self.sketch = new if self.sketch is None else sketches.distinct_union(self.sketch, new)
            self.others = {}

    def packed(self) -> Any:
        sketch = None if self.sketch is None else self.sketch.serialize_compact()
        return [self.count, list(self.kept.items()), list(self.others.items()), sketch]

    def unpack(self, data: Any) -> None:
        self.count, kept, others, sketch = data
        self.kept, self.others = dict(kept), dict(others)
        self.sketch = None if sketch is None else sketches.distinct_of(sketch)

    @property
    def distinct(self) -> int:
        """How many different values, by estimate where `sketch` is there."""
        return len(self.kept) + (len(self.others) if self.sketch is None else round(self.sketch.get_estimate()))

    @property
    def distinct_at_most(self) -> int:
        """How many different values there are at most, as far as that is sure."""
        if self.sketch is None:
            return len(self.kept) + len(self.others)
        return len(self.kept) + int(self.sketch.get_upper_bound(sketches.DEVIATIONS)) + 1

    def refuse_collections(self, keys: Iterable[Key]) -> None:
        """Raise TypeError where a list or mapping is among them."""
        if any(isinstance(key, str) and key.startswith(_COLLECTION) for key in keys):
            raise TypeError("lists and mappings can't be compared with a set")

    def counts(self) -> Mapping[Key, int]:
        """All values with how often they came. Raise Undecided when there were too many."""
        if self.sketch is not None:
            raise Undecided(f"there were more than {self.limit} different values")
        return {**self.kept, **self.others}


@dataclass(slots=True)
class Ranks:
    """The values themselves, for quantiles; beyond `limit` a sketch of them."""

    limit: int = EXACT
    values: list[float] = field(default_factory=list)
    sketch: Any = None

    def extend(self, rows: int, present: Sequence[Any]) -> None:  # noqa: ARG002 - nulls do not count
        for value in present:
            if not isinstance(value, int | float | Decimal):
                raise TypeError(f"{type(value).__name__} is no number")
        self._add(map(float, present))

    def merge(self, other: Ranks) -> None:
        if other.sketch is not None:
            if self.sketch is None:
                self.sketch = sketches.ranked()
            self.sketch.merge(other.sketch)
        self._add(other.values)

    def _add(self, values: Iterable[float]) -> None:
        self.values += values
        if self.sketch is not None or len(self.values) > self.limit:
            new = sketches.ranked(self.values)
            self.values = []
            if self.sketch is None:
                self.sketch = new
            else:
                self.sketch.merge(new)

    def packed(self) -> Any:
        return [self.values, None if self.sketch is None else self.sketch.serialize()]

    def unpack(self, data: Any) -> None:
        self.values, sketch = list(data[0]), data[1]
        self.sketch = None if sketch is None else sketches.ranked_of(sketch)

    def median(self) -> float | None:
        """The middle, between the two in the middle of an even number."""
        if self.sketch is not None:
            return float(self.sketch.get_quantile(0.5, True))
        values = sorted(self.values)
        middle = len(values) // 2
        if not values:
            return None
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2

    def nearest(self, share: float) -> float | None:
        """The value nearest to a quantile; half way the one with the even place, as numpy rounds."""
        if self.sketch is not None:
            return float(self.sketch.get_quantile(share, True))
        values = sorted(self.values)
        return values[round(share * (len(values) - 1))] if values else None


@dataclass(slots=True)
class Steps:
    """Values in the order of their source partition: how many were not beyond the one before.

    Each partition has an order of its own, in which all changes of a key are. What is merged must have come later.
    """

    in_order: Callable[[Any, Any], bool]
    partition: int = 0
    #: By partition: count, wrong, first and last value.
    runs: dict[int, list[Any]] = field(default_factory=dict)

    def extend(self, rows: int, present: Sequence[Any]) -> None:  # noqa: ARG002 - nulls do not count
        if not present:
            return
        wrong = sum(self._wrong(was, now) for was, now in pairwise(present))
        ends = [float(one) if isinstance(one, Decimal) else one for one in (present[0], present[-1])]
        self._join(self.partition, [len(present), wrong, *ends])

    def merge(self, other: Steps) -> None:
        for partition, run in other.runs.items():
            self._join(partition, run)

    def _join(self, partition: int, run: list[Any]) -> None:
        known = self.runs.get(partition)
        if known is None:
            self.runs[partition] = list(run)
        else:
            known[0] += run[0]
            known[1] += run[1] + self._wrong(known[3], run[2])
            known[3] = run[3]

    def _wrong(self, was: Any, now: Any) -> bool:
        step = now - was
        return step == step and not self.in_order(step, 0)  # between equal infinities there is no step

    def packed(self) -> Any:
        return [[partition, *run[:2], *map(_sendable, run[2:])] for partition, run in self.runs.items()]

    def unpack(self, data: Any) -> None:
        self.runs = {run[0]: [*run[1:3], *map(_sent, run[3:])] for run in data}

    @property
    def count(self) -> int:
        return sum(int(run[0]) for run in self.runs.values())

    @property
    def wrong(self) -> int:
        return sum(int(run[1]) for run in self.runs.values())


def _sendable(value: Any) -> Any:
    """A value as a message carries it: greater numbers than it takes as text, in a list."""
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return [str(value)]
    return value


def _sent(value: Any) -> Any:
    return int(value[0]) if isinstance(value, list) else value

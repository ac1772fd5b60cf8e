"""The windows of one table as they fill and close, and its breaker: all as data, decided by messages alone.

Tallies of batches come in from every source partition. What is not committed yet may come again, cut another way: a
message that begins at an offset replaces all that was known from there on, and only what lies below the committed
offset is merged for good. So after a crash or a rebalance each row is in its window once.

A window closes when the clock of every partition that is not idle has passed its end and the grace. Where all are idle,
the time of day does. The time of day comes in messages too, so the same messages give the same results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from models import Kind, Tallied, WindowPart, WindowResult
from parrot_faust.quality.rules import Breaker, RuleSet, Window
from parrot_faust.quality.tripping import Bucket, Trip, count
from parrot_faust.quality.window_verdicts import History, OpenWindow, merged, verdict_of

#: A partition from which nothing came for so long does not hold windows open; it may have nothing to send.
IDLE_MS = 10_000
#: Windows without a row that are judged in a row, before a time in which nothing ran is skipped.
GAP = 10
#: Messages of other rules than those in force that are kept until the others are known here as well.
WAITING = 100


@dataclass(slots=True)
class Outcome:
    """What came of messages."""

    results: list[WindowResult] = field(default_factory=list)
    #: Tables whose breaker has tripped.
    trips: list[tuple[str, Trip]] = field(default_factory=list)
    #: What is worth a line in the log.
    notes: list[str] = field(default_factory=list)


class _Source(msgspec.Struct, array_like=True):
    """A source partition. All below `base` is committed and merged; `high` is the last offset that ever came."""

    generation: int = -1
    base: int = 0
    high: int = -1
    time_ms: int = -1
    heard_ms: int = -1


class _Pending(msgspec.Struct, array_like=True):
    """The parts of a message that may come again."""

    partition: int
    first: int
    last: int
    windows: str
    parts: list[WindowPart]


class _Kept(msgspec.Struct, array_like=True):
    """The state as it is kept: see `TableWindows`."""

    seen: int = -1
    now_ms: int = -1
    began_ms: int = -1
    windows: str = ""
    partitions: int = 1
    sources: dict[int, _Source] = msgspec.field(default_factory=dict)
    pending: list[_Pending] = msgspec.field(default_factory=list)
    open: list[tuple[int, int, OpenWindow]] = msgspec.field(default_factory=list)
    nexts: dict[int, int] = msgspec.field(default_factory=dict)
    closed: list[int] = msgspec.field(default_factory=list)
    fresh_ms: dict[int, int] = msgspec.field(default_factory=dict)
    late: dict[int, int] = msgspec.field(default_factory=dict)
    usual: dict[str, list[int]] = msgspec.field(default_factory=dict)
    shape: str = ""
    kinds: dict[str, Kind] = msgspec.field(default_factory=dict)
    buckets: list[Bucket] = msgspec.field(default_factory=list)
    generation: int = -1


_decoder = msgspec.msgpack.Decoder(_Kept)


class TableWindows:
    """The state of one table, as far as one place knows it."""

    def __init__(self, table: str, data: bytes | None = None) -> None:
        self.table = table
        self._kept = _decoder.decode(data) if data else _Kept()
        self._open: dict[tuple[int, int], OpenWindow] = {(window, start): one for window, start, one in self._kept.open}

    def packed(self) -> bytes:
        """The whole state as one message."""
        self._kept.open = [(window, start, one) for (window, start), one in sorted(self._open.items())]
        return msgspec.msgpack.encode(self._kept)

    @property
    def seen(self) -> int:
        """The place of the last message that was taken in."""
        return self._kept.seen

    # -- messages ----------------------------------------------------------------------------------------------------

    def take(self, message: Tallied, at: int, rules: RuleSet | None, outcome: Outcome) -> None:
        """Take in the message at place `at` of the topic, once; what comes of it is added to `outcome`."""
        kept = self._kept
        if at <= kept.seen:
            return
        kept.seen = at
        kept.now_ms = max(kept.now_ms, message.at_ms)
        if kept.began_ms < 0:
            kept.began_ms = kept.now_ms
        if message.generation > kept.generation:
            kept.generation = message.generation
            for source in kept.sources.values():  # whoever reads them from now on may have much to catch up with
                source.heard_ms = kept.now_ms
        windows = rules.windows if rules else ()
        version = rules.windows_version if rules else ""
        if kept.windows != version:
            self._begin_anew(version, outcome)
        if message.table:
            self._take_batch(message, windows, rules.breaker if rules else None, outcome)
            if rules and message.shape:
                self._take_shape(message, rules, at, outcome)
        if rules:
            self._close(rules, at, outcome)

    def _begin_anew(self, version: str, outcome: Outcome) -> None:
        kept = self._kept
        if kept.windows and (self._open or any(one.windows == kept.windows for one in kept.pending)):
            outcome.notes.append(f"windows of {self.table} begin anew: their rules are others now")
        kept.pending = [one for one in kept.pending if one.windows != kept.windows]
        kept.windows, self._open = version, {}
        kept.nexts, kept.closed, kept.fresh_ms, kept.late, kept.usual = {}, [], {}, {}, {}
        for one in kept.pending:
            for part in one.parts:
                self._await(part)

    def _take_batch(
        self, message: Tallied, windows: tuple[Window, ...], breaker: Breaker | None, outcome: Outcome
    ) -> None:
        kept = self._kept
        source = kept.sources.setdefault(message.partition, _Source())
        if message.generation < source.generation:
            return  # of a worker that was frozen and has lost the partition since
        source.generation = message.generation
        kept.kinds |= message.kinds
        kept.partitions = max(kept.partitions, message.partitions, message.partition + 1)
        if message.first < source.base:  # offsets were set back, or the topic was made anew
            outcome.notes.append(f"{self.table}[{message.partition}] is read again from offset {message.first}")
            source.base, source.high, source.time_ms = message.first, message.first - 1, -1
        kept.pending = [one for one in kept.pending if one.partition != message.partition or one.first < message.first]
        self._settle(message.partition, max(source.base, message.committed), windows)
        again = message.last <= source.high
        if breaker is not None and message.first > source.high and message.checked:
            kept.buckets, trip = count(kept.buckets, message, breaker, kept.now_ms)
            outcome.trips += [(self.table, trip)] if trip else []
        parts = []
        for part in message.parts:
            if message.windows == kept.windows and not self._await(part):
                if not again:
                    kept.late[part.window] = kept.late.get(part.window, 0) + part.rows
                continue
            parts.append(part)
        if parts:
            kept.pending.append(_Pending(message.partition, message.first, message.last, message.windows, parts))
            foreign = [one for one in kept.pending if one.windows != kept.windows]
            if len(foreign) > WAITING:
                kept.pending.remove(foreign[0])
                outcome.notes.append(f"rows of {self.table} are left out of windows: no rules here are those they name")
        source.high = max(source.high, message.last)
        source.heard_ms = kept.now_ms
        source.time_ms = max(source.time_ms, min(message.newest_ms, message.at_ms))

    def _await(self, part: WindowPart) -> bool:
        """Whether a part's window is still to be closed."""
        nexts, window = self._kept.nexts, part.window
        if window not in nexts or (window not in self._kept.closed and part.start_ms < nexts[window]):
            nexts[window] = part.start_ms
        return part.start_ms >= nexts[window]

    def _settle(self, partition: int, base: int, windows: tuple[Window, ...]) -> None:
        """Merge for good what lies below the committed offset."""
        kept = self._kept
        source = kept.sources[partition]
        if base <= source.base:
            return
        source.base = base
        ready = [
            one
            for one in kept.pending
            if one.partition == partition and one.last < base and one.windows == kept.windows
        ]
        self._merge(ready, windows)

    def _merge(self, ready: Sequence[_Pending], windows: tuple[Window, ...]) -> None:
        """Merge parts into their windows, each window's at once."""
        found: dict[tuple[int, int], list[WindowPart]] = {}
        for pending in sorted(ready, key=lambda one: (one.partition, one.first)):
            self._kept.pending.remove(pending)
            for part in pending.parts:
                found.setdefault((part.window, part.start_ms), []).append(part)
        for key, parts in found.items():
            window = windows[key[0]]
            self._open[key] = merged(self._open.get(key), parts, window.rules, window.exact)

    def merge_all(self, rules: RuleSet | None) -> None:
        """Merge what may come again too, so that less is kept: rows that do come again then count twice."""
        if rules and rules.windows_version == self._kept.windows:
            self._merge([one for one in self._kept.pending if one.windows == self._kept.windows], rules.windows)

    # -- closing -----------------------------------------------------------------------------------------------------

    def _watermark(self) -> int:
        """Up to when all rows have come, as far as is known."""
        kept = self._kept
        unheard = _Source(heard_ms=kept.began_ms)
        sources = [kept.sources.get(partition, unheard) for partition in range(kept.partitions)]
        active = [one.time_ms for one in sources if kept.now_ms - one.heard_ms < IDLE_MS]
        return min(active) if active else kept.now_ms

    def _close(self, rules: RuleSet, at: int, outcome: Outcome) -> None:
        kept, mark = self._kept, self._watermark()
        for number, window in enumerate(rules.windows):
            start = kept.nexts.setdefault(number, kept.now_ms - kept.now_ms % window.every_ms)
            while start + window.every_ms + window.grace_ms <= mark:
                start = self._skip(number, window, start, mark)
                if start + window.every_ms + window.grace_ms <= mark:
                    outcome.results += self._judged(rules, number, window, start, at)
                    start += window.every_ms
                    if number not in kept.closed:
                        kept.closed.append(number)
                kept.nexts[number] = start

    def _skip(self, number: int, window: Window, start: int, mark: int) -> int:
        """The window to close next: those of a long time without a row are left out."""
        every = window.every_ms
        near = mark - window.grace_ms - GAP * every
        near -= near % every
        if start >= near:
            return start
        filled = [begin for (which, begin) in self._open if which == number]
        filled += [part.start_ms for _, part in self._waiting() if part.window == number]
        return max(start, min([near, *filled]))

    def _waiting(self) -> Iterator[tuple[_Pending, WindowPart]]:
        for one in sorted(self._kept.pending, key=lambda one: (one.partition, one.first)):
            if one.windows == self._kept.windows:
                for part in one.parts:
                    yield one, part

    def _judged(self, rules: RuleSet, number: int, window: Window, start: int, at: int) -> list[WindowResult]:
        kept = self._kept
        filled = self._open.pop((number, start), None)
        waiting = [one for one in self._waiting() if (one[1].window, one[1].start_ms) == (number, start)]
        if waiting:
            filled = merged(filled, [part for _, part in waiting], window.rules, window.exact)
        for pending, part in waiting:
            pending.parts.remove(part)
        kept.pending = [one for one in kept.pending if one.parts]
        if filled is not None:
            kept.fresh_ms[number] = max(kept.fresh_ms.get(number, -1), filled.newest_ms)
        late = kept.late.pop(number, 0)
        end = start + window.every_ms
        results = []
        for position, rule in enumerate(window.rules):
            history = History(kept.fresh_ms.get(number, -1), kept.began_ms, end, kept.usual)
            verdict = verdict_of(rule, position, window.exact, filled, kept.kinds.get(rule.column), history)
            if verdict is None:
                continue
            results.append(
                WindowResult(
                    self.table, rule.id, rules.version, rule.severity.value, start, end, verdict.success,
                    verdict.observed, rule.kwargs, rule.mostly, filled.rows if filled else 0, late, verdict.reason, at,
                )
            )  # fmt: skip
        return results

    # -- the table's shape, and the breaker --------------------------------------------------------------------------

    def _take_shape(self, message: Tallied, rules: RuleSet, at: int, outcome: Outcome) -> None:
        """What rules say of a shape, once for a shape and a version of the rules, whoever says it."""
        name = f"{message.fingerprint}/{rules.version}"
        if self._kept.shape == name:
            return
        self._kept.shape = name
        known = {rule.id: rule for rule in rules.shape}
        for said in message.shape:
            if (rule := known.get(said.rule)) is not None:
                now = self._kept.now_ms
                outcome.results.append(
                    WindowResult(
                        self.table, rule.id, rules.version, rule.severity.value, now, now, said.success, said.observed,
                        rule.kwargs, at=at,
                    )
                )  # fmt: skip

"""Rules over windows, tried on changes that have been: as the worker judges them, within a bound of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from models import Change, Kind, TableSchema
from parrot_faust.quality.folding import Fold
from parrot_faust.quality.rules import Rule, RuleSet
from parrot_faust.quality.window_verdicts import History, OpenWindow, merged, verdict_of

MOST_VALUES = 1_000_000  # different values that the tallies of all windows hold together: some 100 MB
LONGEST_GAP = 10  # windows without a row before the next one that are judged, as workers do after a long pause


class Windowed(NamedTuple):
    """How many windows failed a rule, of how many, and why it can't be judged at all."""

    failed: int
    of: int
    suspended: str = ""


class WindowTrial:
    """The windows of a rule set. Partitions may be read one after another: windows stay open to the end."""

    def __init__(self, rules: RuleSet, masked: frozenset[str], secret: bytes) -> None:
        self._rules, self._masked, self._secret = rules, masked, secret
        self._folds: dict[str, Fold] = {}
        self._open: list[dict[int, OpenWindow]] = [{} for _ in rules.windows]
        self._sizes: dict[tuple[int, int], int] = {}
        self._held = 0
        self._kinds: dict[str, Kind] = {}
        self._unfit: dict[str, str] = {}
        #: Windows before this were forgotten, by the number of their kind.
        self._floor = [-1] * len(rules.windows)
        self.left_out = 0

    def take(self, schema: TableSchema, changes: Sequence[Change], times: Sequence[int], partition: int) -> None:
        """Add changes of one partition, which come in its order."""
        if not self._rules.windows:
            return
        fold = self._folds.get(schema.fingerprint)
        if fold is None:
            fold = self._folds[schema.fingerprint] = Fold(self._rules, schema, self._masked, self._secret)
            self._kinds = {column.name: column.kind for column in schema.columns}
            self._unfit = {rule.id: reason for rule, reason in fold.suspended}
        for part in fold.take(changes, times, partition):
            if part.start_ms <= self._floor[part.window]:
                continue
            window, windows = self._rules.windows[part.window], self._open[part.window]
            filled = merged(windows.get(part.start_ms), (part,), window.rules, window.exact)
            windows[part.start_ms] = filled
            place, size = (part.window, part.start_ms), _size(filled.tallies)
            self._held += size - self._sizes.get(place, 0)
            self._sizes[place] = size
        while self._held > MOST_VALUES and len(self._sizes) > 1:
            self._forget(min(self._sizes, key=lambda place: place[1]))

    def verdicts(self, now_ms: int, cut_ms: int) -> Iterator[tuple[Rule, Windowed]]:
        """By rule, in the set's order."""
        for number, window in enumerate(self._rules.windows):
            windows = self._open[number]
            cut = max(cut_ms, self._floor[number] + 1)
            starts = [start for start in sorted(windows) if start >= cut]
            judged = [s for s in _between(starts, window.every_ms) if s + window.every_ms + window.grace_ms <= now_ms]
            began = starts[0] if starts else 0
            for position, rule in enumerate(window.rules):
                usual: dict[str, list[int]] = {}
                newest, failed, of = -1, 0, 0
                for start in judged:
                    filled = windows.get(start)
                    newest = max(newest, filled.newest_ms if filled else -1)
                    history = History(newest, began, start + window.every_ms, usual)
                    kind = self._kinds.get(rule.column)
                    verdict = verdict_of(rule, position, window.exact, filled, kind, history)
                    of += verdict is not None
                    failed += verdict is not None and not verdict.success
                yield rule, Windowed(failed, of, self._unfit.get(rule.id, ""))

    def _forget(self, place: tuple[int, int]) -> None:
        number, start = place
        del self._open[number][start]
        self._held -= self._sizes.pop(place)
        self._floor[number] = max(self._floor[number], start)
        self.left_out += 1


def _between(starts: Sequence[int], every_ms: int) -> Iterator[int]:
    """All windows from the first to the last, of a long time without rows only the end."""
    for number, start in enumerate(starts):
        if number:
            before = starts[number - 1] + every_ms
            yield from range(max(before, start - LONGEST_GAP * every_ms), start, every_ms)
        yield start


def _size(packed: Any) -> int:
    """How many values a packed tally holds."""
    if isinstance(packed, list):
        return 1 + sum(map(_size, packed))
    return 1 if not isinstance(packed, bytes) else 1 + len(packed) // 32

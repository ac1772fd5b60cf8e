"""All workers of an app, as far as this one has heard of them: their newest snapshots, and how things went. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parrot_faust.web.merging import merged
from parrot_faust.web.rings import FINE_S, Series

SILENT_S = 12.0  # an idle worker says something every 5 s: one that missed two is not well
GONE_S = 60.0  # and one that has said nothing for a minute is no longer shown
LATE_S = 5.0  # what waits for a store for less is on its way

CLOCK_SET_BACK_MS = 60_000  # a snapshot that is older by less comes late; by more, its clock was set

#: The series of all tables together.
ALL = ""


@dataclass(slots=True)
class Heard:
    """A worker's newest snapshot, and when it came by this worker's clock."""

    view: Mapping[str, Any]
    at: float


class Fleet:
    """Takes snapshots as they come. `now` returns seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._heard: dict[str, Heard] = {}
        self._series: dict[tuple[str, str], Series] = {}
        self._behind: dict[tuple[str, str], float] = {}

    # -- taking in ---------------------------------------------------------------------------------------------------

    def take(self, worker: str, view: Mapping[str, Any], heard: float | None = None) -> None:
        """Take a worker's snapshot, which was heard now or, when it is read from the past, then."""
        before = self._heard.get(worker)
        at = view["at_ms"] / 1000
        if before is not None:
            if 0 < before.view["at_ms"] - view["at_ms"] < CLOCK_SET_BACK_MS:
                return
            self._note(before.view, view, at)
        self._heard[worker] = Heard(view, self._now() if heard is None else heard)

    def drop(self, worker: str) -> None:
        """Forget a worker that has ended."""
        self._heard.pop(worker, None)

    def _note(self, before: Mapping[str, Any], view: Mapping[str, Any], at: float) -> None:
        """Add to the histories what a worker has done since its snapshot before."""
        for table, counts in view["sources"].items():
            known = before["sources"].get(table)
            if counts == known:
                continue
            known = known or {}
            self._count("captured", table, at, counts["captured"] - known.get("captured", 0))
            self._count("quarantined", table, at, counts["quarantined"] - known.get("quarantined", 0))
        for name, sink in view["sinks"].items():
            tables = before["sinks"].get(name, {}).get("tables", {})
            for table, counts in sink["tables"].items():
                if counts == tables.get(table) or not counts.get("late_ms"):
                    continue
                for of in (table, ALL):
                    self._serie(f"late {name}", of, sums=False).put(at, counts["late_ms"] / 1000)

    def _count(self, name: str, table: str, at: float, amount: int) -> None:
        if amount > 0:
            for of in (table, ALL):
                self._serie(name, of, sums=True).put(at, amount)

    def _serie(self, name: str, table: str, *, sums: bool) -> Series:
        series = self._series.get((name, table))
        if series is None:
            series = self._series[name, table] = Series(sums=sums)
        return series

    # -- how things are ----------------------------------------------------------------------------------------------

    def view(self) -> dict[str, Any]:
        """All workers as one, each of them, and since when which table is behind in which store."""
        now = self._now()
        for worker in [name for name, each in self._heard.items() if now - each.at > GONE_S]:
            del self._heard[worker]
        whole = merged(each.view for each in self._heard.values())
        self._mark(whole, now)
        whole["behind"] = {}
        for (sink, table), since in self._behind.items():
            if now - since > LATE_S:
                whole["behind"].setdefault(table, {})[sink] = since
                self._serie(f"late {sink}", table, sums=False).put(now, now - since)
        whole["workers"] = {name: dict(each.view) for name, each in sorted(self._heard.items())}
        whole["silent"] = {name: now - each.at for name, each in self._heard.items() if now - each.at > SILENT_S}
        whole["at"] = now
        return whole

    def _mark(self, whole: Mapping[str, Any], now: float) -> None:
        """Remember since when a store lacks changes of a table.

        Only a store with chunks waiting can: a table may go to some stores only, and counters of a worker that has
        ended are gone.
        """
        lacking = set()
        for name, sink in whole["sinks"].items():
            if sink["state"] == "ok" and not sink["lag_chunks"]:
                continue
            for table, counts in whole["sources"].items():
                written = sink["tables"].get(table, {})
                if written.get("applied", 0) + written.get("dead_lettered", 0) < counts["forwarded"]:
                    lacking.add((name, table))
        self._behind = {each: self._behind.get(each, now) for each in lacking}

    # -- how things went ---------------------------------------------------------------------------------------------

    def rate(self, table: str = ALL) -> float:
        """Changes a second, of the last ten seconds."""
        series = self._series.get(("captured", table))
        return series.rate(self._now()) if series else 0.0

    def recent(self, name: str, table: str = ALL) -> float:
        """What was counted in the last quarter of an hour."""
        series = self._series.get((name, table))
        return series.recent(self._now()) if series else 0.0

    def minutes(self, name: str, table: str = ALL) -> list[float]:
        """What was counted in each of the last 15 minutes, oldest first; empty when nothing was ever counted."""
        series = self._series.get((name, table))
        return series.minutes(self._now()) if series else []

    def history(self, name: str, table: str = ALL, step: int = FINE_S) -> list[float | None]:
        """A series in steps of 5 s or 2 min, oldest first; empty when nothing was ever noted."""
        series = self._series.get((name, table))
        return series.read(self._now(), step) if series else []

"""What a worker has done, counted once for every source offset, however often it was delivered.

Counting is a batch at a time. Each source partition has a watermark, the last offset that was counted; a batch above
it costs one addition an outcome, a batch that reaches below it (read again after a rebalance) is counted by offset.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from models import ChunkHeader, Fate
from parrot_faust.delivery.histogram import ROWS, SECONDS, Histogram

SCHEMA_CHANGES_KEPT = 200  # for the web view: the history is in the schema table


class Outcome(StrEnum):
    """What became of a change in the agent `changes`. WARNED and MENDED are counted beside: the change goes on, the
    latter with another value in the place of a bad one.
    """

    FORWARDED = "forwarded"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"
    DEAD_LETTERED = "dead_lettered"
    WARNED = "warned"
    MENDED = "mended"
    SKIPPED = "skipped"


#: Said of changes that are also forwarded.
BESIDE = (Outcome.WARNED, Outcome.MENDED)


class Latency:
    """A histogram of milliseconds in buckets that grow by a tenth: quantiles are within 5 %, shown to a tenth of a
    millisecond, and memory is constant.
    """

    GROWTH = math.log(1.1)

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[int, int] = defaultdict(int)

    def add(self, milliseconds: float, weight: int = 1) -> None:
        """Count a measurement `weight` times. Below 0.1 ms all is one, also what is negative by a clock's error."""
        self._buckets[round(math.log(max(milliseconds, 0.1)) / self.GROWTH)] += weight
        self.count += weight

    def quantile(self, share: float) -> float:
        """The value below which `share` of the measurements lie, 0 when there are none."""
        wanted, seen = share * self.count, 0
        for bucket, count in sorted(self._buckets.items()):
            seen += count
            if seen >= wanted:
                return round(math.exp(bucket * self.GROWTH), 1)
        return 0.0


@dataclass(slots=True)
class _Sink:
    applied: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    dead: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    newest_us: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    late_us: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    visible: Latency = field(default_factory=Latency)
    visible_s: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    state: str = "ok"
    error: str = ""
    since_ms: int = 0
    restarts: int = 0


class Stats:
    """The counters of one worker. Belongs to its event loop. `now` returns seconds since the epoch."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._watermarks: dict[tuple[str, ...], int] = {}
        self._sources: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._stopped: dict[tuple[str, int], dict[str, Any]] = {}
        self._rules: dict[tuple[str, str, str], int] = defaultdict(int)
        self._sinks: dict[str, _Sink] = defaultdict(_Sink)
        self._agents: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._batch_s: dict[str, Histogram] = defaultdict(lambda: Histogram(SECONDS))
        self._batch_rows: dict[str, Histogram] = defaultdict(lambda: Histogram(ROWS))
        self._checked: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])
        self._schema_counts: dict[tuple[str, str, str], int] = defaultdict(int)
        self._redriven: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._sinks_redriven: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: {"applied": 0, "failed": 0})
        self._schema_changes: deque[dict[str, Any]] = deque(maxlen=SCHEMA_CHANGES_KEPT)

    # -- the agent `changes` -----------------------------------------------------------------------------------------

    def rule_failed(self, table: str, rule: str, version: str, partition: int, offset: int) -> None:
        """Count a failed rule. Comes before the `source_batch` of the batch that the offset belongs to.

        A batch may be checked again before it is settled, so each rule has a watermark of its own besides.
        """
        mark = ("rule", table, str(partition), rule)
        watermark = self._watermarks.get(mark, -1)
        if offset > max(watermark, self._watermarks.get(("source", table, str(partition)), -1)):
            self._rules[table, rule, version] += 1
        self._watermarks[mark] = max(watermark, offset)

    def checked(self, table: str, rows: int, seconds: float) -> None:
        """Add what checking a batch's rows against the rules has cost."""
        entry = self._checked[table]
        entry[0] += rows
        entry[1] += seconds

    def partition_stopped(self, table: str, partition: int, offset: int, rules: Sequence[str], version: str) -> None:
        """Note that a rule stopped a partition before an offset."""
        self._stopped[table, partition] = {
            "table": table,
            "partition": partition,
            "offset": offset,
            "rules": list(rules),
            "version": version,
            "since_ms": self._now_ms(),
        }

    def partition_goes_on(self, table: str, partition: int) -> None:
        """Note that a partition that was stopped goes on."""
        self._stopped.pop((table, partition), None)

    def source_batch(
        self,
        topic: str,
        partition: int,
        captured: Sequence[int],
        tombstones: Sequence[int],
        outcomes: Mapping[Outcome, Sequence[int]],
    ) -> None:
        """Count a settled batch: the offsets of its records in order, and what became of them.

        Offsets that are neither tombstones nor among the outcomes carried no row.
        """
        if not captured:
            return
        mark = ("source", topic, str(partition))
        watermark = self._watermarks.get(mark, -1)
        counts = self._sources[topic]
        new = _above(captured, watermark)
        counts["captured"] += new
        known = _above(tombstones, watermark)
        counts["tombstones"] += known
        for outcome, offsets in outcomes.items():
            count = _above(sorted(offsets), watermark)
            counts[outcome.value] += count
            known += count if outcome not in BESIDE else 0
        counts[Outcome.SKIPPED.value] += new - known
        self._watermarks[mark] = max(watermark, captured[-1])

    def redriven(self, topic: str, fate: Fate) -> None:
        """Count a dead letter that was sent again, beside what was counted when it first came."""
        self._redriven[topic][fate.value] += 1

    # -- the writers -------------------------------------------------------------------------------------------------

    def sink_chunk(
        self, sink: str, header: ChunkHeader, failed: Sequence[int], row_offsets: Callable[[], Sequence[int]]
    ) -> None:
        """Count a chunk whose rows are applied but for the offsets in `failed`.

        `row_offsets` returns the offsets of its rows; it is asked only when part of the chunk was counted before.
        """
        mark = (sink, header.table, str(header.partition))
        watermark = self._watermarks.get(mark, -1)
        counters = self._sinks[sink]
        if header.first_offset > watermark:
            rows, dead = header.rows, len(failed)
        elif header.last_offset <= watermark:
            rows, dead = 0, 0
        else:
            rows, dead = _above(row_offsets(), watermark), _above(sorted(failed), watermark)
        counters.applied[header.table] += rows - dead
        counters.dead[header.table] += dead
        self._watermarks[mark] = max(watermark, header.last_offset)
        if header.newest_us and rows:
            now_us = self._now() * 1e6
            for time_us in (header.oldest_us, header.newest_us):
                counters.visible.add((now_us - time_us) / 1e3, max(1, rows // 2))
                counters.visible_s.add((now_us - time_us) / 1e6, max(1, rows // 2))
            counters.newest_us[header.table] = max(counters.newest_us[header.table], header.newest_us)
            counters.late_us[header.table] = max(0, int(now_us) - header.oldest_us)

    def sink_redriven(self, sink: str, table: str, applied: int, failed: int) -> None:
        """Count a chunk of dead letters that were sent again, apart from the rows that came in their time."""
        counts = self._sinks_redriven[sink, table]
        counts["applied"] += applied
        counts["failed"] += failed

    def sink_ok(self, sink: str, restarts: int) -> None:
        """Note that the store has answered."""
        counters = self._sinks[sink]
        counters.restarts = restarts
        if counters.state != "ok":
            counters.state, counters.error, counters.since_ms = "ok", "", self._now_ms()

    def sink_retrying(self, sink: str, error: str, restarts: int) -> None:
        """Note that the store does not answer."""
        counters = self._sinks[sink]
        counters.restarts, counters.error = restarts, error
        if counters.state != "retrying":
            counters.state, counters.since_ms = "retrying", self._now_ms()

    def sink_failed(self, sink: str) -> bool:
        """Whether a store does not answer, by what was noted last."""
        return sink in self._sinks and self._sinks[sink].state != "ok"

    # -- both --------------------------------------------------------------------------------------------------------

    def agent_step(self, agent: str, changes: int, **milliseconds: float) -> None:
        """Add a batch's changes and the time of its steps."""
        counters = self._agents[agent]
        counters["batches"] += 1
        counters["changes"] += changes
        for step, value in milliseconds.items():
            counters[step] += value
        self._batch_s[agent].add(sum(milliseconds.values()) / 1e3)
        self._batch_rows[agent].add(changes)

    def schema_change(self, table: str, change: str, sink: str, detail: str, seconds: float) -> None:
        """Note a schema change, at the source when `sink` is empty."""
        self._schema_counts[table, change, sink] += 1
        self._schema_changes.append(
            {
                "table": table,
                "change": change,
                "sink": sink,
                "detail": detail,
                "seconds": round(seconds, 3),
                "at_ms": self._now_ms(),
            }
        )

    def snapshot(self) -> dict[str, Any]:
        """Everything counted so far, as plain data for JSON."""
        names = ("captured", "tombstones", *(outcome.value for outcome in Outcome))
        return {
            "sources": {
                topic: {name: counts.get(name, 0) for name in names} for topic, counts in sorted(self._sources.items())
            },
            "stopped": [self._stopped[key] for key in sorted(self._stopped)],
            "rules": [
                {"table": table, "rule": rule, "version": version, "failed": failed}
                for (table, rule, version), failed in sorted(self._rules.items())
            ],
            "checked": {table: [int(rows), round(spent, 6)] for table, (rows, spent) in self._checked.items()},
            "sinks": {name: _sink_view(sink) for name, sink in self._sinks.items()},
            "redrive": {
                "sources": {topic: dict(counts) for topic, counts in sorted(self._redriven.items())},
                "sinks": [
                    {"sink": sink, "table": table, **counts}
                    for (sink, table), counts in sorted(self._sinks_redriven.items())
                ],
            },
            "schema_changes": list(self._schema_changes),
            "agents": {
                name: {step: round(value, 1) for step, value in counters.items()}
                for name, counters in self._agents.items()
            },
            "schema_counts": [
                {"table": table, "change": change, "sink": sink, "count": count}
                for (table, change, sink), count in sorted(self._schema_counts.items())
            ],
            "histograms": {
                "visible_s": {name: sink.visible_s.view() for name, sink in self._sinks.items()},
                "batch_s": {name: histogram.view() for name, histogram in self._batch_s.items()},
                "batch_rows": {name: histogram.view() for name, histogram in self._batch_rows.items()},
            },
        }

    def _now_ms(self) -> int:
        return int(self._now() * 1000)


def _sink_view(sink: _Sink) -> dict[str, Any]:
    return {
        "tables": {
            table: {
                "applied": sink.applied[table],
                "dead_lettered": sink.dead[table],
                "newest_us": sink.newest_us[table],
                "late_ms": round(sink.late_us[table] / 1e3, 1),  # commit to visible, in its last chunk
            }
            for table in sorted(sink.applied)
        },
        "visible_ms": {
            "p50": sink.visible.quantile(0.5),
            "p99": sink.visible.quantile(0.99),
            "count": sink.visible.count,
        },
        "state": sink.state,
        "error": sink.error,
        "since_ms": sink.since_ms,
        "restarts": sink.restarts,
    }


def _above(offsets: Sequence[int], watermark: int) -> int:
    """How many of the sorted offsets are greater than the watermark."""
    if not offsets or offsets[0] > watermark:
        return len(offsets)
    return len(offsets) - bisect_right(offsets, watermark)

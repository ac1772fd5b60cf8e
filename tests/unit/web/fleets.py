"""Snapshots of workers, as the web view has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models import ChunkHeader
from parrot_faust.delivery.stats import Outcome, Stats

NOW = 1_700_000_000.0


def captured(stats: Stats, topic: str, **outcomes: int) -> None:
    """Let `changes` settle a batch with so many changes of each outcome."""
    begin = stats.snapshot()["sources"].get(topic, {"captured": 0})["captured"]
    offsets: Iterator[int] = iter(range(begin, begin + 1_000_000))
    by = {Outcome(name): [next(offsets) for _ in range(count)] for name, count in outcomes.items()}
    stats.source_batch(topic, 0, sorted(offset for each in by.values() for offset in each), [], by)


def written(stats: Stats, sink: str, topic: str, rows: int, refused: int = 0, late_s: float = 0.4) -> None:
    """Let a writer apply a chunk."""
    tables = stats.snapshot()["sinks"].get(sink, {"tables": {}})["tables"]
    counts = tables.get(topic, {"applied": 0, "dead_lettered": 0})
    first = counts["applied"] + counts["dead_lettered"]
    at_us = int((NOW - late_s) * 1e6)
    header = ChunkHeader(topic, 0, first, first + rows - 1, 1, 1, at_us, rows, at_us)
    stats.sink_chunk(sink, header, range(first, first + refused), lambda: range(first, first + rows))


def view(stats: Stats, *, lag: int = 0, at: float = NOW, paused: str = "", **more: Any) -> dict[str, Any]:
    """What a worker with the stores kudu and hbase says of itself at a time. `paused` is one of them."""
    made = stats.snapshot()
    for sink in ("kudu", "hbase"):
        idle = {"tables": {}, "visible_ms": {"p50": 0.0, "p99": 0.0, "count": 0}, "state": "ok", "error": ""}
        made["sinks"].setdefault(sink, idle)["lag_chunks"] = lag
        if sink == paused:
            reason = "paused by <b>a person</b>"
            made["sinks"][sink] |= {"paused_ms": int((NOW - 90) * 1000), "paused_reason": reason, "stands": True}
    base = {
        "loop_lag_ms": {"max": 3.25, "own": 1.0, "recent": 2.0},
        "memory": 200e6,
        "cpu_s": 12.0,
        "uptime": 3725.0,
        "app": "unit",
        "worker": 4711,
        "version": "1.2",
        "host": "here",
        "port": 6066,
        "at_ms": int(at * 1000),
        "waiting": {},
        "partitions": {},
        "queues": {},
        "held_tables": {},
        "rebalances": 1,
        "rebalancing": False,
        "generation": 3,
    }
    return made | base | more

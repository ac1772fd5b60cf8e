"""How things are with this worker, as plain data."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING, Any

import psutil
from faust.exceptions import ConsumerNotStarted

from parrot_faust import __version__

if TYPE_CHECKING:
    from parrot_faust.parts import Parts


class Standing:
    """Reads what the parts of a worker have counted. Reading is all it does."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._process = psutil.Process()
        self._host = socket.gethostname()
        self.started = time.time()

    @property
    def identity(self) -> str:
        """What other workers call this one: a process number comes again, with another beginning."""
        return f"{self._host}/{os.getpid()}/{int(self.started * 1000)}"

    def snapshot(self) -> dict[str, Any]:
        """Counters, and what they do not tell: partitions, what waits, memory, the event loop."""
        parts = self._parts
        view = parts.stats.snapshot()
        for sink, process in parts.processes.items():
            entry = view["sinks"].setdefault(
                sink, {"tables": {}, "visible_ms": {"p50": 0.0, "p99": 0.0, "count": 0}, "state": "ok", "error": ""}
            )
            entry["pid"] = process.pid
            entry |= self._steered(sink, writing=process.writing)
            entry["lag_chunks"] = 0
        view |= self._assigned(view)
        now = time.time()
        view["loop_lag_ms"] = {
            "max": round(parts.loop.worst_ms, 1),
            "own": round(parts.loop.own_ms, 1),
            "recent": round(parts.loop.recent_ms, 1),
        }
        view["memory"] = self._process.memory_info().rss
        view["cpu_s"] = round(sum(self._process.cpu_times()[:2]), 1)
        view["uptime"], view["at_ms"] = round(now - self.started, 1), int(now * 1000)
        view["app"], view["worker"], view["version"] = parts.settings.app, os.getpid(), __version__
        view["host"], view["port"] = self._host, parts.settings.web.port
        view["topics"] = parts.sources
        view["traces"] = parts.traces.counts()
        view["held_tables"] = parts.schemas.held()
        view |= parts.windowing.view()
        return view

    def _steered(self, sink: str, *, writing: bool) -> dict[str, Any]:
        """Since when a sink is paused and why, whether its writer stands still, and whether it begins anew."""
        steering = self._parts.steering
        pause = steering.pause(sink)
        return {
            "paused_ms": pause.at_ms if pause else 0,
            "paused_reason": pause.reason if pause else "",
            "stands": pause is not None and not writing,
            "restarting": steering.restarting(sink),
        }

    def _assigned(self, view: dict[str, Any]) -> dict[str, Any]:
        """What the partitions say that this worker has: how many records wait, and which ones a rule has stopped."""
        parts, app = self._parts, self._parts.app
        waiting: dict[str, int] = {}
        partitions: dict[str, list[int]] = {}
        queues: dict[str, list[int]] = {}
        sources, writes = set(parts.sources), {parts.names.writes(sink): sink for sink in parts.processes}
        try:
            assigned = sorted(app.consumer.assignment())
        except ConsumerNotStarted:  # the page is there before the group is joined
            assigned = []
        for tp in assigned:
            sink = writes.get(tp.topic)
            if sink is None and tp.topic not in sources:
                continue
            partitions.setdefault(tp.topic, []).append(tp.partition)
            batches, size = app.consumer.ledger.outstanding(tp)
            if batches:
                queue = queues.setdefault(f"{sink}_writer" if sink else "changes", [0, 0])
                queue[0] += batches
                queue[1] += size
            reached = app.consumer.ledger.reached(tp)
            lag = max(0, (app.consumer.highwater(tp) or 0) - reached) if reached is not None else 0
            if lag and sink:
                view["sinks"][sink]["lag_chunks"] += lag
            elif lag:
                waiting[tp.topic] = waiting.get(tp.topic, 0) + lag
        return {
            "stopped": [one for one in view["stopped"] if one["partition"] in partitions.get(one["table"], ())],
            "waiting": waiting,
            "partitions": partitions,
            "queues": queues,
            "rebalances": app.rebalancing_count,
            "rebalancing": bool(app.rebalancing),
            "generation": app.consumer_generation_id,
        }

"""`/metrics`: a snapshot in Prometheus' text form, by its official client. Counting costs nothing here: a scrape reads.

Labels are bounded by what is configured: tables, sinks, agents, rules and the rule sets that were in force since the
worker has started. No value of a row is ever one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

#: One sample: the labels' values in the metric's order, and the value (a histogram's view for a histogram).
Sample = tuple[tuple[str, ...], Any]

#: What a captured record may come to, as the counters of a source topic name it.
OUTCOMES = ("forwarded", "quarantined", "dropped", "dead_lettered", "warned", "mended", "skipped", "tombstones")


#: What the spans of a traced batch may come to.
OUTCOMES_OF_TRACES = ("sent", "refused", "crowded")


@dataclass(frozen=True, slots=True)
class Meter:
    """A metric: `read` finds its samples in a snapshot. A counter's name has its `_total` in the output."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]
    read: Callable[[dict[str, Any]], Iterable[Sample]]

    def family(self, view: dict[str, Any]) -> Metric:
        """The metric with its samples, for Prometheus' client."""
        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.help, labels=self.labels)
            for labels, measured in self.read(view):
                bounds = [*(str(bound) for bound in measured["bounds"]), "+Inf"]
                buckets = list(zip(bounds, accumulate(measured["counts"]), strict=True))
                histogram.add_metric(labels, buckets, measured["sum"])
            return histogram
        plain = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = plain(self.name, self.help, labels=self.labels)
        for labels, value in self.read(view):
            family.add_metric(labels, value)
        return family


def _outcomes(view: dict[str, Any]) -> Iterator[Sample]:
    for table, counts in view["sources"].items():
        yield from (((table, name), counts[name]) for name in OUTCOMES)


def _of_source(name: str) -> Callable[[dict[str, Any]], Iterator[Sample]]:
    return lambda view: (((table,), counts[name]) for table, counts in view["sources"].items())


def _of_sink(read: Callable[[dict[str, Any]], float]) -> Callable[[dict[str, Any]], Iterator[Sample]]:
    return lambda view: (((name,), read(sink)) for name, sink in view["sinks"].items())


def _of_sink_table(name: str, scale: float = 1) -> Callable[[dict[str, Any]], Iterator[Sample]]:
    return lambda view: (
        ((sink, table), counts[name] * scale)
        for sink, state in view["sinks"].items()
        for table, counts in state["tables"].items()
    )


def _newest(view: dict[str, Any]) -> Iterator[Sample]:
    # Rows read by a snapshot have no commit time; a table that has only those has no newest change yet.
    return (sample for sample in _of_sink_table("newest_us", 1e-6)(view) if sample[1])


def _steps(view: dict[str, Any]) -> Iterator[Sample]:
    for agent, counters in view["agents"].items():
        for name, value in counters.items():
            if name.endswith("_ms"):
                yield (agent, name.removesuffix("_ms")), value / 1e3


def _rules(view: dict[str, Any]) -> Iterator[Sample]:
    return (((rule["table"], rule["rule"], rule["version"]), rule["failed"]) for rule in view["rules"])


def _stopped(view: dict[str, Any]) -> Iterator[Sample]:
    return (((one["table"], str(one["partition"])), 1) for one in view.get("stopped", ()))


def _paused(view: dict[str, Any]) -> Iterator[Sample]:
    return (((one["table"],), 1) for one in view.get("paused_tables", ()))


def _suspended(view: dict[str, Any]) -> Iterator[Sample]:
    return (((one["table"], one["rule"]), 1) for one in view.get("suspended_rules", ()))


def _windows(name: str) -> Callable[[dict[str, Any]], Iterator[Sample]]:
    return lambda view: (
        ((one["table"], one["rule"], one["version"]), one[name]) for one in view.get("windows", {}).get("counts", ())
    )


def _traces(view: dict[str, Any]) -> Iterator[Sample]:
    return (((name,), count) for name, count in view.get("traces", {}).items() if name in OUTCOMES_OF_TRACES)


def _schema_changes(view: dict[str, Any]) -> Iterator[Sample]:
    return (
        ((one["table"], one["change"], one["sink"] or "source"), one["count"]) for one in view.get("schema_counts", ())
    )


def _histogram(name: str) -> Callable[[dict[str, Any]], Iterator[Sample]]:
    return lambda view: (((label,), measured) for label, measured in view["histograms"][name].items())


METERS = (
    Meter("parrot_captured", "counter", "Records read from a source topic.", ("table",), _of_source("captured")),
    Meter("parrot_changes", "counter", "Records by what became of them.", ("table", "outcome"), _outcomes),
    Meter("parrot_rule_failures", "counter", "Rows that failed a rule.", ("table", "rule", "version"), _rules),
    Meter(
        "parrot_partition_stopped",
        "gauge",
        "1 for a partition that a rule with action fail has stopped.",
        ("table", "partition"),
        _stopped,
    ),
    Meter("parrot_table_paused", "gauge", "1 for a table that its circuit breaker has paused.", ("table",), _paused),
    Meter(
        "parrot_rule_suspended",
        "gauge",
        "1 for a rule that does not fit its table's present shape, so that nothing is checked by it.",
        ("table", "rule"),
        _suspended,
    ),
    Meter(
        "parrot_window_results",
        "counter",
        "Windows that a rule was judged by.",
        ("table", "rule", "version"),
        _windows("judged"),
    ),
    Meter(
        "parrot_window_failures",
        "counter",
        "Windows in which a rule did not hold.",
        ("table", "rule", "version"),
        _windows("failed"),
    ),
    Meter("parrot_applied", "counter", "Changes applied to a store.", ("sink", "table"), _of_sink_table("applied")),
    Meter(
        "parrot_sink_dead_letters",
        "counter",
        "Changes that a store refused.",
        ("sink", "table"),
        _of_sink_table("dead_lettered"),
    ),
    Meter(
        "parrot_sink_up", "gauge", "1 while a store answers.", ("sink",), _of_sink(lambda sink: sink["state"] == "ok")
    ),
    Meter(
        "parrot_sink_paused",
        "gauge",
        "1 while a person has paused a sink, in all workers.",
        ("sink",),
        _of_sink(lambda sink: bool(sink.get("paused_ms"))),
    ),
    Meter(
        "parrot_sink_waiting_chunks",
        "gauge",
        "Chunks that wait for a store, of the partitions this worker has.",
        ("sink",),
        _of_sink(lambda sink: sink.get("lag_chunks", 0)),
    ),
    Meter(
        "parrot_writer_restarts",
        "counter",
        "Deaths and hangs of a store's writer process.",
        ("sink",),
        _of_sink(lambda sink: sink.get("restarts", 0)),
    ),
    Meter(
        "parrot_newest_change_timestamp_seconds",
        "gauge",
        "Source commit time of the newest change in a store.",
        ("sink", "table"),
        _newest,
    ),
    Meter(
        "parrot_commit_to_visible_seconds",
        "histogram",
        "From commit at the source to visible in a store.",
        ("sink",),
        _histogram("visible_s"),
    ),
    Meter("parrot_batch_seconds", "histogram", "Time an agent takes for a batch.", ("agent",), _histogram("batch_s")),
    Meter("parrot_batch_changes", "histogram", "Changes in a batch.", ("agent",), _histogram("batch_rows")),
    Meter("parrot_agent_seconds", "counter", "Time of an agent by step.", ("agent", "step"), _steps),
    Meter(
        "parrot_schema_changes",
        "counter",
        "Schema changes, at the source and in the stores.",
        ("table", "change", "where"),
        _schema_changes,
    ),
    Meter(
        "parrot_event_loop_lag_seconds",
        "gauge",
        "The greatest lateness of the event loop by the worker's own doing.",
        (),
        lambda view: [((), view["loop_lag_ms"]["own"] / 1e3)],
    ),
    Meter(
        "parrot_traced_batches",
        "counter",
        "Traced batches: the collector has them (sent), did not take them (refused), too many waited (crowded).",
        ("outcome",),
        _traces,
    ),
    Meter(
        "parrot_worker_info",
        "gauge",
        "1, with the app and the version that run.",
        ("app", "version"),
        lambda view: [((str(view["app"]), view["version"]), 1)],
    ),
)


class _Worker(Collector):
    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        view = self._snapshot()
        for meter in METERS:
            yield meter.family(view)


class Metrics:
    """The registry of one worker: its own metrics, and the process' as every Python program has them."""

    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Worker(snapshot))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def page(self, accept: str) -> tuple[bytes, str]:
        """Text and content type, in the form that the caller accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

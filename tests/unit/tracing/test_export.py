"""Traces come to a collector as they are, and one that is away costs nothing but its traces, which are counted."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from collectors import Collector, attributes, collector
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from parrot_faust import __version__
from parrot_faust.checkup import Finding, Outcome, rounds
from parrot_faust.errors import SettingsError
from parrot_faust.settings import Settings, Sinks, Source, Tracing
from parrot_faust.tracing import OFF
from parrot_faust.tracing import export as module
from parrot_faust.tracing.export import CURE, EXPORTER, QUEUE, Exporting, traces_of, tried
from parrot_faust.tracing.spans import Spans

LOG = logging.getLogger("tests.traces")


class Run(NamedTuple):
    topic: str
    partition: int
    first: int
    last: int


RUN = Run("shop.public.orders", 3, 100, 199)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_S", 0.01)


@pytest.fixture
def there() -> Iterator[Collector]:
    with collector() as made:
        yield made


def exporting(url: str, **settings: Any) -> Exporting:
    made = traces_of(Tracing(endpoint=url, **settings), "shop", "host/1/2", LOG)
    assert isinstance(made, Exporting)
    return made


def eventually(check: Callable[[], Any]) -> None:
    until = time.monotonic() + 30
    while not check():
        assert time.monotonic() < until, "it never came"
        threading.Event().wait(0.01)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOG.name]


def test_a_batch_is_a_span_with_its_place_and_a_span_below_it_for_each_step(there: Collector) -> None:
    traces = exporting(there.url)
    began = time.time_ns()
    trail = traces.begin("changes", RUN)
    assert trail is not None
    trail.step("decode", 0.25)
    trail.hold()
    trail.step("check", 0.0)
    trail.attributes |= {"changes": 100, "quarantined": 2, "sources": ["a[0] 1..2"]}
    traces.end(trail)
    traces.close()

    assert there.paths == ["/v1/traces"]
    (batch,) = there.batches
    steps = {span.name: span for span in there.spans if span.parent_span_id}
    assert (batch.name, batch.kind, batch.status.code) == (
        "process shop.public.orders",
        Span.SPAN_KIND_CONSUMER,
        Status.STATUS_CODE_OK,
    )
    assert attributes(batch) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "shop.public.orders",
        "messaging.destination.partition.id": "3",
        "messaging.consumer.group.name": "shop",
        "parrot.agent": "changes",
        "parrot.first_offset": 100,
        "parrot.last_offset": 199,
        "parrot.changes": 100,
        "parrot.quarantined": 2,
        "parrot.sources": ["a[0] 1..2"],
    }
    assert list(steps) == ["decode", "held", "check"]
    assert {span.parent_span_id for span in steps.values()} == {batch.span_id}
    assert {span.trace_id for span in there.spans} == {batch.trace_id}
    assert len({span.span_id for span in there.spans}) == 4
    assert began <= batch.start_time_unix_nano <= batch.end_time_unix_nano <= time.time_ns()
    decode = steps["decode"]
    assert decode.end_time_unix_nano - decode.start_time_unix_nano == 250_000_000
    assert steps["held"].start_time_unix_nano <= steps["held"].end_time_unix_nano
    (resource,) = there.resources
    told = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert told | {"service.name": "shop", "service.version": __version__, "service.instance.id": "host/1/2"} == told


def test_a_batch_that_is_not_settled_is_an_error_with_the_reason(there: Collector) -> None:
    traces = exporting(there.url)
    traces.end(traces.begin("kudu_writer", RUN), "the partition was taken away")
    traces.close()
    (batch,) = there.batches
    assert (batch.status.code, batch.status.message) == (Status.STATUS_CODE_ERROR, "the partition was taken away")


def test_more_steps_than_a_trace_holds_are_counted(there: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parrot_faust.tracing.trail.MAX_STEPS", 3)
    traces = exporting(there.url)
    trail = traces.begin("changes", RUN)
    assert trail is not None
    for _ in range(5):
        trail.step("check", 0.0)
    traces.end(trail)
    traces.close()
    assert len(there.spans) == 4
    assert attributes(there.batches[0])["parrot.steps_left_out"] == 2


def test_every_batch_comes_to_the_collector_once(there: Collector) -> None:
    traces = exporting(there.url)
    for first in range(1_000):
        traces.end(traces.begin("changes", RUN._replace(first=first)))
    traces.close()
    assert sorted(attributes(batch)["parrot.first_offset"] for batch in there.batches) == list(range(1_000))
    assert (traces.ended, traces.sent, traces.crowded, traces.refused) == (1_000, 1_000, 0, 0)


def test_the_share_that_is_traced_is_chosen_by_chance() -> None:
    chances = iter([0.1, 0.3, 0.2, 0.9])
    traces = Exporting(
        Spans("shop", "w"),
        None,
        LOG,
        endpoint="",
        share=0.25,
        chance=lambda: next(chances),  # type: ignore[arg-type]
    )
    assert [traces.begin("changes", RUN) is not None for _ in range(4)] == [True, False, True, False]


def test_a_path_of_the_address_is_kept(there: Collector) -> None:
    traces = exporting(f"{there.url}/otel/traces")
    traces.end(traces.begin("changes", RUN))
    traces.close()
    assert there.paths == ["/otel/traces"]


# -- a collector that is away ----------------------------------------------------------------------------------------


def test_a_collector_that_refuses_is_said_once_with_the_count_and_the_reason(
    there: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    there.status = 400
    traces = exporting(there.url)
    for count in range(1, 4):
        traces.end(traces.begin("changes", RUN))
        eventually(lambda count=count: traces.refused == count)
    eventually(lambda: said(caplog))
    traces.close()
    first, last = said(caplog)
    assert first.startswith(f"the traces of 1 batches are lost: {there.url}/v1/traces does not take them: ")
    assert "400" in first
    assert last.startswith("the traces of 2 batches are lost")
    assert not [record for record in caplog.records if record.name == EXPORTER], "each failure is said by itself too"


def test_nobody_listening_loses_the_traces_and_nothing_else(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with collector() as gone:
        pass
    traces = exporting(gone.url)
    for _ in range(5):
        traces.end(traces.begin("changes", RUN))
    traces.close()
    assert traces.sent == 0
    assert sum(int(line.split()[3]) for line in said(caplog)) == 5


def test_traces_are_taken_again_once_the_collector_is_back(there: Collector) -> None:
    there.status = 400
    traces = exporting(there.url)
    traces.end(traces.begin("changes", RUN))
    eventually(lambda: traces.refused == 1)
    there.status = 200
    traces.end(traces.begin("changes", RUN._replace(first=7)))
    traces.close()
    assert [attributes(batch)["parrot.first_offset"] for batch in there.batches] == [7]


class Stuck:
    """An exporter that stands still until it is let go."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()

    def export(self, spans: Any) -> Any:
        self.entered.set()
        self.go.wait(30)
        raise OSError("the network is down")

    def shutdown(self) -> None:
        self.go.set()


def test_a_collector_that_stands_still_holds_nobody_up_and_what_is_too_much_is_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.1)
    stuck = Stuck()
    traces = Exporting(Spans("shop", "w"), stuck, LOG, endpoint="there", share=1.0)  # type: ignore[arg-type]
    traces.end(traces.begin("changes", RUN))
    assert stuck.entered.wait(30)
    for _ in range(QUEUE + 50):
        traces.end(traces.begin("changes", RUN))
    assert traces.crowded == 50
    traces.close()
    assert traces.sent == 0
    assert sum(int(line.split()[3]) for line in said(caplog)) == traces.ended == QUEUE + 51


# -- off, and without the packages -----------------------------------------------------------------------------------


def test_without_an_endpoint_nothing_is_traced_and_nothing_of_it_is_loaded() -> None:
    assert traces_of(Tracing(), "shop", "w", LOG) is OFF
    assert OFF.begin("changes", RUN) is None
    code = (
        "import sys, parrot_faust.application; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_missing_packages_are_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError) as caught:
        traces_of(Tracing(endpoint="http://127.0.0.1:4318"), "shop", "w", LOG)
    assert "\n" not in str(caught.value)
    assert "requirements/tracing.txt" in str(caught.value)


# -- looked at before a worker begins --------------------------------------------------------------------------------


def finding(endpoint: str, share: float = 1.0) -> Finding:
    return rounds._tracing(
        Settings(app="a", source=Source(topics="t"), sinks=Sinks(), tracing=Tracing(endpoint=endpoint, share=share))
    )


def test_a_check_says_whether_the_collector_takes_traces_and_sends_none(there: Collector) -> None:
    found = finding(there.url, share=0.25)
    assert (found.outcome, found.text) == (Outcome.OK, f"25% of all batches to {there.url}/v1/traces")
    assert (there.paths, there.spans) == (["/v1/traces"], [])
    there.status = 401
    found = finding(there.url)
    assert found.outcome is Outcome.WARNING
    assert f"{there.url}/v1/traces does not take traces: " in found.text
    assert "401" in found.text
    assert "a worker runs without it" in found.cure


def test_a_check_names_missing_packages_and_what_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    found = finding("http://127.0.0.1:4318")
    assert (found.outcome, found.cure) == (Outcome.FAILED, CURE)
    assert "needs packages that are not installed" in found.text
    assert CURE not in found.text


def test_nobody_listening_is_found_out_within_a_check_s_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with collector() as gone:
        pass
    _, why = tried(Tracing(endpoint=gone.url))
    assert why


def test_what_became_of_traced_batches_is_counted(there: Collector) -> None:
    traces = exporting(there.url)
    assert traces.counts() == {"sent": 0, "refused": 0, "crowded": 0, "waiting": 0}
    traces.end(traces.begin("changes", RUN))
    eventually(lambda: traces.counts() == {"sent": 1, "refused": 0, "crowded": 0, "waiting": 0})
    there.status = 400
    traces.end(traces.begin("changes", RUN))
    eventually(lambda: traces.counts() == {"sent": 1, "refused": 1, "crowded": 0, "waiting": 0})
    traces.close()
    assert OFF.counts() == {}

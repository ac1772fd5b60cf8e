"""What `/metrics` says: every metric, of what the worker has counted, and nothing that Prometheus can't read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from models import ChunkHeader, WindowResult
from parrot_faust.delivery.stats import Outcome, Stats
from parrot_faust.delivery.window_stats import WindowStats
from parrot_faust.web.metrics import METERS, OUTCOMES, Metrics

ROOT = Path(__file__).resolve().parents[3]
TABLE = 'shop.public."odd\n\\table"'
#: What a Prometheus' client names the samples of a metric of each kind.
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def view() -> dict[str, Any]:
    stats = Stats(lambda: 100.0)
    stats.rule_failed(TABLE, "total.be_between", "v1", 0, 3)
    outcomes = {Outcome.FORWARDED: [0, 1, 2], Outcome.QUARANTINED: [3], Outcome.DEAD_LETTERED: [4]}
    stats.source_batch(TABLE, 0, [0, 1, 2, 3, 4, 5], [5], outcomes)
    header = ChunkHeader(TABLE, 0, 0, 2, 1, 9, newest_us=99_000_000, rows=3, oldest_us=98_000_000)
    stats.sink_chunk("kudu", header, [1], lambda: [0, 1, 2])
    stats.sink_retrying("hbase", "hbase is not available", 2)
    stats.agent_step("changes", changes=6, decode_ms=20.0, check_ms=5.0)
    stats.partition_stopped(TABLE, 1, 3, ["total.be_between"], "v1")
    stats.schema_change(TABLE, "AddColumn", "", "note string", 0.0)
    stats.schema_change(TABLE, "AddColumn", "kudu", "note string", 0.2)
    snapshot = stats.snapshot() | {"app": "unit", "version": "1.2", "loop_lag_ms": {"max": 40.0, "own": 9.0}}
    snapshot["traces"] = {"sent": 90, "refused": 4, "crowded": 0, "waiting": 7}
    snapshot["sinks"]["kudu"] |= {"lag_chunks": 7, "paused_ms": 5}
    windows = WindowStats()
    for success in (True, False):
        windows.result(WindowResult(TABLE, "n.mean", "v1", "critical", 0, 60_000, success, 1.5, {}))
    snapshot |= {
        "windows": windows.view(),
        "paused_tables": [{"table": TABLE, "since_ms": 1, "reason": "rows failed", "resume_ms": 0}],
        "suspended_rules": [{"table": TABLE, "rule": "gone.not_be_null", "reason": "the table has no column gone"}],
    }
    return snapshot


@pytest.fixture
def families() -> dict[str, Metric]:
    body, content_type = Metrics(view).page("")
    assert content_type.startswith("text/plain")
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def value(families: dict[str, Metric], name: str, ending: str = "", **labels: str) -> float:
    found = [
        sample.value
        for sample in families[name].samples
        if sample.name == name + ending and sample.labels.items() >= labels.items()
    ]
    assert len(found) == 1, (name, labels, families[name].samples)
    return float(found[0])


def test_every_metric_has_samples_and_says_what_it_is(families: dict[str, Metric]) -> None:
    for meter in METERS:
        family = families[meter.name]
        assert family.samples, meter.name
        assert (family.type, family.documentation) == (meter.kind, meter.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(meter.labels)


def test_samples_are_what_was_counted(families: dict[str, Metric]) -> None:
    assert value(families, "parrot_captured", "_total", table=TABLE) == 6
    counted = {name: value(families, "parrot_changes", "_total", table=TABLE, outcome=name) for name in OUTCOMES}
    assert counted == {
        "forwarded": 3, "quarantined": 1, "dropped": 0, "dead_lettered": 1, "warned": 0, "mended": 0, "skipped": 0,
        "tombstones": 1,
    }  # fmt: skip
    assert value(families, "parrot_rule_failures", "_total", rule="total.be_between", version="v1") == 1
    assert value(families, "parrot_applied", "_total", sink="kudu", table=TABLE) == 2
    assert value(families, "parrot_sink_dead_letters", "_total", sink="kudu", table=TABLE) == 1
    assert (value(families, "parrot_sink_up", sink="kudu"), value(families, "parrot_sink_up", sink="hbase")) == (1, 0)
    paused = [value(families, "parrot_sink_paused", sink=sink) for sink in ("kudu", "hbase")]
    assert paused == [1, 0]
    assert value(families, "parrot_sink_waiting_chunks", sink="kudu") == 7
    assert value(families, "parrot_writer_restarts", "_total", sink="hbase") == 2
    assert value(families, "parrot_newest_change_timestamp_seconds", sink="kudu", table=TABLE) == 99
    assert value(families, "parrot_agent_seconds", "_total", agent="changes", step="decode") == 0.02
    assert value(families, "parrot_event_loop_lag_seconds") == 0.009
    assert value(families, "parrot_schema_changes", "_total", where="kudu") == 1
    traced = [value(families, "parrot_traced_batches", "_total", outcome=one) for one in ("sent", "refused", "crowded")]
    assert traced == [90, 4, 0]
    assert value(families, "parrot_worker_info", app="unit", version="1.2") == 1


def test_histograms_add_up(families: dict[str, Metric]) -> None:
    visible = "parrot_commit_to_visible_seconds"
    assert value(families, visible, "_count", sink="kudu") == 2
    assert value(families, visible, "_sum", sink="kudu") == 3.0
    assert value(families, visible, "_bucket", sink="kudu", le="1.0") == 1
    assert value(families, visible, "_bucket", sink="kudu", le="2.5") == 2
    assert value(families, "parrot_batch_seconds", "_bucket", agent="changes", le="0.01") == 0
    assert value(families, "parrot_batch_seconds", "_bucket", agent="changes", le="0.025") == 1
    assert value(families, "parrot_batch_changes", "_sum", agent="changes") == 6


def test_the_open_metrics_form_is_given_to_who_asks_for_it() -> None:
    body, content_type = Metrics(view).page("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def names_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:parrot|process)_\w+", expression))


def test_alerts_and_dashboard_name_only_metrics_that_are_there() -> None:
    rules = YAML(typ="safe", pure=True).load((ROOT / "deploy/alerts.yaml").read_text())["groups"][0]["rules"]
    dashboard = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    targets = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(rules) >= 5
    assert len(targets) >= 10
    known = {meter.name + ending for meter in METERS for ending in ENDINGS[meter.kind]}
    known |= {"process_resident_memory_bytes"}  # of every program that uses the official client, on Linux
    for expression in (*(rule["expr"] for rule in rules), *targets):
        named = names_in(expression)
        assert named, expression
        assert named <= known, named - known


def test_labels_in_expressions_are_those_of_the_metrics() -> None:
    labels = {meter.name + ending: {*meter.labels, "le"} for meter in METERS for ending in ENDINGS[meter.kind]}
    dashboard = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
    legends = [(target["expr"], target["legendFormat"]) for panel in dashboard["panels"] for target in panel["targets"]]
    seen = 0
    for expression, legend in legends:
        known = set().union(*(labels.get(name, set()) for name in names_in(expression))) | {"instance", "job"}
        used = set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert used <= known, (expression, legend)
        seen += len(used)
    assert seen >= 10

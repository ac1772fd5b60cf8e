"""`docs/metrics.md`: every metric of a worker with its labels, what the labels hold, and the alerts made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from parrot_faust.delivery.histogram import ROWS, SECONDS
from parrot_faust.reference.marks import filled as _filled
from parrot_faust.reference.marks import table
from parrot_faust.web.metrics import METERS, OUTCOMES

ALERTS = Path(__file__).resolve().parents[2] / "deploy" / "alerts.yaml"
#: What a label holds, and what bounds the number of its values.
LABELS = {
    "table": ("the source topic", "the topics that `source.topics` matches"),
    "outcome": ("what became of a record, see below", f"{len(OUTCOMES)}"),
    "rule": ("a rule's name, such as `status.be_in_set`", "the rules of the table"),
    "version": (
        "a rule set's version, the hash of its content; of `parrot_worker_info` the version that runs",
        "the rule sets that were in force since the worker has started",
    ),
    "partition": ("a partition of the source topic", "the topic's partitions that are stopped"),
    "sink": ("`kudu` or `hbase`", "2"),
    "agent": ("`changes`, `kudu_writer` or `hbase_writer`", "3"),
    "step": ("what the time went into: `decode`, `check`, `send` of `changes`; `write`, `wait` of a writer", "5"),
    "change": ("the kind of a schema change, such as `AddColumn`", "the kinds"),
    "where": ("`source`, or the store that was altered", "3"),
    "app": ("the app's name in the settings", "1"),
}
#: What a record may come to.
OUTCOME = {
    "forwarded": "checked and sent to the stores",
    "quarantined": "held back by a rule",
    "dropped": "left out by a rule",
    "dead_lettered": "kept byte for byte, because it could not be decoded or applied",
    "warned": "forwarded, and failed a rule that only warns",
    "mended": "forwarded with a value that a rule put in the place of a bad one",
    "skipped": "carries no row: a truncate, a heartbeat",
    "tombstones": "confirms a delete",
}
_ENDINGS = {"counter": "_total", "gauge": "", "histogram": "_bucket`, `_sum` and `_count"}


def filled(text: str) -> str:
    """The page with its tables as the code has them."""
    return _filled(text, {"metrics": _metrics, "labels": _labels, "outcomes": _outcomes, "alerts": _alerts})


def _metrics() -> str:
    names = ((meter, _ENDINGS[meter.kind]) for meter in METERS)
    rows = (
        (
            f"`{meter.name}{ending if meter.kind == 'counter' else ''}`",
            meter.kind,
            ", ".join(f"`{label}`" for label in meter.labels) or "none",
            meter.help,
        )
        for meter, ending in names
    )
    histograms = (
        f"A histogram has `{_ENDINGS['histogram']}`. Its buckets end at "
        f"{_list(SECONDS)} for seconds and at {_list(ROWS)} for changes."
    )
    return f"{table(('metric', 'kind', 'labels', 'meaning'), rows)}\n\n{histograms}"


def _labels() -> str:
    return table(
        ("label", "holds", "so many values"), ((f"`{name}`", holds, bound) for name, (holds, bound) in LABELS.items())
    )


def _outcomes() -> str:
    return table(("outcome", "meaning"), ((f"`{name}`", OUTCOME[name]) for name in OUTCOMES))


def _alerts() -> str:
    rules: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(ALERTS.read_text(encoding="utf-8"))["groups"][0][
        "rules"
    ]
    rows = (
        (
            f"`{rule['alert']}`",
            rule["labels"]["severity"],
            f"`{' '.join(rule['expr'].split())}`",
            rule.get("for", "at once"),
        )
        for rule in rules
    )
    return table(("alert", "severity", "when", "for"), rows)


def _list(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)

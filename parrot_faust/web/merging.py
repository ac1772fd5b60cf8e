"""The snapshots of an app's workers as one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: Of the newest: the rest is in each table's history.
SCHEMA_CHANGES_SHOWN = 50

View = Mapping[str, Any]


def merged(views: Iterable[View]) -> dict[str, Any]:
    """Counters added up, the newest of times, the worst of states. `views` are snapshots of different workers."""
    known = list(views)
    return {
        "sources": _sources(known),
        "waiting": _added(view.get("waiting", {}) for view in known),
        "checked": _checked(known),
        "sinks": _sinks(known),
        "rules": _rules(known),
        "stopped": [one for view in known for one in view.get("stopped", ())],
        "paused_tables": {one["table"]: one for view in known for one in view.get("paused_tables", ())},
        "suspended_rules": _suspended(known),
        "held_tables": {table: reasons for view in known for table, reasons in view.get("held_tables", {}).items()},
        "schema_changes": _schema_changes(known),
    }


def brief(view: View) -> dict[str, Any]:
    """What of a snapshot the other workers need: no histograms, and only the newest schema changes."""
    kept = {
        name: value for name, value in view.items() if name not in ("histograms", "schema_counts", "topics", "windows")
    }
    return kept | {"schema_changes": list(view.get("schema_changes", ()))[-SCHEMA_CHANGES_SHOWN:]}


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, value in each.items():
            total[name] = total.get(name, 0) + value
    return total


def _sources(views: list[View]) -> dict[str, dict[str, int]]:
    found: dict[str, list[Mapping[str, int]]] = {}
    for view in views:
        for table, counts in view.get("sources", {}).items():
            found.setdefault(table, []).append(counts)
    return {table: dict(each[0]) if len(each) == 1 else _added(each) for table, each in sorted(found.items())}


def _checked(views: list[View]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for view in views:
        for table, (rows, seconds) in view.get("checked", {}).items():
            before = found.get(table, [0, 0.0])
            found[table] = [before[0] + rows, before[1] + seconds]
    return found


def _sinks(views: list[View]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for view in views:
        for name, sink in view.get("sinks", {}).items():
            into = found.setdefault(
                name,
                {
                    "state": "ok",
                    "error": "",
                    "since_ms": 0,
                    "paused_ms": 0,
                    "paused_reason": "",
                    "lag_chunks": 0,
                    "restarts": 0,
                    "visible_ms": {"p50": 0.0, "p99": 0.0},
                    "tables": {},
                },
            )
            _sink(into, sink)
    return found


def _sink(into: dict[str, Any], sink: View) -> None:
    if sink["state"] != "ok":
        earlier = into["state"] == "ok" or sink.get("since_ms", 0) < into["since_ms"]
        if earlier:
            into |= {"state": sink["state"], "error": sink["error"], "since_ms": sink.get("since_ms", 0)}
    if sink.get("paused_ms", 0) > into["paused_ms"]:
        into |= {"paused_ms": sink["paused_ms"], "paused_reason": sink["paused_reason"]}
    into["lag_chunks"] += sink.get("lag_chunks", 0)
    into["restarts"] += sink.get("restarts", 0)
    for name in into["visible_ms"]:  # quantiles do not add up: the slowest worker's
        into["visible_ms"][name] = max(into["visible_ms"][name], sink["visible_ms"][name])
    for table, counts in sink["tables"].items():
        before = into["tables"].get(table)
        if before is None:
            into["tables"][table] = dict(counts)
            continue
        before["applied"] += counts["applied"]
        before["dead_lettered"] += counts["dead_lettered"]
        before["newest_us"] = max(before["newest_us"], counts["newest_us"])


def _rules(views: list[View]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str, str], int] = {}
    for view in views:
        for rule in view.get("rules", ()):
            key = (rule["table"], rule["rule"], rule["version"])
            found[key] = found.get(key, 0) + rule["failed"]
    return [
        {"table": table, "rule": rule, "version": version, "failed": failed}
        for (table, rule, version), failed in sorted(found.items())
    ]


def _suspended(views: list[View]) -> list[dict[str, str]]:
    every = [one for view in views for one in view.get("suspended_rules", ())]
    return list({(one["table"], one["rule"]): one for one in every}.values())


def _schema_changes(views: list[View]) -> list[dict[str, Any]]:
    every = [change for view in views for change in view.get("schema_changes", ())]
    return sorted(every, key=lambda change: change["at_ms"])[-SCHEMA_CHANGES_SHOWN:]

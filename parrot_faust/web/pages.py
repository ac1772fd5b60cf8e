"""The overview page, made of a snapshot. Pure; every value is escaped."""

from __future__ import annotations

from html import escape
from typing import Any

_COUNTS = ("captured", "forwarded", "quarantined", "dropped", "dead_lettered", "tombstones")


def overview(view: dict[str, Any]) -> str:
    """The page as HTML: totals, tables (those with trouble first), stores, rules, schema changes."""
    sinks = view["sinks"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(view["app"])} - Parrot Faust</title><link rel="stylesheet" href="/style.css">
<script src="/live.js" defer></script></head><body><main>
<h1>Parrot Faust <small>{escape(view["app"])}</small></h1>
<p class="about">worker {view["worker"]}, up for {view["uptime"]:.0f} s, {view["memory"] / 1e6:.0f} MB,
event loop at most {view["loop_lag_ms"]["max"]} ms late</p>
{_banner(sinks)}{_cards(view)}
<h2>Tables</h2>{_tables(view)}
<h2>Stores</h2>{_stores(sinks)}
<h2>Rules that failed</h2>{_rules(view["rules"])}
<h2>Schema changes</h2>{_schema_changes(view["schema_changes"])}
<h2>Agents</h2>{_agents(view["agents"])}
</main></body></html>"""


def _banner(sinks: dict[str, Any]) -> str:
    away = [name for name, sink in sinks.items() if sink["state"] != "ok"]
    return "".join(
        f'<p class="banner bad">{escape(name)} does not answer: {escape(sinks[name]["error"])}. '
        "It is tried again until it does; the other stores go on and nothing is lost.</p>"
        for name in away
    )


def _cards(view: dict[str, Any]) -> str:
    totals = {name: sum(source[name] for source in view["sources"].values()) for name in _COUNTS}
    cards = "".join(
        f'<div class="card"><b>{value:,}</b><span>{name.replace("_", " ")}</span></div>'
        for name, value in totals.items()
    )
    return f'<div class="cards">{cards}</div>'


def _table(headers: list[str], rows: list[list[str]], empty: str) -> str:
    if not rows:
        return f'<p class="about">{empty}</p>'
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _tables(view: dict[str, Any]) -> str:
    sinks = view["sinks"]

    def trouble(topic: str) -> int:
        source = view["sources"][topic]
        return int(source["dead_lettered"] + source["quarantined"] + source["dropped"])

    rows = []
    for topic in sorted(view["sources"], key=trouble, reverse=True):
        source = view["sources"][topic]
        applied = [str(sink["tables"].get(topic, {}).get("applied", 0)) for sink in sinks.values()]
        behind = any(
            sink["tables"].get(topic, {"applied": 0, "dead_lettered": 0})["applied"] < source["forwarded"]
            for sink in sinks.values()
        )
        state = '<span class="warn">behind</span>' if behind else '<span class="good">current</span>'
        rows.append([escape(topic), state, *(f"{source[name]:,}" for name in _COUNTS), *applied])
    headers = ["table", "state", *(name.replace("_", " ") for name in _COUNTS), *(f"in {name}" for name in sinks)]
    return _table(headers, rows, "no change has been captured yet")


def _stores(sinks: dict[str, Any]) -> str:
    rows = [
        [
            escape(name),
            f'<span class="{"good" if sink["state"] == "ok" else "bad"}">{escape(sink["state"])}</span>',
            f"{sink['visible_ms']['p50']:.0f} ms",
            f"{sink['visible_ms']['p99']:.0f} ms",
            str(sink.get("lag_chunks", 0)),
            str(sink.get("restarts", 0)),
        ]
        for name, sink in sinks.items()
    ]
    return _table(["store", "state", "visible p50", "p99", "chunks waiting", "restarts"], rows, "none")


def _rules(rules: list[dict[str, Any]]) -> str:
    rows = [
        [escape(rule["table"]), escape(rule["rule"]), escape(rule["version"]), f"{rule['failed']:,}"]
        for rule in sorted(rules, key=lambda rule: -rule["failed"])
    ]
    return _table(["table", "rule", "version", "failed"], rows, "none failed")


def _schema_changes(changes: list[dict[str, Any]]) -> str:
    rows = [
        [
            escape(change["table"]),
            escape(change["change"]),
            escape(change["sink"] or "source"),
            escape(change["detail"][:120]),
            f"{change['seconds']:.2f} s",
        ]
        for change in reversed(changes)
    ]
    return _table(["table", "change", "where", "detail", "took"], rows, "none")


def _agents(agents: dict[str, dict[str, float]]) -> str:
    rows = []
    for name, counters in sorted(agents.items()):
        batches = max(1, counters["batches"])
        steps = ", ".join(
            f"{escape(step.removesuffix('_ms'))} {value / batches:.1f} ms"
            for step, value in counters.items()
            if step.endswith("_ms")
        )
        rows.append([escape(name), f"{counters['batches']:,.0f}", f"{counters['changes']:,.0f}", steps])
    return _table(["agent", "batches", "changes", "a batch takes"], rows, "no batch yet")

"""The overview page, made of a snapshot. Pure; every value is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

_COUNTS = ("captured", "forwarded", "quarantined", "dropped", "dead_lettered", "tombstones")
_TROUBLE = ("quarantined", "dropped", "dead_lettered")
_CHANGES_SHOWN = 20  # schema changes: the rest is in the history


def overview(view: dict[str, Any]) -> str:
    """The page as HTML: how things stand, totals, tables (those with trouble first), stores, rules, schema changes."""
    sinks = view["sinks"]
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(view["app"])} - Parrot Faust</title>
<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/style.css">
<script src="/live.js" defer></script></head><body><main>
<header><h1>Parrot Faust <small>{_text(view["app"])}</small></h1>{_standing(view)}
<p class="about">worker {_text(view["worker"])}, up {_duration(view["uptime"])}, {view["memory"] / 1e6:.0f} MB,
event loop at most {view["loop_lag_ms"]["max"]:.0f} ms late</p></header>
<section>{_banner(sinks)}{_cards(view)}</section>
<section><h2>Tables</h2>{_tables(view)}</section>
<div class="pair"><section><h2>Stores</h2>{_stores(sinks)}</section>
<section><h2>Rules that failed</h2>{_rules(view["rules"])}</section></div>
<section><h2>Schema changes</h2>{_schema_changes(view["schema_changes"])}</section>
<section><h2>Agents</h2>{_agents(view["agents"])}</section>
</main></body></html>"""


def _text(value: object) -> str:
    return escape(str(value))


def _duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86_400)
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _away(sinks: dict[str, Any]) -> list[str]:
    return [name for name, sink in sinks.items() if sink["state"] != "ok"]


def _behind(view: dict[str, Any], topic: str) -> bool:
    """Whether a store lacks changes of a table.

    Only a store with chunks waiting can: a table may go to some stores only, and what this worker has forwarded may be
    written by another one.
    """
    for sink in view["sinks"].values():
        written = sink["tables"].get(topic, {})
        handled = written.get("applied", 0) + written.get("dead_lettered", 0)
        if (sink["state"] != "ok" or sink.get("lag_chunks", 0)) and handled < view["sources"][topic]["forwarded"]:
            return True
    return False


def _standing(view: dict[str, Any]) -> str:
    behind = sum(_behind(view, topic) for topic in view["sources"])
    if away := _away(view["sinks"]):
        return f'<p class="pill bad">{_text(" and ".join(away))} away</p>'
    if behind:
        return f'<p class="pill warn">{behind} {"table" if behind == 1 else "tables"} behind</p>'
    return f'<p class="pill good">{"all current" if view["sources"] else "waiting for changes"}</p>'


def _banner(sinks: dict[str, Any]) -> str:
    return "".join(
        f'<p class="banner bad" role="status"><b>{_text(name)} does not answer:</b> {_text(_reason(name, sinks))}. '
        "It is tried again until it does; the other stores go on and nothing is lost.</p>"
        for name in _away(sinks)
    )


def _reason(name: str, sinks: dict[str, Any]) -> str:
    return str(sinks[name]["error"]).removeprefix(f"{name} is not available: ").removeprefix(f"{name}: ").rstrip(".")


def _cards(view: dict[str, Any]) -> str:
    totals = {name: sum(source[name] for source in view["sources"].values()) for name in _COUNTS}
    totals["dead_lettered"] += sum(_refused(view, topic) for topic in _topics(view))
    cards = "".join(
        f'<div class="card{" trouble" if value and name in _TROUBLE else ""}"><b>{value:,}</b>'
        f"<span>{name.replace('_', ' ')}</span></div>"
        for name, value in totals.items()
    )
    return f'<div class="cards">{cards}</div>'


def _topics(view: dict[str, Any]) -> list[str]:
    written = (topic for sink in view["sinks"].values() for topic in sink["tables"])
    return list(dict.fromkeys([*view["sources"], *written]))


def _refused(view: dict[str, Any], topic: str) -> int:
    """Rows of a table that stores would not take."""
    return sum(int(sink["tables"].get(topic, {}).get("dead_lettered", 0)) for sink in view["sinks"].values())


def _table(headers: Sequence[str], rows: list[list[str]], empty: str, texts: Sequence[int] = (0,)) -> str:
    """A table; columns at the positions `texts` hold text, the others numbers. Cells are HTML."""
    if not rows:
        return f'<p class="about">{empty}</p>'
    kind = [' class="text"' if place in texts else "" for place in range(len(headers))]
    head = "".join(f"<th{kind[place]}>{_text(name)}</th>" for place, name in enumerate(headers))
    body = "".join(
        "<tr>" + "".join(f"<td{kind[place]}>{cell}</td>" for place, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _tables(view: dict[str, Any]) -> str:
    sinks = view["sinks"]

    def trouble(topic: str) -> int:
        return sum(int(view["sources"][topic][name]) for name in _TROUBLE) + _refused(view, topic)

    rows = []
    for topic in sorted(view["sources"], key=lambda topic: (-trouble(topic), topic)):
        source = view["sources"][topic]
        state = '<span class="warn">behind</span>' if _behind(view, topic) else '<span class="good">current</span>'
        counts = [_count(source[name], trouble=name in _TROUBLE) for name in _COUNTS]
        written = [_written(sink["tables"].get(topic)) for sink in sinks.values()]
        rows.append([_text(topic).replace(".", ".<wbr>"), state, *counts[:2], *written, *counts[2:]])
    names = [name.replace("_", " ") for name in _COUNTS]
    headers = ["table", "state", *names[:2], *(f"in {name}" for name in sinks), *names[2:]]
    return _table(headers, rows, "no change has been captured yet", (0, 1))


def _count(value: int, *, trouble: bool) -> str:
    return f'<span class="bad">{value:,}</span>' if trouble and value else f"{value:,}"


def _written(counts: dict[str, int] | None) -> str:
    if counts is None:
        return '<span class="none">0</span>'
    refused = f' <span class="bad">{counts["dead_lettered"]:,} refused</span>' if counts["dead_lettered"] else ""
    return f"{counts['applied']:,}{refused}"


def _stores(sinks: dict[str, Any]) -> str:
    rows = [
        [
            _text(name),
            f'<span class="{"good" if sink["state"] == "ok" else "bad"}">{_text(sink["state"])}</span>',
            f"{sink['visible_ms']['p50']:,.0f} ms",
            f"{sink['visible_ms']['p99']:,.0f} ms",
            f"{sink.get('lag_chunks', 0):,}",
            _text(sink.get("restarts", 0)),
        ]
        for name, sink in sinks.items()
    ]
    return _table(["store", "state", "visible p50", "p99", "chunks waiting", "restarts"], rows, "none", (0, 1))


def _rules(rules: list[dict[str, Any]]) -> str:
    rows = [
        [_text(rule["table"]), _text(rule["rule"]), f"{rule['failed']:,}", _text(rule["version"])]
        for rule in sorted(rules, key=lambda rule: -rule["failed"])
    ]
    return _table(["table", "rule", "failed", "version"], rows, "none failed", (0, 1, 3))


def _schema_changes(changes: list[dict[str, Any]]) -> str:
    rows = [
        [
            _text(change["table"]),
            _text(change["change"]),
            _text(change["sink"] or "source"),
            f"{change['seconds']:.2f} s" if change["sink"] else "",
            f"{datetime.fromtimestamp(change['at_ms'] / 1000, UTC):%m-%d %H:%M:%S}",
            f'<span class="detail" title="{_text(change["detail"])}">{_text(change["detail"][:120])}</span>',
        ]
        for change in changes[: -_CHANGES_SHOWN - 1 : -1]
    ]
    return _table(["table", "change", "where", "took", "UTC", "detail"], rows, "none", (0, 1, 2, 5))


def _agents(agents: dict[str, dict[str, float]]) -> str:
    rows = []
    for name, counters in sorted(agents.items()):
        batches = max(1, counters["batches"])
        steps = ", ".join(
            f"{_text(step.removesuffix('_ms'))} {value / batches:.1f}"
            for step, value in counters.items()
            if step.endswith("_ms")
        )
        rows.append([_text(name), f"{counters['batches']:,.0f}", f"{counters['changes']:,.0f}", steps])
    return _table(["agent", "batches", "changes", "ms a batch"], rows, "no batch yet", (0, 3))

"""The first page: is all current and right, and if not, what, since when, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parrot_faust.web import judging
from parrot_faust.web.actions import button, sign_in_link
from parrot_faust.web.charts import spark
from parrot_faust.web.fleet import Fleet
from parrot_faust.web.markup import ago, command, grid, listed, mark, number, page, rate, share, span, table_link, text
from parrot_faust.web.paging import WHOLE, Asked, cut

COUNTS = ("captured", "forwarded", "quarantined", "dropped", "dead_lettered", "tombstones")
TROUBLE = {"quarantined": "warn", "dropped": "warn", "dead_lettered": "bad"}
#: Lines of each list in a part of it.
LINES, TROUBLES, WATCHED = 100, 12, 20


def common(
    whole: Mapping[str, Any], judged: judging.Judged, known: Mapping[str, Any], asked: Asked = WHOLE
) -> dict[str, Any]:
    """What every page shows."""
    workers = list(whole["workers"].values())
    memory = sum(view["memory"] for view in workers) / 1e6
    since = max((view["uptime"] for view in workers), default=0.0)
    about = f"{len(workers)} {'worker' if len(workers) == 1 else 'workers'}, up {span(since)}, {memory:.0f} MB"
    made = {
        "app": known["app"],
        "at": whole["at"],
        "about": about,
        "standing": judging.standing(whole, judged.tables, judged.urgent),
        "troubles": judged.urgent,
    }
    return cut(made, asked, troubles=TROUBLES)


def view(whole: Mapping[str, Any], fleet: Fleet, known: Mapping[str, Any], asked: Asked = WHOLE) -> dict[str, Any]:
    """The page as data."""
    judged = judging.judged(whole, fleet, known)
    totals = {name: sum(counts.get(name, 0) for counts in whole["sources"].values()) for name in COUNTS}
    totals["dead_lettered"] += sum(store["refused"] for line in judged.tables for store in line["stores"].values())
    stores = {
        name: {key: value for key, value in sink.items() if key != "tables"} for name, sink in whole["sinks"].items()
    }
    made = common(whole, judged, known, asked) | {
        "tables": [line for line in judged.tables if asked.names(line["table"])],
        "watched": judged.watched,
        "totals": totals,
        "rate": round(fleet.rate(), 1),
        "stores": stores,
        "asked": asked.words,
    }
    return cut(made, asked, tables=LINES, watched=WATCHED)


def html(view: Mapping[str, Any], fleet: Fleet, *, may_act: bool = False) -> str:
    """The page."""
    asked = text(view["asked"])
    field = (
        f'<form class="find" role="search"><label>Find a table <input name="q" type="search" value="{asked}">'
        "</label><button>Find</button></form>"
    )
    parts = f"""<section>{_cards(view, fleet)}</section>
<div class="bar"><h2>Tables</h2>{field}</div><section>{_tables(view, fleet)}</section>
<section><h2>Stores</h2>{_stores(view, may_act=may_act)}</section>
<section><h2>Also worth a look</h2>{_watched(view)}</section>"""
    return page("Tables", "/", dict(view), parts)


def missing(view: Mapping[str, Any], table: str) -> str:
    """The page of a table that is none."""
    parts = f"""<section><p>No worker of this app has seen a table {text(table)}. It is seen once the connector
captures it, its topic is one of <code>source.topics</code>, and the workers have read their new partitions.</p>
<p><a href="/">All tables</a></p></section>"""
    return page("No such table", "", dict(view), parts)


def _cards(view: Mapping[str, Any], fleet: Fleet) -> str:
    cards = (
        f'<div class="card"><b>{rate(view["rate"])}</b>{spark(fleet.minutes("captured"))}<span>changes/s</span></div>'
    )
    for name, value in view["totals"].items():
        kind = f" {TROUBLE[name]}" if value and name in TROUBLE else ""
        label = "dead letters" if name == "dead_lettered" else name
        cards += f'<div class="card{kind}"><b>{value:,}</b><span>{label}</span></div>'
    return f'<div class="cards">{cards}</div>'


def _tables(view: Mapping[str, Any], fleet: Fleet) -> str:
    now, stores = view["at"], list(view["stores"])
    rows = []
    for line in view["tables"]:
        state = mark(line["kind"], line["words"])
        if line["since"]:
            state += f" <i>{span(now - line['since'])}</i>"
        held = number(line["quarantined"], "warn")
        if line["quarantined"]:
            held += f" <i>{share(line['quarantined'], line['captured'])}</i>"
        rows.append(
            [
                table_link(line["table"]),
                state,
                f"{spark(fleet.minutes('captured', line['table']))}{rate(line['rate'])}",
                *(_age(line["stores"][name], now) for name in stores),
                held,
                number(line["dead_lettered"], "bad"),
                ago(now - line["schema_ms"] / 1000) if line["schema_ms"] else "",
                verified(line["verified"], now),
            ]
        )
    headers = ["table", "state", "changes/s", *(f"newest in {name}" for name in stores)]
    headers += ["quarantined", "dead letters", "schema change", "verified"]
    empty = "no table has that in its name" if view["asked"] else "no change has been captured yet"
    return listed(view, "tables", headers, rows, empty, (0, 1))


def _age(store: Mapping[str, Any], now: float) -> str:
    if not store["newest_ms"]:
        return "snapshot" if store["applied"] else "–"
    age = ago(now - store["newest_ms"] / 1000)
    return f'<b class="warn">{age}</b>' if store["behind_since"] else age


def verified(result: Mapping[str, Any] | None, now: float) -> str:
    """When a table was compared last, and with what verdict."""
    if result is None:
        return ""
    kind = {"equal": "good", "explained": "good", "unexplained": "bad"}.get(result["verdict"], "warn")
    return f"{mark(kind, result['verdict'])} <i>{ago(now - result['at_ms'] / 1000)}</i>"


def _stores(view: Mapping[str, Any], *, may_act: bool) -> str:
    rows = [
        [
            text(name),
            store_state(sink, view["at"]),
            span(sink["visible_ms"]["p50"] / 1000),
            span(sink["visible_ms"]["p99"] / 1000),
            number(sink["lag_chunks"]),
            number(sink["restarts"], "warn"),
            _steer(name, sink, may_act=may_act),
        ]
        for name, sink in view["stores"].items()
    ]
    headers = ["store", "state", "commit to visible, half", "99 of 100", "chunks waiting", "client restarts"]
    return grid([*headers, "pause, resume"], rows, "none", (0, 1, 6))


def store_state(sink: Mapping[str, Any], now: float) -> str:
    """How a store is, in words."""
    how = judging.standing_of(sink)
    if how == "paused":
        return f"{mark('warn', 'paused')} <i>for {span(now - sink['paused_ms'] / 1000)}</i>"
    return mark("good", "answers") if how == "ok" else mark("bad", sink["state"])


def _steer(name: str, sink: Mapping[str, Any], *, may_act: bool) -> str:
    word = "resume" if sink["paused_ms"] else "pause"
    return button(word, f"{word} {name}", {"sink": name}) if may_act else sign_in_link("/", f"{word} it")


def _watched(view: Mapping[str, Any]) -> str:
    rows = [
        [
            f'<span class="long">{text(each["what"])} {text(each["words"])}'
            + (f" <i>since {span(view['at'] - each['since'])}</i>" if each["since"] else "")
            + "</span>",
            command(each["command"]) if each["command"] else "",
        ]
        for each in view["watched"]
    ]
    return listed(view, "watched", ["what", "look closer with"], rows, "nothing", (0, 1))

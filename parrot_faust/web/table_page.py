"""One table: how it went, its rules and what they found, its shapes, its places in the stores. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parrot_faust.web import judging
from parrot_faust.web.actions import button, sign_in_link
from parrot_faust.web.charts import chart
from parrot_faust.web.fleet import Fleet
from parrot_faust.web.markup import (
    ago,
    clock,
    command,
    facts,
    grid,
    listed,
    mark,
    number,
    page,
    share,
    span,
    table_link,
    table_path,
    text,
)
from parrot_faust.web.overview import common, verified
from parrot_faust.web.paging import WHOLE, Asked, cut
from parrot_faust.web.quality_page import WINDOWS, fewer, results, short
from parrot_faust.web.rings import COARSE_S, FINE_S

#: Lines of each list in a part of it.
RULES, EVENTS, OWNERS = 100, 40, 50
GONE = "no longer in force"


def view(
    whole: Mapping[str, Any],
    fleet: Fleet,
    known: Mapping[str, Any],
    table: str,
    about: Mapping[str, Any],
    asked: Asked = WHOLE,
    *,
    long: bool,
) -> dict[str, Any] | None:
    """The page as data, None when no worker knows the table. `about` is what only this page shows."""
    judged = judging.judged(whole, fleet, known)
    line = next((each for each in judged.tables if each["table"] == table), None)
    if line is None:
        return None
    step = COARSE_S if long else FINE_S
    stores = list(whole["sinks"])
    rows, seconds = whole["checked"].get(table, (0, 0.0))
    failed = {(one["rule"], one["version"]): one["failed"] for one in whole["rules"] if one["table"] == table}
    checked = line["forwarded"] + line["quarantined"] + line["dropped"]
    suspended = {one["rule"]: one["reason"] for one in whole["suspended_rules"] if one["table"] == table}
    rules = []
    for rule in about["rules"]:
        count, reason = failed.pop((rule["id"], rule["version"]), 0), suspended.get(rule["id"], "")
        passed = None if reason else max(0, checked - count)
        rules.append(rule | {"failed": count, "passed": passed, "suspended": reason})
    before = [
        {
            "id": rule,
            "version": version,
            "failed": count,
            "passed": None,
            "suspended": "",
            "action": "",
            "type": GONE,
            "wants": {},
        }
        for (rule, version), count in failed.items()
    ]
    owners = [
        {"worker": f"{each['host']}/{each['worker']}", "partitions": each["partitions"][table]}
        for each in whole["workers"].values()
        if table in each["partitions"]
    ]
    history = {name: fleet.history(name, table, step) for name in ("captured", "quarantined")}
    history |= {f"late {name}": fleet.history(f"late {name}", table, step) for name in stores}
    made = common(whole, judged, known, asked) | {
        "line": line,
        "step": step,
        "history": history,
        "rules": sorted(rules + before, key=lambda rule: (not rule["suspended"], -rule["failed"])),
        "windows": about["windows"],
        "check_us": round(1e6 * seconds / rows, 2) if rows else None,
        "owners": owners,
        "paused_sinks": {name: sink["paused_ms"] for name, sink in whole["sinks"].items() if sink["paused_ms"]},
        "stopped": [one for one in whole["stopped"] if one["table"] == table],
        "targets": about["targets"],
        "events": about["events"][::-1],
        "samples": about["samples"],
        "letters": about["letters"],
        "unread": about["unread"],
        "asked": about.get("asked", ""),
        "trace": about.get("trace"),
    }
    made = cut(made, asked, rules=RULES, windows=WINDOWS, events=EVENTS, owners=OWNERS)
    return made | {"windows": fewer(made["windows"]), "events": [event() for event in made["events"]]}


_PAUSED = "A paused table waits, in every worker, and nothing of it is lost."


def html(view: Mapping[str, Any], *, may_act: bool = False) -> str:
    """The page."""
    line, now = view["line"], view["at"]
    table, step = line["table"], view["step"]
    here = table_path(table)
    ranges = "".join(
        f'<a href="{here}{query}"{" aria-current=page" if seconds == step else ""}>{name}</a>'
        for query, seconds, name in (("", FINE_S, "15 min"), ("?range=6h", COARSE_S, "6 h"))
    )
    charts = chart("changes/s", view["history"]["captured"], step)
    for name in line["stores"]:
        charts += chart(f"commit to visible in {name}", view["history"][f"late {name}"], step, seconds=True)
    charts += chart("quarantined/s", view["history"]["quarantined"], step)
    word = "resume" if line["state"] == "paused" else "pause"
    does = button(word, f"{word} this table", {"table": table}) if may_act else sign_in_link(here, f"{word} it")
    parts = f"""<section>{_facts(view, now)}</section>
<div class="bar"><p class="about">{_PAUSED}</p>{does}</div>
<div class="bar"><h2>How it went</h2><nav aria-label="time">{ranges}</nav></div>
<section><div class="charts">{charts}</div></section>
<div class="bar"><h2>Why is this row not there?</h2>{_field(view)}</div><section>{_trace(view)}</section>
<section><h2>Stores</h2>{_stores(view, now)}</section>
<section><h2>Rules</h2>{_rules(view)}</section>
<section><h2>Windows and shapes</h2>{results(view)}</section>
<section><h2>Latest rows that rules held back</h2>{letters(view["samples"], now, "none is held back")}</section>
<section><h2>Latest dead letters</h2>{letters(view["letters"], now, "there is none")}{_unread(view)}</section>
<section><h2>Shapes</h2>{events(view)}</section>"""
    return page(table, here, dict(view), parts)


def _facts(view: Mapping[str, Any], now: float) -> str:
    line = view["line"]
    state = mark(line["kind"], line["words"])
    if line["since"]:
        state += f" <i>for {span(now - line['since'])}</i>"
    owners = "; ".join(f"{each['worker']}: {', '.join(map(str, each['partitions']))}" for each in view["owners"])
    held = f"{number(line['quarantined'], 'warn')} <i>{share(line['quarantined'], line['captured'])}</i>"
    version = next((rule["version"] for rule in view["rules"] if rule["type"] != GONE), "none")
    return facts(
        [
            ("state", state),
            ("captured", number(line["captured"])),
            ("forwarded", number(line["forwarded"])),
            ("quarantined", held),
            ("dropped by rules", number(line["dropped"], "warn")),
            ("dead letters", number(line["dead_lettered"], "bad")),
            ("to be read", number(line["waiting"])),
            ("rules in force", text(version)),
            ("checking", "–" if view["check_us"] is None else f"{view['check_us']:.2f} µs a row"),
            ("verified", verified(line["verified"], now) or "never"),
            ("partitions", text(owners or "of no worker that lives")),
        ]
    )


def _field(view: Mapping[str, Any]) -> str:
    return (
        '<form class="find"><label>Key, its values with | between them '
        f'<input name="key" value="{text(view["asked"])}"></label><button>Look</button></form>'
    )


def _trace(view: Mapping[str, Any]) -> str:
    if not view["asked"]:
        return '<p class="about">Type a key: in which store its row is, and if not, what has become of it.</p>'
    found = view["trace"]
    if found is None:
        return '<p class="empty">looking; this takes some seconds</p>'
    if "error" in found:
        return f'<p class="empty">can\'t be found out: {text(found["error"])}</p>'
    kinds = {"applied": "good", "deleted": "good", "not known": "warn", "in flight": "warn"}
    rows = [
        [
            text(store),
            mark(kinds.get(each["state"], "bad"), each["state"]),
            f'<span class="long">{text(each["words"])}</span>',
        ]
        for store, each in found["stores"].items()
    ]
    last = found["last"]
    where = f"its newest record: {view['line']['table']}/{last['partition']}/{last['offset']}" if last else ""
    return grid(["in", "it is", "because"], rows, "", (0, 1, 2)) + f'<p class="about">{text(where)}</p>'


def _stores(view: Mapping[str, Any], now: float) -> str:
    rows = []
    for name, store in view["line"]["stores"].items():
        state = mark("good", "current")
        if view["paused_sinks"].get(name):
            state = f"{mark('warn', 'paused')} <i>for {span(now - view['paused_sinks'][name] / 1000)}</i>"
        elif store["behind_since"]:
            state = f"{mark('warn', 'behind')} <i>for {span(now - store['behind_since'])}</i>"
        newest = ago(now - store["newest_ms"] / 1000) if store["newest_ms"] else "–"
        target = text(view["targets"].get(name, "not known yet"))
        rows.append([text(name), target, state, number(store["applied"]), number(store["refused"], "bad"), newest])
    return grid(["store", "table there", "state", "applied", "refused", "newest change"], rows, "none", (0, 1, 2))


def _rules(view: Mapping[str, Any]) -> str:
    rows = [
        [
            text(rule["id"]),
            f'<span class="long">{_wants(rule)}</span>',
            mark("bad", f"suspended: {rule['suspended']}") if rule["suspended"] else text(rule["action"]),
            number(rule["failed"], "warn"),
            "–" if rule["passed"] is None else number(rule["passed"]),
            text(rule["version"]),
        ]
        for rule in view["rules"]
    ]
    headers = ["rule", "what it wants", "action", "failed", "passed", "version"]
    return listed(view, "rules", headers, rows, "it has no rules", (0, 1, 2, 5))


def _wants(rule: Mapping[str, Any]) -> str:
    kind = rule["type"].removeprefix("expect_").removeprefix("column_").removeprefix("values_to_")
    return f"{text(kind)} <i>{text(short(rule['wants']))}</i>" if rule["wants"] else text(kind)


def letters(found: list[dict[str, Any]], now: float, empty: str) -> str:
    """Records that are kept: when, where they come from, their key, and why."""
    rows = [
        [
            ago(now - each["at_ms"] / 1000),
            text(each["key"]),
            text(each["why"]),
            f'<span class="long">{text(each["message"])}</span>',
            text(each["place"]),
        ]
        for each in found
    ]
    return grid(["when", "key", "why", "what was wrong", "record"], rows, empty, (0, 1, 2, 3, 4))


def _unread(view: Mapping[str, Any]) -> str:
    return f'<p class="empty">can\'t be read now: {text(view["unread"])}</p>' if view["unread"] else ""


def events(view: Mapping[str, Any], *, tables: bool = False) -> str:
    """Schema changes, the newest first."""
    now = view["at"]
    rows = [
        [
            *([table_link(each["table"])] if tables else []),
            f"{clock(each['at_ms'])} <i>{ago(now - each['at_ms'] / 1000)}</i>",
            text(each["where"]),
            f'<span class="long">{text(each["what"])}</span>',
            mark("warn" if each["verdict"] == "held" else "none", each["verdict"]) if each["verdict"] else "",
            span(each["seconds"]) if each["seconds"] else "",
        ]
        for each in view["events"]
    ]
    headers = [*(["table"] if tables else []), "UTC", "where", "change", "verdict", "took"]
    words = (0, 1, 2, 3, 4) if tables else (0, 1, 2, 3)
    return listed(view, "events", headers, rows, f"none; {command('parrot schema history')} has all", words)

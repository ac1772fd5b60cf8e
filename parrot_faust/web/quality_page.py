"""The quality page: what rules found in rows and windows, which of them check nothing, and the breakers. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parrot_faust.web import judging
from parrot_faust.web.actions import button
from parrot_faust.web.fleet import Fleet
from parrot_faust.web.markup import clock, command, grid, listed, mark, number, page, share, span, table_link, text
from parrot_faust.web.overview import common
from parrot_faust.web.paging import WHOLE, Asked, beginning, cut

#: Lines of each list in a part of it: fewer of windows and breakers, which have more to say.
LINES, SUSPENDED, WINDOWS, BREAKERS = 60, 40, 25, 40
RESULTS = 60  # of all rules, but for the fewest that each has
FEWEST = 3
LONGEST = 120  # characters of an observed value and of a bound

KINDS = {"critical": "bad", "warning": "warn", "info": "none"}


def quality(
    whole: Mapping[str, Any],
    fleet: Fleet,
    known: Mapping[str, Any],
    about: Mapping[str, Any],
    asked: Asked = WHOLE,
) -> dict[str, Any]:
    """The page as data. `about` is what only this page shows, of which the windows are those that are asked for."""

    def chosen(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in found if asked.names(one["table"], one.get("rule", ""))]

    judged = judging.judged(whole, fleet, known)
    lines = [_checked(line, whole, fleet) for line in chosen(judged.tables)]
    made = common(whole, judged, known, asked) | {
        "suspended": sorted(chosen(whole["suspended_rules"]), key=lambda one: (one["table"], one["rule"])),
        "windows": about["windows"],
        "breakers": chosen(about["breakers"]),
        "rules": sorted(chosen(whole["rules"]), key=lambda rule: -rule["failed"]),
        "tables": sorted(lines, key=lambda one: (-one["recently"], -one["quarantined"] - one["dropped"])),
        "unread": about["unread"],
        "asked": asked.words,
    }
    made = cut(made, asked, suspended=SUSPENDED, windows=WINDOWS, breakers=BREAKERS, rules=LINES, tables=LINES)
    for name in ("suspended", "breakers"):
        made[name] = [one | {"reason": beginning(one["reason"])} for one in made[name]]
    return made | {"windows": fewer(made["windows"])}


def _checked(line: Mapping[str, Any], whole: Mapping[str, Any], fleet: Fleet) -> dict[str, Any]:
    """What this page says of a table."""
    rows, seconds = whole["checked"].get(line["table"], (0, 0.0))
    return {name: line[name] for name in ("table", "captured", "quarantined", "dropped")} | {
        "check_us": round(1e6 * seconds / rows, 2) if rows else None,
        "recently": round(fleet.recent("quarantined", line["table"])) if line["quarantined"] else 0,
    }


def fewer(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules with their last results: fewer of each where there are many rules."""
    each = max(FEWEST, RESULTS // max(1, len(found)))
    return [dict(one) | {"results": one["results"][:each]} for one in found]


def quality_html(view: Mapping[str, Any], *, may_act: bool = False) -> str:
    """The page."""
    field = (
        '<form class="find" role="search"><label>Find a table or rule '
        f'<input name="q" type="search" value="{text(view["asked"])}"></label><button>Find</button></form>'
    )
    parts = f"""<div class="bar"><h2>Suspended rules</h2>{field}</div>
<section>{_suspended(view)}</section>
<section><h2>Windows and shapes</h2>{_windows(view)}</section>
<section><h2>Their results, the worst rules first</h2>{results(view, tables=True)}</section>
<section><h2>Breakers</h2>{_breakers(view, may_act=may_act)}</section>
<section><h2>Rules that rows failed</h2>{_rules(view)}</section>
<section><h2>Tables</h2>{_tables(view)}
<p class="about">What rules held back is listed by {command("parrot deadletters list --quarantine")}</p></section>"""
    return page("Quality", "/quality", dict(view), parts)


def _suspended(view: Mapping[str, Any]) -> str:
    rows = [[table_link(one["table"]), mark("bad", one["rule"]), _long(one["reason"])] for one in view["suspended"]]
    headers = ["table", "rule", "checks nothing, because"]
    return listed(view, "suspended", headers, rows, "none: every rule fits its table", (0, 1, 2))


def _windows(view: Mapping[str, Any]) -> str:
    unread, now = view["unread"], view["at"]

    def line(one: Mapping[str, Any]) -> list[str]:
        last = one["results"][0] if one["results"] else None
        state = mark("none", "not judged yet")
        if last and last["success"]:
            state = mark("good", "holds")
        elif last:
            words = f"fails ({one['severity']})"
            state = f"{mark(KINDS.get(one['severity'], 'bad'), words)} <i>since {clock(one['failing_since_ms'])}</i>"
        return [
            table_link(one["table"]),
            text(one["rule"]),
            state,
            text(short(last["observed"])) if last else "",
            text(wanted(last)) if last else "",
            f"{span(now - last['end_ms'] / 1000)} ago" if last else "",
            f"{number(one['failed'], 'warn')} <i>of {one['judged']}</i>" if last else "",
        ]

    headers = ["table", "rule", "it", "observed", "wanted", "judged for", "failed of the last"]
    empty = f"can't be read now: {text(unread)}" if unread else "no rule here is judged over windows or on a shape"
    return listed(view, "windows", headers, [line(one) for one in view["windows"]], empty, (0, 1, 2, 3, 4))


def results(view: Mapping[str, Any], *, tables: bool = False) -> str:
    """The last results of the rules of a page, the newest of each first."""
    rows = [
        [
            *([table_link(one["table"])] if tables else []),
            text(one["rule"]),
            _time(result),
            mark("good", "holds") if result["success"] else mark(KINDS.get(one["severity"], "bad"), "fails"),
            text(short(result["observed"])),
            text(wanted(result)),
            number(result["rows"]) + (f" <i>{result['late']:,} late</i>" if result["late"] else ""),
            _long(result["reason"]) if result["reason"] else "",
            text(result["version"]),
        ]
        for one in view["windows"]
        for result in one["results"]
    ]
    headers = [*(["table"] if tables else []), "rule", "window, UTC", "it", "observed", "wanted", "rows", "why"]
    words = [place for place, name in enumerate(headers) if name != "rows"]
    return grid([*headers, "rules' version"], rows, "no window has been judged yet", [*words, len(headers)])


def _breakers(view: Mapping[str, Any], *, may_act: bool) -> str:
    now = view["at"]

    def line(one: Mapping[str, Any]) -> list[str]:
        paused, rule = one["state"] == "paused", one["breaker"]
        state = mark("good", "closed")
        on = ""
        if paused:
            state = f"{mark('bad', 'paused')} <i>for {span(now - one['since_ms'] / 1000)}</i>"
            on = command(f"parrot breaker resume {shlex.quote(one['table'])}")
            if one["resume_ms"]:
                on = f"in {span((one['since_ms'] + one['resume_ms']) / 1000 - now)}, or by {on}"
            on += button("resume", "resume this table", {"table": one["table"]}) if may_act else ""
        trips = "paused by a person only"
        if rule is not None:
            within = span(rule["within_ms"] / 1000)
            trips = f"more than {share(rule['share'], 1)} of at least {rule['at_least']:,} rows fail in {within}"
        return [table_link(one["table"]), state, _long(one["reason"]) if paused else "", text(trips), on]

    headers = ["table", "breaker", "because", "trips when", "goes on"]
    rows = [line(one) for one in view["breakers"]]
    return listed(view, "breakers", headers, rows, "no table has one, and none is paused", (0, 1, 2, 3, 4))


def _rules(view: Mapping[str, Any]) -> str:
    rows = [
        [table_link(one["table"]), text(one["rule"]), number(one["failed"], "warn"), text(one["version"])]
        for one in view["rules"]
    ]
    return listed(view, "rules", ["table", "rule", "failed", "version"], rows, "no row has failed a rule", (0, 1, 3))


def _tables(view: Mapping[str, Any]) -> str:
    def line(one: Mapping[str, Any]) -> list[str]:
        return [
            table_link(one["table"]),
            number(one["captured"]),
            f"{number(one['quarantined'], 'warn')} <i>{share(one['quarantined'], one['captured'])}</i>",
            number(one["recently"], "warn"),
            number(one["dropped"], "warn"),
            "–" if one["check_us"] is None else f"{one['check_us']:.2f}",
        ]

    headers = ["table", "captured", "quarantined", "of the last 15 min", "dropped", "µs a row"]
    return listed(
        view, "tables", headers, [line(one) for one in view["tables"]], "no change has been captured yet", (0,)
    )


# -- values as words ---------------------------------------------------------------------------------------------------


def _long(value: object) -> str:
    return f'<span class="long">{text(value)}</span>'


def _time(result: Mapping[str, Any]) -> str:
    length = (result["end_ms"] - result["start_ms"]) / 1000
    return f"{clock(result['start_ms'])} <i>{f'+{span(length)}' if length else 'its columns'}</i>"


def wanted(result: Mapping[str, Any]) -> str:
    """The bounds of a result."""
    if isinstance(result["bounds"], str):  # only the beginning of them is kept
        return short(result["bounds"])
    bounds = {name: value for name, value in result["bounds"].items() if value is not None and name != "column"}
    return short(bounds if result["mostly"] == 1 else bounds | {"mostly": result["mostly"]})


def short(value: Any) -> str:
    """An observed value or bounds as a short text: the text of the rule's own JSON, a mapping without its brackets."""
    if isinstance(value, Mapping):
        made = ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    else:
        made = _plain(value)
    return made if len(made) <= LONGEST else f"{made[: LONGEST - 1]}…"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)

"""Schema, errors, agents and the cluster: a page each. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parrot_faust.web import judging
from parrot_faust.web.actions import button, careful, sign_in_link
from parrot_faust.web.fleet import Fleet
from parrot_faust.web.markup import command, listed, mark, number, page, rate, span, table_link, text, with_rest
from parrot_faust.web.overview import common
from parrot_faust.web.paging import WHOLE, Asked, beginning, cut
from parrot_faust.web.table_page import events

#: Lines of each list in a part of it.
HELD, EVENTS, GROUPS, AGENTS, WORKERS, OWNED = 40, 100, 60, 100, 50, 200

#: Makes a line of a schema change, which is work that only those that are shown are worth.
Event = Callable[[], dict[str, Any]]

VERDICTS = ("approve", "reject")
STEPS = ("decode", "check", "send", "write", "wait")


# -- schema ----------------------------------------------------------------------------------------------------------


def schema(
    whole: Mapping[str, Any],
    fleet: Fleet,
    known: Mapping[str, Any],
    found: Sequence[Event],
    held: list[dict[str, Any]],
    asked: Asked = WHOLE,
) -> dict[str, Any]:
    """What waits for a decision, and the newest changes of all tables. `found` makes those, the newest first."""
    made = common(whole, judging.judged(whole, fleet, known), known, asked) | {"held": held, "events": found}
    made = cut(made, asked, held=HELD, events=EVENTS)
    waiting = [one | {"reasons": [beginning("; ".join(one["reasons"]))]} for one in made["held"]]
    return made | {"held": waiting, "events": [event() for event in made["events"]]}


def schema_html(view: Mapping[str, Any], *, may_act: bool = False) -> str:
    """The page."""
    cases = "".join(
        f"<article><h3>{table_link(each['table'])}</h3><p>{text('; '.join(each['reasons']))}</p>"
        f'<div class="acts">{_verdicts(each, may_act=may_act)}</div>'
        f'<p class="about">or {" ".join(_said(word, each["table"]) for word in VERDICTS)}</p></article>'
        for each in view["held"]
    )
    waiting = with_rest(view, "held", cases or '<p class="empty">nothing waits</p>')
    parts = f"""<section><h2>Waiting for a decision</h2>{waiting}</section>
<section><h2>Changes</h2>{events(view, tables=True)}</section>"""
    return page("Schema", "/schema", dict(view), parts)


def _said(word: str, table: str) -> str:
    return command(f"parrot schema {word} {shlex.quote(table)}")


def _verdicts(each: Mapping[str, Any], *, may_act: bool) -> str:
    if not may_act:
        return sign_in_link("/schema", "decide here")
    return "".join(button(word, word, {"table": each["table"], "shape": each["shape"]}) for word in VERDICTS)


# -- errors ----------------------------------------------------------------------------------------------------------


def errors(
    whole: Mapping[str, Any],
    fleet: Fleet,
    known: Mapping[str, Any],
    groups: list[dict[str, Any]] | None,
    unread: str,
    asked: Asked = WHOLE,
) -> dict[str, Any]:
    """Dead letters that are open, by reason. `groups` is None while they are being read."""
    made = common(whole, judging.judged(whole, fleet, known), known, asked) | {"groups": groups or [], "unread": unread}
    made = cut(made, asked, groups=GROUPS)
    return made if groups is not None else made | {"groups": None}


def errors_html(view: Mapping[str, Any], *, may_act: bool = False) -> str:
    """The page."""
    now = view["at"]
    rows = [
        [
            table_link(each["topic"]),
            text(each["reason"]),
            text(each["stage"] + (f" ({each['sink']})" if each["sink"] else "")),
            mark("warn" if each["state"] != "forwarded" else "none", each["state"]),
            number(each["count"], "bad"),
            f"{span(now - each['first_ms'] / 1000)} ago",
            f"{span(now - each['last_ms'] / 1000)} ago",
            f'<div class="long">{_replayed(each)}'
            + (_seen_to(each, view["groups"]) if may_act else "<br>" + sign_in_link("/errors"))
            + "</div>",
        ]
        for each in view["groups"] or ()
    ]
    empty = "no dead letter is open" if view["groups"] is not None else "they are being read"
    if view["unread"]:
        empty = f"can't be read now: {text(view['unread'])}"
    headers = ["table", "reason", "stage", "state", "letters", "first", "newest", "send them again"]
    parts = f"""<section><h2>Dead letters that are open, by reason</h2>
{listed(view, "groups", headers, rows, empty, (0, 1, 2, 3, 7))}
<p class="about">What each reason means and what to do is in docs/errors.md.</p></section>"""
    return page("Errors", "/errors", dict(view), parts)


def _replayed(group: Mapping[str, Any]) -> str:
    topic, reason = shlex.quote(group["topic"]), group["reason"]
    return command(f"parrot deadletters replay --topic {topic} --reason {reason} --dry-run")


def _seen_to(group: Mapping[str, Any], groups: list[dict[str, Any]]) -> str:
    """What can be done about all open letters of a table and reason."""
    which = {"table": group["topic"], "reason": group["reason"]}
    count = sum(
        each["count"]
        for each in groups
        if (each["topic"], each["reason"]) == (group["topic"], group["reason"]) and each["state"] != "forwarded"
    )
    if not count:
        return ""  # all of them are on their way
    sure = button("discard", f"throw away {count:,}", which | {"letters": str(count)})
    return f'<div class="acts">{button("redrive", "send again", which)}{careful("discard …", sure)}</div>'


# -- agents ----------------------------------------------------------------------------------------------------------


def agents(whole: Mapping[str, Any], fleet: Fleet, known: Mapping[str, Any], asked: Asked = WHOLE) -> dict[str, Any]:
    """Each agent of each worker."""
    found = []
    for name, worker in whole["workers"].items():
        for agent, counters in worker["agents"].items():
            batches = max(1.0, counters["batches"])
            queue = worker["queues"].get(agent, [0, 0])
            found.append(
                {
                    "worker": f"{worker['host']}/{worker['worker']}",
                    "silent": name in whole["silent"],
                    "agent": agent,
                    "batches": int(counters["batches"]),
                    "changes": int(counters["changes"]),
                    "rate": round(counters["changes"] / max(1.0, worker["uptime"]), 1),
                    "ms_a_batch": {
                        step: round(counters[f"{step}_ms"] / batches, 2) for step in STEPS if f"{step}_ms" in counters
                    },
                    "queue_batches": queue[0],
                    "queue_bytes": queue[1],
                    "paused": bool(worker["sinks"].get(agent.removesuffix("_writer"), {}).get("paused_ms")),
                    "restarts": worker["sinks"].get(agent.removesuffix("_writer"), {}).get("restarts", 0),
                }
            )
    found.sort(key=lambda each: (each["agent"], each["worker"]))
    made = common(whole, judging.judged(whole, fleet, known), known, asked) | {"agents": found}
    return cut(made, asked, agents=AGENTS)


def agents_html(view: Mapping[str, Any]) -> str:
    """The page."""
    rows = [
        [
            mark("warn", f"{each['agent']}, paused") if each["paused"] else text(each["agent"]),
            mark("warn", f"{each['worker']}, silent") if each["silent"] else text(each["worker"]),
            number(each["batches"]),
            number(each["changes"]),
            rate(each["rate"]),
            *(f"{each['ms_a_batch'][step]:.2f}" if step in each["ms_a_batch"] else "" for step in STEPS),
            f"{each['queue_batches']} <i>{each['queue_bytes'] / 1e6:.1f} MB</i>" if each["queue_batches"] else "0",
            number(each["restarts"], "warn"),
        ]
        for each in view["agents"]
    ]
    headers = ["agent", "worker", "batches", "changes", "changes/s since start", *(f"{step} ms" for step in STEPS)]
    headers += ["in hand", "client restarts"]
    parts = f"""<section><h2>Agents</h2>
{listed(view, "agents", headers, rows, "no batch has been taken yet", (0, 1))}
<p class="about">Times are means of batches. In hand is what an agent has not settled.</p></section>"""
    return page("Agents", "/agents", dict(view), parts)


# -- the cluster -----------------------------------------------------------------------------------------------------


def cluster(whole: Mapping[str, Any], fleet: Fleet, known: Mapping[str, Any], asked: Asked = WHOLE) -> dict[str, Any]:
    """The workers and what each has."""
    found, owned = [], []
    for name, worker in whole["workers"].items():
        keys = ("host", "worker", "port", "version", "uptime", "memory", "cpu_s", "loop_lag_ms")
        found.append(
            {key: worker[key] for key in (*keys, "rebalances", "rebalancing", "generation")}
            | {"partitions": sum(len(some) for some in worker["partitions"].values())}
            | {"silent_s": round(whole["silent"].get(name, 0.0), 1)}
        )
        here = f"{worker['host']}/{worker['worker']}"
        owned += [{"topic": topic, "worker": here, "partitions": some} for topic, some in worker["partitions"].items()]
    owned.sort(key=lambda one: (one["topic"], one["worker"]))
    judged = judging.judged(whole, fleet, known)
    made = common(whole, judged, known, asked) | {"workers": found, "owned": owned}
    return cut(made, asked, workers=WORKERS, owned=OWNED)


def cluster_html(view: Mapping[str, Any]) -> str:
    """The page."""
    rows = []
    for each in view["workers"]:
        state = mark("good", "works")
        if each["silent_s"]:
            state = f"{mark('bad', 'silent')} <i>for {span(each['silent_s'])}</i>"
        elif each["rebalancing"]:
            state = mark("warn", "rebalances")
        late = each["loop_lag_ms"]
        rows.append(
            [
                text(f"{each['host']}/{each['worker']}"),
                state,
                text(each["version"]),
                span(each["uptime"]),
                str(each["partitions"]),
                number(each["rebalances"]),
                str(each["generation"]),
                f"{late['recent']:.0f} <i>most {late['max']:.0f}</i>",
                f"{each['memory'] / 1e6:.0f}",
                f"{100 * each['cpu_s'] / max(1.0, each['uptime']):.0f}",
                str(each["port"]),
            ]
        )
    headers = ["worker", "state", "version", "up", "partitions", "rebalances", "generation", "loop late, ms", "MB"]
    headers += ["CPU %", "page's port"]
    owned = [
        [text(one["topic"]), text(one["worker"]), text(", ".join(map(str, one["partitions"])))] for one in view["owned"]
    ]
    whose = listed(view, "owned", ["topic", "worker", "partitions"], owned, "no partition yet", (0, 1, 2))
    parts = f"""<section><h2>Workers</h2>{listed(view, "workers", headers, rows, "none", (0, 1, 2))}</section>
<section><h2>Who has what</h2>{whose}</section>"""
    return page("Cluster", "/cluster", dict(view), parts)

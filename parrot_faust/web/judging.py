"""How things stand: each table's state in words, and what needs a person, worst first. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from parrot_faust.web.fleet import Fleet
from parrot_faust.web.markup import table_path
from parrot_faust.web.paging import beginning

#: A share of a table's changes of the last quarter of an hour that rules held back, and how many: more is said.
MUCH_HELD, MANY_HELD = 0.05, 20
MANY_WAITING = 10_000  # records of a table that wait to be read
BLOCKED_MS = 500.0
NAMED = 3  # suspended rules of a table that are named where there is little room

#: Puts rule files that were mended in force.
APPLY = "parrot rules apply quality_rules/*.yaml"

#: States from the worst to the best, with the kind of their colour.
KINDS = {
    "stopped": "bad",
    "paused": "bad",
    "held": "bad",
    "away": "bad",
    "differs": "bad",
    "waits": "warn",
    "behind": "warn",
    "reading": "warn",
    "unchecked": "warn",
    "letters": "warn",
    "quarantine": "warn",
    "current": "good",
    "empty": "none",
}
RANK = {state: rank for rank, state in enumerate(KINDS)}


class Judged(NamedTuple):
    """Every table, what needs a person, and what is only worth a look; the worst first."""

    tables: list[dict[str, Any]]
    urgent: list[dict[str, Any]]
    watched: list[dict[str, Any]]


def judged(whole: Mapping[str, Any], fleet: Fleet, known: Mapping[str, Any]) -> Judged:
    """How things stand with everything."""
    lines = tables(whole, fleet, known)
    urgent: list[dict[str, Any]] = []
    watched: list[dict[str, Any]] = []
    for each in troubles(whole, lines, known):
        (urgent if each["act"] else watched).append(each)
    return Judged(lines, urgent, watched)


def tables(whole: Mapping[str, Any], fleet: Fleet, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every table, the worst first. `known` has what snapshots do not tell: schema changes, verifications, windows."""
    sinks = whole["sinks"]
    names = dict.fromkeys(whole["sources"])
    for sink in sinks.values():
        names.update(dict.fromkeys(sink["tables"]))
    for worker in whole["workers"].values():
        writes = f"{known['app']}.writes."
        names.update(dict.fromkeys(topic for topic in worker["partitions"] if not topic.startswith(writes)))
    stopped, suspended = by_table(whole["stopped"]), by_table(whole["suspended_rules"])
    made = [
        table(name, whole, fleet, known, stopped=stopped.get(name, []), suspended=len(suspended.get(name, [])))
        for name in names
    ]
    return sorted(
        made, key=lambda each: (RANK[each["state"]], -each["dead_lettered"], -each["quarantined"], each["table"])
    )


def by_table(found: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """What names a table, by that."""
    made: dict[str, list[Mapping[str, Any]]] = {}
    for one in found:
        made.setdefault(one["table"], []).append(one)
    return made


def table(
    name: str,
    whole: Mapping[str, Any],
    fleet: Fleet,
    known: Mapping[str, Any],
    *,
    stopped: list[Mapping[str, Any]],
    suspended: int,
) -> dict[str, Any]:
    """One table, as a line of the overview."""
    counts = whole["sources"].get(name, {})
    stores = {}
    refused = 0
    for sink, each in whole["sinks"].items():
        written = each["tables"].get(name)
        if written is not None:
            refused += written["dead_lettered"]
        stores[sink] = {
            "applied": written["applied"] if written else 0,
            "refused": written["dead_lettered"] if written else 0,
            "newest_ms": written["newest_us"] // 1000 if written else 0,
            "behind_since": whole["behind"].get(name, {}).get(sink, 0),
        }
    line = {
        "table": name,
        "rate": round(fleet.rate(name), 1),
        "captured": counts.get("captured", 0),
        "forwarded": counts.get("forwarded", 0),
        "quarantined": counts.get("quarantined", 0),
        "dropped": counts.get("dropped", 0),
        "dead_lettered": counts.get("dead_lettered", 0) + refused,
        "waiting": whole["waiting"].get(name, 0),
        "stores": stores,
        "schema_ms": known["schema_ms"].get(name, 0),
        "verified": known["verified"].get(name),
        "suspended": suspended,
        "failing": len(known["failing"].get(name, ())),
    }
    state, words, since = _state(name, line, whole, fleet, stopped)
    return line | {"state": state, "kind": KINDS[state], "words": words, "since": since}


def _state(
    name: str,
    line: Mapping[str, Any],
    whole: Mapping[str, Any],
    fleet: Fleet,
    stopped: list[Mapping[str, Any]],
) -> tuple[str, str, float]:
    if stopped:
        rules = ", ".join(stopped[0]["rules"])
        return "stopped", f"stopped by rule {rules}", stopped[0]["since_ms"] / 1000
    if name in whole["paused_tables"]:
        return "paused", "paused", whole["paused_tables"][name]["since_ms"] / 1000
    if name in whole["held_tables"]:
        return "held", "held: schema change", 0
    behind = whole["behind"].get(name, {})
    away = [sink for sink in behind if standing_of(whole["sinks"][sink]) == "away"]
    if away:
        return "away", f"{' and '.join(away)} away", min(behind[sink] for sink in away)
    if line["verified"] and line["verified"]["verdict"] == "unexplained":
        return "differs", f"{line['verified']['differences']:,} rows differ", 0
    paused = [sink for sink in behind if standing_of(whole["sinks"][sink]) == "paused"]
    if paused:
        return "waits", f"{' and '.join(paused)} paused", min(behind[sink] for sink in paused)
    if behind:
        return "behind", f"behind in {' and '.join(behind)}", min(behind.values())
    if line["waiting"] > MANY_WAITING:
        return "reading", f"{line['waiting']:,} to read", 0
    if line["suspended"]:
        return "unchecked", f"{_rules(line['suspended'])} suspended", 0
    if line["dead_lettered"]:
        return "letters", "current, dead letters", 0
    if line["quarantined"] >= MANY_HELD and much_held(name, fleet):
        return "quarantine", "current, many held", 0
    return ("current", "current", 0) if line["captured"] else ("empty", "no change yet", 0)


def standing_of(sink: Mapping[str, Any]) -> str:
    """How a store is with all workers: of one that is paused nobody knows whether it would answer."""
    if sink["paused_ms"]:
        return "paused"
    return "ok" if sink["state"] == "ok" else "away"


def much_held(name: str, fleet: Fleet) -> bool:
    """Whether rules held back an uncommon share of a table's changes lately."""
    held = fleet.recent("quarantined", name)
    return held >= MANY_HELD and held > MUCH_HELD * fleet.recent("captured", name)


def troubles(whole: Mapping[str, Any], lines: list[dict[str, Any]], known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is not as it should be: what, since when, what to run, and whether it needs a person."""
    found: list[dict[str, Any]] = []

    def say(
        what: str, words: str, command: str = "", since: float = 0, *, act: bool = True, table: str = "", page: str = ""
    ) -> None:
        page = page or (table_path(table) if table else "")
        told = {"what": what, "words": beginning(words), "command": command, "since": since, "act": act}
        found.append(told | {"table": table, "page": page})

    for name, sink in whole["sinks"].items():
        if standing_of(sink) == "paused":
            words = f"{sink['paused_reason']}. Its changes wait and nothing is lost; the other stores go on."
            command = f"parrot connector --sinks resume {shlex.quote(name)}"
            say(f"{name} is paused:", words, command, sink["paused_ms"] / 1000, page="/")
        elif sink["state"] != "ok":
            reason = str(sink["error"]).removeprefix(f"{name} is not available: ").removeprefix(f"{name}: ").rstrip(".")
            words = f"{reason}. It is tried again until it does; the other stores go on and nothing is lost."
            say(f"{name} does not answer:", words, "parrot status", sink["since_ms"] / 1000, page="/")
    for line in lines:
        _of_table(line, whole, say)
    for name, rules in by_table(whole["suspended_rules"]).items():
        say(name, _suspended(rules), APPLY, table=name)
    for name, failing in known["failing"].items():
        _of_windows(name, failing, say)
    for worker, seconds in whole["silent"].items():
        view = whole["workers"][worker]
        words = f"has said nothing for {seconds:.0f} s; the others take over its partitions. Its log says why."
        say(f"worker {view['host']}/{view['worker']}", words, act=False)
    for view in whole["workers"].values():
        if view["loop_lag_ms"].get("recent", 0) > BLOCKED_MS:
            words = f"is {view['loop_lag_ms']['recent']:.0f} ms late in its event loop: its machine is too busy"
            say(f"worker {view['host']}/{view['worker']}", words, act=False)
    return found


def _of_table(line: Mapping[str, Any], whole: Mapping[str, Any], say: Any) -> None:
    name, state = line["table"], line["state"]
    if state in ("current", "empty", "away") and not line["dead_lettered"]:
        return
    quoted = shlex.quote(name)
    if state == "stopped":
        words = "and nothing of that partition goes on: mend the row at the source, or the rule in its file"
        say(f"{name} is {line['words']}", words, APPLY, line["since"], table=name)
    elif state == "paused":
        reason = whole["paused_tables"][name]["reason"]
        say(f"{name} is paused:", reason, f"parrot breaker resume {quoted}", line["since"], table=name)
    elif state == "held":
        reasons = "; ".join(whole["held_tables"][name])
        what, approve = f"{name} waits for a decision on its new shape:", f"parrot schema approve {quoted}"
        say(what, reasons, approve, table=name, page="/schema")
    elif state == "differs":
        words = f"that nothing explains: {line['words']}"
        say(
            f"{name} is not equal to its source in a way", words, f"parrot verify --table {quoted} --repair", table=name
        )
    elif state in ("behind", "reading", "waits"):
        say(name, f"is {line['words']}", "", line["since"], act=False, table=name)
    elif state == "quarantine":
        show = f"parrot deadletters list --quarantine --topic {quoted}"
        say(name, "has many changes that rules hold back", show, act=False, table=name)
    if line["dead_lettered"]:
        letters = "dead letter" if line["dead_lettered"] == 1 else "dead letters"
        words = f"has {line['dead_lettered']:,} {letters} since its workers started"
        say(name, words, f"parrot deadletters list --topic {quoted}", act=False, table=name)


def _rules(count: int) -> str:
    return f"{count} {'rule' if count == 1 else 'rules'}"


def _suspended(rules: list[Mapping[str, Any]]) -> str:
    first = rules[0]
    if len(rules) == 1:
        return f"rule {first['rule']} is suspended, and nothing is checked by it: {first['reason']}"
    names = ", ".join(str(one["rule"]) for one in rules[:NAMED]) + (", ..." if len(rules) > NAMED else "")
    return f"{len(rules)} rules are suspended, and nothing is checked by them ({names}): {first['reason']}"


def _of_windows(name: str, failing: list[Mapping[str, Any]], say: Any) -> None:
    """Rules whose last window failed. That a table's changes do not come as they should needs a person."""
    first = next((one for one in failing if _urgent(one)), failing[0])
    why = first["results"][0]["reason"] or "it is not as the rule wants it"
    more = f", and {_rules(len(failing) - 1)} more" if len(failing) > 1 else ""
    words = f"fails rule {first['rule']} in its last window: {why}{more}; the quality page has all"
    say(name, words, "", first["failing_since_ms"] / 1000, act=_urgent(first), table=name, page="/quality")


def _urgent(one: Mapping[str, Any]) -> bool:
    return one["severity"] == "critical" and one["type"] in ("freshness", "volume")


def standing(whole: Mapping[str, Any], lines: list[dict[str, Any]], urgent: list[dict[str, Any]]) -> dict[str, str]:
    """All of it in a few words. `urgent` is what needs a person."""
    if urgent:
        stores: dict[str, list[str]] = {}
        for name, sink in whole["sinks"].items():
            stores.setdefault(standing_of(sink), []).append(name)
        stores.pop("ok", None)
        if sum(map(len, stores.values())) == len(urgent):
            words = ", ".join(f"{' and '.join(names)} {how}" for how, names in sorted(stores.items()))
            return {"kind": "bad", "words": words}
        return {
            "kind": "bad",
            "words": f"{len(urgent)} {'thing needs' if len(urgent) == 1 else 'things need'} a person",
        }
    behind = sum(line["state"] in ("behind", "reading", "waits") for line in lines)
    if behind:
        return {"kind": "warn", "words": f"{behind} {'table' if behind == 1 else 'tables'} behind"}
    if any(line["captured"] for line in lines):
        return {"kind": "good", "words": "all current"}
    return {"kind": "good", "words": "waiting for changes"}

"""A worker's own counters, so many tables at a time; `whole` puts the parts together again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from parrot_faust.web.paging import Asked, cut

TABLES = 50

#: What a snapshot says by table, and in lists of what names one.
_BY_TABLE = ("sources", "checked", "waiting", "held_tables", "partitions")
_LISTS = ("stopped", "rules", "paused_tables", "suspended_rules", "schema_changes", "schema_counts")


def stats_page(snapshot: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The part of a snapshot that is asked for: some tables, and all that belongs to none."""
    sinks = snapshot["sinks"]
    every = set(snapshot["topics"]).union(
        *(snapshot.get(name, ()) for name in _BY_TABLE), *(sink["tables"] for sink in sinks.values())
    )
    made = cut({**snapshot, "tables": sorted(every)}, asked, tables=TABLES)
    wanted = set(made["tables"])

    def by_table(found: Mapping[str, Any]) -> dict[str, Any]:
        return {table: value for table, value in found.items() if table in wanted}

    def naming(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in found if one["table"] in wanted]

    made |= {name: by_table(snapshot[name]) for name in _BY_TABLE if name in snapshot}
    made |= {name: naming(snapshot[name]) for name in _LISTS if name in snapshot}
    made["topics"] = [topic for topic in snapshot["topics"] if topic in wanted]
    made["sinks"] = {name: {**sink, "tables": by_table(sink["tables"])} for name, sink in sinks.items()}
    again = snapshot["redrive"]
    made["redrive"] = {"sources": by_table(again["sources"]), "sinks": naming(again["sinks"])}
    if "windows" in snapshot:
        made["windows"] = {name: naming(found) for name, found in snapshot["windows"].items()}
    return made


def whole(read: Callable[[str], dict[str, Any]], path: str = "/stats") -> dict[str, Any]:
    """All parts as one. `read` answers an address of the worker."""
    made = read(path)
    while path := made["lists"]["tables"]["next"]:
        made = _joined(made, read(path))
    return made


def _joined(one: Any, other: Any) -> Any:
    """Two parts as one: what is listed by table follows each other, of all else the newer counts."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{name: _joined(one[name], value) if name in one else value for name, value in other.items()}}
    if isinstance(one, list) and isinstance(other, list) and isinstance((one or other or [0])[0], dict | str):
        return one + other
    return other

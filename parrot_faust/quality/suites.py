"""A Great Expectations suite's JSON, read as it is."""

from __future__ import annotations

from typing import Any

from parrot_faust.errors import RuleError
from parrot_faust.quality.arguments import DURATION, duration_ms
from parrot_faust.quality.complaints import Complaints, cut
from parrot_faust.quality.conditions import ConditionError, text_of_tree
from parrot_faust.quality.expectations import EXPECTATIONS, Scope
from parrot_faust.quality.rule_reading import EVERY_OWN, OWN, RuleReader
from parrot_faust.quality.rules import Rule, RuleSet, When, Window
from parrot_faust.quality.trees import plain

#: What tells Great Expectations how to answer, and means nothing for a verdict.
_ASIDE = {"condition_parser", "result_format", "catch_exceptions", "include_config", "batch_id"}
EVERY, GRACE = "1m", "10s"  # the window of rules over many rows, unless `meta.parrot` of the suite says another


def read_suite(tree: dict[Any, Any], file: str) -> RuleSet:
    """Return the rule set of a suite. What Great Expectations has no word for stands in `meta.parrot`: of the suite
    `table`, `every`, `grace`; of an expectation whatever a rule file says beside a check. Raise RuleError.
    """
    complaints = Complaints(file)
    meta = _parrot(tree, complaints, {"table", "every", "grace"})
    whole = tree.get("meta")
    table = meta.get("table") or (whole.get("table") if isinstance(whole, dict) else None) or tree.get("name")
    if not isinstance(table, str) or not table:
        raise RuleError("the suite names no table: give it `meta.table`, or `name`", file=file)
    entries = tree["expectations"]
    if not isinstance(entries, list):
        raise complaints.at("`expectations` must hold a list", tree, "expectations")
    every, grace = (meta.get(name, default) for name, default in (("every", EVERY), ("grace", GRACE)))
    for name, value in (("every", every), ("grace", grace)):
        if not DURATION.holds(value):
            raise complaints.at(f"{name} must be {DURATION.says}, not {cut(value)}", tree, "meta")
    reader = RuleReader(complaints, When(), {})
    found: dict[Scope, list[Rule]] = {scope: [] for scope in Scope}
    for index in range(len(entries)):
        with complaints.gathering():
            rule = _rule(entries, index, complaints, reader)
            found[EXPECTATIONS[rule.type].scope].append(rule)
    complaints.raise_all()
    over = tuple(found[Scope.WINDOW])
    windows = (Window(duration_ms(every), duration_ms(grace), over),) if over else ()
    return RuleSet.of(table, When(), (*found[Scope.ROW], *found[Scope.CHANGE]), windows, tuple(found[Scope.SHAPE]))


def _rule(entries: list[Any], index: int, complaints: Complaints, reader: RuleReader) -> Rule:
    entry = entries[index]
    if not isinstance(entry, dict) or not isinstance(entry.get("type"), str):
        raise complaints.at(f"expectation {index} has no type", entries, index)
    given = entry.get("kwargs")
    if given is not None and not isinstance(given, dict):
        raise complaints.at("`kwargs:` must hold names and values", entry, "kwargs")
    kwargs = {
        str(name): plain(value) for name, value in (given or {}).items() if value is not None and name not in _ASIDE
    }
    own: dict[str, Any] = {name: kwargs.pop(name) for name in ("mostly", "row_condition") if name in kwargs}
    if isinstance(own.get("row_condition"), dict):
        try:
            own["row_condition"] = text_of_tree(own["row_condition"])
        except ConditionError as error:
            raise complaints.at(f"row_condition: {error}", given, "row_condition") from None
    if entry.get("severity") is not None:
        own["severity"] = plain(entry["severity"])
    own |= _parrot(entry, complaints, EVERY_OWN)
    expectation = EXPECTATIONS.get(entry["type"])
    if expectation is not None and own.get("mostly") == 1 and "mostly" not in OWN[expectation.scope]:
        own.pop("mostly")
    column = kwargs.get("column", "x")
    if not isinstance(column, str) or not column:
        raise complaints.at(f"{cut(column)} is no name of a column", given, "column")
    return reader.made(str(entry["type"]), None, "", kwargs, own, entry, "type")


def _parrot(tree: dict[Any, Any], complaints: Complaints, known: set[str]) -> dict[str, Any]:
    """What a suite or an expectation says in `meta.parrot`."""
    meta = tree.get("meta")
    given = meta.get("parrot") if isinstance(meta, dict) else None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise complaints.at("`meta.parrot` must hold names and values", meta, "parrot")
    for name in given:
        if name not in known:
            raise complaints.unknown(str(name), known, given, name)
    return {str(name): plain(value) for name, value in given.items()}

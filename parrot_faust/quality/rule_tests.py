"""Tests of rules, for their writers: cases of rows or changes, and what the rules should say of them.

A file holds ``cases``, each with ``name``, ``rules`` (a path, a rule file's content or a suite's), ``rows`` or
``changes``, and ``expect``. ``columns`` may give columns kinds, so that texts are read as dates and decimals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models import Change, Column, Kind, Op
from parrot_faust.errors import RuleError
from parrot_faust.quality.complaints import cut, near
from parrot_faust.quality.conditions import columns_of
from parrot_faust.quality.loading import load, load_tree
from parrot_faust.quality.repairs import value_for
from parrot_faust.quality.rules import RuleSet
from parrot_faust.quality.trees import plain, read_tree
from parrot_faust.quality.verdicts import judge_suite

KEYS = ("name", "rules", "rows", "changes", "columns", "expect")
EXPECTED = ("success", "unexpected_rows", "actions", "failed", "error")
#: Reads a file that a case names, by its path as it is written there.
Read = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, what was expected of it, and what came: only what was asked for."""

    name: str
    expected: Mapping[str, Any]
    got: Mapping[str, Any]

    @property
    def passed(self) -> bool:
        """Whether all of it came as expected; of an error, its text contains what was expected."""
        return all(_alike(name, wanted, self.got.get(name)) for name, wanted in self.expected.items())


def cases_of(text: str, file: str) -> list[Any] | None:
    """The cases of a file, None when it holds none. Raise RuleError for what can't be read."""
    if file.endswith(".json"):
        try:
            tree = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise RuleError(f"is no JSON: {error}", file=file) from None
    else:
        tree = read_tree(text, file)
    cases = tree.get("cases") if isinstance(tree, dict) else None
    if cases is not None and not isinstance(cases, list):
        raise RuleError("`cases:` must hold a list", file=file)
    return cases


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("found duplicate key")
    return found


def run_case(case: Any, file: str, read: Read) -> Outcome:
    """Run a case. Raise RuleError when it is none."""
    expected = _checked(case, file)
    name = str(case["name"])
    where = f"{file} ({name})"
    try:
        rules = _rules(case["rules"], where, read, refusal="error" in expected)
    except RuleError as error:
        return Outcome(name, expected, {"error": "\n".join(str(one) for one in (error, *error.also))})
    got = {key: value for key, value in _judged(rules, case, where).items() if key in expected or "error" in expected}
    return Outcome(name, expected, got)


def _checked(case: Any, file: str) -> dict[str, Any]:
    """What a case expects. Raise RuleError for a case that is none."""
    if not isinstance(case, dict) or not isinstance(case.get("name"), str):
        raise RuleError(
            f"a case has a name, rules, rows or changes, and what to expect; not {cut(plain(case))}", file=file
        )
    where = f"{file} ({case['name']})"
    for key in case:
        if key not in KEYS:
            raise RuleError(f"{key} is not known in a case; {near(str(key), KEYS)}", file=where)
    expected = plain(case.get("expect"))
    if not isinstance(expected, dict) or not expected:
        raise RuleError(f"`expect` holds any of {', '.join(EXPECTED)}", file=where)
    for key in expected:
        if key not in EXPECTED:
            raise RuleError(f"{key} can't be expected; {near(key, EXPECTED)}", file=where)
    if "rules" not in case:
        raise RuleError("a case needs `rules`: a path, a rule file's content, or a suite's", file=where)
    if "error" not in expected and ("rows" in case) is ("changes" in case):
        raise RuleError("a case needs either `rows` or `changes`", file=where)
    return expected


def _rules(rules: Any, where: str, read: Read, *, refusal: bool) -> RuleSet:
    if isinstance(rules, str):
        return load(read(rules), rules)
    if isinstance(rules, dict) and not refusal and not {"table", "expectations"} & set(rules):
        rules["table"] = "test"  # which table it is for does not matter here
    return load_tree(rules, where)


def _judged(rules: RuleSet, case: Any, where: str) -> dict[str, Any]:
    items = _list(case.get("rows"), where) if "rows" in case else _list(case.get("changes"), where)
    if "rows" in case:
        items = [{"op": "c", "after": row} for row in items]
    kinds = _kinds(case.get("columns"), where)
    rows = [row for item in items for row in _images(item, where)]
    present = dict.fromkeys(name for row in rows if row is not None for name in row)
    named = dict.fromkeys((*present, *kinds, *_named(rules)))
    columns = {name: kinds.get(name) for name in named}
    changes = []
    for index, item in enumerate(items):
        before, after = (_row(image, columns, where) for image in _images(item, where))
        changes.append(Change(Op(item["op"]), index, index, 0, (index,), before, after))
    verdict = judge_suite(rules, changes, columns, list(present))
    return {
        "success": verdict.success,
        "unexpected_rows": list(verdict.unexpected),
        "actions": ["pass" if action is None else str(action) for action in verdict.actions],
        "failed": [list(failed) for failed in verdict.failed],
        "why": {one.rule: one.reason or one.observed for one in verdict.rules if not one.success},
    }


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise RuleError("`rows` and `changes` hold lists", file=where)
    return value


def _images(item: Any, where: str) -> tuple[Any, Any]:
    if not isinstance(item, dict) or item.get("op") not in ("c", "u", "d", "r"):
        raise RuleError(f"a change is written {{op: c, before: ..., after: ...}}, not {cut(plain(item))}", file=where)
    images = (item.get("before"), item.get("after"))
    if any(image is not None and not isinstance(image, dict) for image in images):
        raise RuleError(f"a row holds columns and their values, not {cut(plain(item))}", file=where)
    return images


def _row(image: Any, columns: Mapping[str, Column | None], where: str) -> tuple[Any, ...] | None:
    if image is None:
        return None
    row = []
    for name, column in columns.items():
        value = plain(image.get(name))
        if column is not None and value is not None:
            try:
                value = value_for(value, column)
            except ValueError as error:
                raise RuleError(f"column {name}: {error}", file=where) from None
        row.append(value)
    return tuple(row)


def _kinds(given: Any, where: str) -> dict[str, Column]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise RuleError("`columns` holds columns and their kinds", file=where)
    for kind in given.values():
        if kind not in list(Kind):
            raise RuleError(f"{kind} is no kind; {near(str(kind), map(str, Kind))}", file=where)
    return {str(name): Column(str(name), Kind(kind)) for name, kind in given.items()}


def _named(rules: RuleSet) -> list[str]:
    """Every column that a rule about rows names: one that no row has is null."""
    names: list[str] = []
    for rule in (*rules.rules, *(rule for window in rules.windows for rule in window.rules)):
        names += rule.columns
        for text in (rule.row_condition, rule.kwargs.get("condition") if rule.type == "condition" else ""):
            names += sorted(columns_of(text)) if text else []
    return names


def _alike(name: str, wanted: Any, got: Any) -> bool:
    if name == "error":
        return isinstance(got, str) and str(wanted) in got
    if name == "actions" and isinstance(wanted, list):
        wanted = ["null" if action is None else action for action in wanted]  # YAML reads the word as nothing
    return type(wanted) is type(got) and bool(wanted == got)

"""A suite of Great Expectations as a rule file of the project's own, expectation by expectation. Pure.

It needs nothing of Great Expectations: a suite is plain JSON. Suites of versions before 1.0 name some things otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from parrot_faust.errors import RuleError
from parrot_faust.quality.loading import load, load_tree
from parrot_faust.quality.rules import Rule, RuleSet, When, Window
from parrot_faust.quality.suites import EVERY
from parrot_faust.quality.writing import duration, sections, text

#: Names of versions before 1.0, and today's.
_OLD_SUITE = {"expectation_suite_name": "name"}
_OLD_EXPECTATION = {"expectation_type": "type"}


class Refused(NamedTuple):
    """An expectation that can't be taken: its number in the suite from 0 on, its name, and the reason."""

    number: int
    name: str
    reason: str


class Imported(NamedTuple):
    """What was made of a suite. `text` is the rule file, empty where nothing could be taken."""

    suite: str
    table: str
    taken: int
    refused: tuple[Refused, ...]
    text: str
    #: Whether the table was only guessed: the suite names none, so its own name stands there.
    guessed: bool


def suite_of(data: str, file: str) -> dict[str, Any]:
    """The tree of a suite's JSON, in today's names. Raise RuleError for what is no suite."""
    try:
        tree = json.loads(data)
    except json.JSONDecodeError as error:
        raise RuleError(f"is no JSON: {error.msg}", file=file, line=error.lineno, column=error.colno) from None
    except RecursionError:
        raise RuleError("it is nested too deeply", file=file) from None
    if not isinstance(tree, dict) or not isinstance(tree.get("expectations"), list):
        raise RuleError("is no suite: it has no list of `expectations`", file=file)
    tree = _renamed(tree, _OLD_SUITE)
    return {**tree, "expectations": [_renamed(one, _OLD_EXPECTATION) for one in tree["expectations"]]}


def imported(tree: Mapping[str, Any], file: str, table: str = "") -> Imported:
    """Make a rule file of a suite. `table` is the source topic; else the suite's `meta` says it, or its name is taken.

    Raise RuleError where the suite as a whole says what can't be.
    """
    suite = {**tree, "expectations": []}
    guessed = not table and not _says_table(tree)
    empty = load_tree({**suite, "name": tree.get("name") or table}, file)
    name, topic = str(tree.get("name") or empty.table), table or empty.table
    found: list[RuleSet] = []
    refused: list[Refused] = []
    for number, one in enumerate(tree["expectations"]):
        try:
            found.append(load_tree({**suite, "name": topic, "expectations": [one]}, ""))
        except RuleError as error:
            kind = one.get("type") if isinstance(one, dict) else None
            refused.append(Refused(number, str(kind or "no name"), _line(error.message)))
    if not found:
        return Imported(name, topic, 0, tuple(refused), "", guessed)
    written = "\n".join(_lines(name, topic, found, refused, guessed)) + "\n"
    load(written, file)  # what is handed out can be read
    return Imported(name, topic, len(found), tuple(refused), written, guessed)


def _lines(name: str, table: str, found: list[RuleSet], refused: list[Refused], guessed: bool) -> Iterator[str]:
    rules = tuple(rule for one in found for rule in one.rules)
    shape = tuple(rule for one in found for rule in one.shape)
    windows = [window for one in found for window in one.windows]
    over: tuple[Rule, ...] = tuple(rule for window in windows for rule in window.rules)
    whole = (Window(windows[0].every_ms, windows[0].grace_ms, over),) if windows else ()
    count = f"{len(found):,} of {len(found) + len(refused):,} expectations"
    yield f"# Of the suite {_line(name)} of Great Expectations: {count}."
    for one in refused:
        yield f"# Not taken: expectation {one.number}, {_line(one.name)}: {one.reason}"
    if guessed:
        yield "# The suite names no table. Write the source topic here, for example shop.public.orders."
    if windows and duration(windows[0].every_ms) == EVERY:
        yield f"# What is about many rows is judged every {EVERY}: choose a time that has enough of them."
    yield "version: 1"
    yield f"table: {text(table)}"
    yield from sections(RuleSet.of(table, When(), rules, whole, shape))


def _renamed(tree: Any, names: Mapping[str, str]) -> Any:
    if not isinstance(tree, dict):
        return tree
    return {(names.get(key, key) if names.get(key) not in tree else key): value for key, value in tree.items()}


def _says_table(tree: Mapping[str, Any]) -> bool:
    meta = tree.get("meta")
    if not isinstance(meta, dict):
        return False
    own = meta.get("parrot")
    return bool(meta.get("table") or (isinstance(own, dict) and own.get("table")))


def _line(words: str) -> str:
    """Words on one line, of characters that a comment may hold."""
    return "".join(one if one.isprintable() else " " for one in words)

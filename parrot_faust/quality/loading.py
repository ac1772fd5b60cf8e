"""Reading a rule file: YAML 1.2, or a Great Expectations suite's JSON as it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from models import Action, Kind, Severity
from parrot_faust.errors import RuleError
from parrot_faust.quality.arguments import is_number
from parrot_faust.quality.conditions import ConditionError, columns_of
from parrot_faust.quality.expectations import EXPECTATIONS, Expectation, full_name, short_name
from parrot_faust.quality.refused import NOT_HERE
from parrot_faust.quality.rules import Rule, RuleSet, When
from parrot_faust.quality.trees import plain, read_tree

MAX_BYTES = 1 << 20
TOP = {"version", "table", "when", "defaults", "columns", "rows"}
_LATER = {"windows", "transitions", "immutable", "monotonic", "schema", "breaker"}
OWN = {"mostly", "severity", "action", "row_condition", "id"}
DEFAULTS = {"severity", "action"}
OPS = {"c", "u", "r", "d"}
_CHOICES: dict[str, type[StrEnum]] = {"action": Action, "severity": Severity}


def load(text: str, file: str) -> RuleSet:
    """Return the rule set of a file's text. Raise RuleError with file, line, column and what was meant."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise RuleError(f"a rule file has at most {MAX_BYTES} bytes", file=file)
    try:
        return _Reader(file, read_tree(text, file)).read()
    except UnicodeEncodeError:
        raise RuleError("holds half of a character", file=file) from None


class _Reader:
    def __init__(self, file: str, tree: CommentedMap) -> None:
        self._file, self._tree = file, tree
        self._ids: set[str] = set()
        self._defaults: dict[str, Any] = {}

    def read(self) -> RuleSet:
        tree = self._tree
        if "expectations" in tree:
            return self._suite()
        for name in tree:
            if name in _LATER:
                raise self._error(f"`{name}` is not supported by this version", tree, name)
            if name not in TOP:
                raise self._unknown(str(name), TOP, tree, name)
        table = tree.get("table")
        if not isinstance(table, str) or not table:
            raise RuleError(
                "`table:` is missing: name the source topic, for example shop.public.orders", file=self._file
            )
        if tree.get("version", 1) != 1 or isinstance(tree.get("version"), bool):
            raise self._error(f"version {tree['version']!r} is not known; it is 1", tree, "version")
        self._defaults = self._mapping(tree, "defaults", DEFAULTS)
        for name, value in self._defaults.items():
            self._own({name: value}, tree["defaults"], name)
        rules = []
        columns = tree["columns"] if tree.get("columns") is not None else CommentedMap()
        if not isinstance(columns, CommentedMap):
            raise self._error("`columns:` must hold columns with a list of checks each", tree, "columns")
        for column, checks in columns.items():
            if not isinstance(column, str) or not column:
                raise self._error(f"{column!r} is no name of a column; quote it if it is one", columns, column)
            if not isinstance(checks, CommentedSeq):
                raise self._error(f"`{column}` must hold a list of checks", columns, column)
            rules += [self._rule(checks, index, column) for index in range(len(checks))]
        rows = tree["rows"] if tree.get("rows") is not None else CommentedSeq()
        if not isinstance(rows, CommentedSeq):
            raise self._error("`rows:` must hold a list of checks", tree, "rows")
        rules += [self._rule(rows, index, "") for index in range(len(rows))]
        return RuleSet.of(table, self._when(), tuple(rules))

    def _suite(self) -> RuleSet:
        tree = self._tree
        meta = tree.get("meta")
        table = (meta.get("table") if isinstance(meta, CommentedMap) else None) or tree.get("name")
        if not isinstance(table, str) or not table:
            raise RuleError("the suite names no table: give it `meta.table`, or `name`", file=self._file)
        entries = tree["expectations"]
        if not isinstance(entries, CommentedSeq):
            raise self._error("`expectations` must hold a list", tree, "expectations")
        rules = []
        for index, entry in enumerate(entries):
            if not isinstance(entry, CommentedMap) or not isinstance(entry.get("type"), str):
                raise self._error(f"expectation {index} has no type", entries, index)
            given = self._mapping(entry, "kwargs", None)
            kwargs = {name: value for name, value in given.items() if value is not None}
            own: dict[str, Any] = {name: kwargs.pop(name) for name in ("mostly", "row_condition") if name in kwargs}
            kwargs.pop("condition_parser", None)
            if entry.get("severity") is not None:
                own["severity"] = plain(entry["severity"])
            column = kwargs.pop("column", "")
            if not isinstance(column, str):
                raise self._error(f"{column!r} is no name of a column", entry, "kwargs")
            rules.append(self._made(entry["type"], column, kwargs, own, entry, "type"))
        return RuleSet.of(table, When(), tuple(rules))

    def _when(self) -> When:
        when = self._mapping(self._tree, "when", {"ops", "image"})
        ops = when.get("ops", list(When().ops))
        if not isinstance(ops, list) or not ops or not all(isinstance(op, str) and op in OPS for op in ops):
            raise self._error(f"`ops` is a list with some of {', '.join(sorted(OPS))}, not {ops!r}", self._tree, "when")
        image = when.get("image", "after")
        if image not in ("before", "after"):
            raise self._error(f"`image` is before or after, not {image!r}", self._tree, "when")
        return When(tuple(ops), image)

    def _mapping(self, tree: CommentedMap, name: str, known: set[str] | None) -> dict[str, Any]:
        found = tree[name] if tree.get(name) is not None else CommentedMap()
        if not isinstance(found, CommentedMap):
            raise self._error(f"`{name}:` must hold names and values", tree, name)
        for key in found:
            if known is not None and key not in known:
                raise self._unknown(str(key), known, found, key)
        return {str(key): plain(value) for key, value in found.items()}

    def _rule(self, checks: CommentedSeq, index: int, column: str) -> Rule:
        check = checks[index]
        if isinstance(check, str):
            return self._made(check, column, {}, {}, checks, index)
        if not isinstance(check, CommentedMap):
            raise self._error(f"{check!r} is no check", checks, index)
        own = {name: plain(check[name]) for name in OWN if name in check}
        names = [name for name in check if name not in OWN]
        if len(names) > 1 and sum(full_name(str(name)) in EXPECTATIONS for name in names) == 1:
            wrong = next(name for name in names if full_name(str(name)) not in EXPECTATIONS)
            raise self._unknown(str(wrong), OWN, check, wrong)
        if len(names) != 1:
            raise self._error(f"a check names one expectation, this one {len(names)}: {names}", checks, index)
        value = plain(check[names[0]])
        name = full_name(str(names[0]))
        if isinstance(value, dict):
            kwargs = value
            own |= {key: kwargs.pop(key) for key in sorted(OWN & set(kwargs))}
        elif name in EXPECTATIONS and EXPECTATIONS[name].short:
            kwargs = {EXPECTATIONS[name].short: value}
        elif value is None or value is True or name not in EXPECTATIONS:
            kwargs = {}
        else:
            raise self._error(f"{names[0]} takes named arguments", check, names[0])
        return self._made(str(names[0]), column, kwargs, own, check, names[0])

    def _made(self, name: str, column: str, kwargs: dict[str, Any], own: dict[str, Any], tree: Any, at: Any) -> Rule:
        full = full_name(name)
        if full in NOT_HERE:
            raise self._error(f"{name} is not supported: {NOT_HERE[full]}", tree, at)
        expectation = EXPECTATIONS.get(full)
        if expectation is None:
            known = {*EXPECTATIONS, *(short_name(one) for one in EXPECTATIONS)}
            raise self._unknown(name, known, tree, at)
        named = expectation.named()
        for argument, value in kwargs.items():
            if argument not in named:
                raise self._unknown(str(argument), named.keys(), *_spot(tree, at, argument))
            if not named[argument].holds(value):
                raise self._error(
                    f"{argument} must be {named[argument].says}, not {_cut(value)}", *_spot(tree, at, argument)
                )
        if missing := [argument for argument in expectation.needed() if argument not in kwargs]:
            raise self._error(f"{short_name(full)} needs {missing[0]}", tree, at)
        if expectation.some and not set(expectation.some) & set(kwargs):
            raise self._error(f"{short_name(full)} needs {' or '.join(expectation.some)}", tree, at)
        if expectation.pair and column:
            raise self._error(f"{short_name(full)} compares two columns: put it below `rows:`", tree, at)
        if not expectation.pair and not column:
            raise self._error(f"{short_name(full)} is a check of a column: put it below `columns:`", tree, at)
        try:
            _try(expectation, kwargs)
        except ValueError as error:
            raise self._error(f"{short_name(full)}: {error}", tree, at) from None
        return self._finished(full, column, kwargs, self._own(own, tree, at))

    def _own(self, own: dict[str, Any], tree: Any, at: Any) -> dict[str, Any]:
        """Return what a rule says beside its expectation, as the types that stand for it."""
        found: dict[str, Any] = {}
        for name, value in own.items():
            if name == "mostly":
                if not is_number(value) or not 0 <= value <= 1:
                    raise self._error(f"mostly is a share between 0 and 1, not {_cut(value)}", *_spot(tree, at, name))
                found[name] = float(value)
            elif name in _CHOICES:
                if value not in list(_CHOICES[name]):
                    known = [str(one) for one in _CHOICES[name]]
                    hint = _near(str(value), known)
                    raise self._error(f"{name} can't be {_cut(value)}; {hint}", *_spot(tree, at, name))
                found[name] = _CHOICES[name](value)
            elif not isinstance(value, str) or not value:
                raise self._error(f"{name} must be a text, not {_cut(value)}", *_spot(tree, at, name))
            else:
                found[name] = value
        try:
            columns_of(found["row_condition"]) if "row_condition" in found else None
        except ConditionError as error:
            raise self._error(f"row_condition: {error}", *_spot(tree, at, "row_condition")) from None
        return found

    def _finished(self, full: str, column: str, kwargs: dict[str, Any], own: dict[str, Any]) -> Rule:
        subject = column or f"{kwargs.get('column_A')}.{kwargs.get('column_B')}"
        base = identity = own.pop("id", "") or f"{subject}.{short_name(full)}"
        number = 1
        while identity in self._ids:
            number += 1
            identity = f"{base}.{number}"
        self._ids.add(identity)
        defaults = {name: _CHOICES[name](value) for name, value in self._defaults.items()}
        return Rule(identity, full, column, kwargs, **{**defaults, **own})

    def _error(self, message: str, tree: Any, at: Any) -> RuleError:
        try:
            line, column = tree.lc.item(at) if isinstance(tree, CommentedSeq) else tree.lc.key(at)
        except (AttributeError, KeyError, TypeError, IndexError):
            return RuleError(message, file=self._file)
        return RuleError(message, file=self._file, line=line + 1, column=column + 1)

    def _unknown(self, name: str, known: Iterable[str], tree: Any, at: Any) -> RuleError:
        return self._error(f"{name} is not known here; {_near(name, known)}", tree, at)


def _spot(tree: Any, at: Any, name: str) -> tuple[Any, Any]:
    """Where `name` is written: in the check's arguments, in a suite's, or beside the check; else where that is."""
    if isinstance(tree, CommentedMap):
        for holder in (tree.get(at), tree.get("kwargs"), tree):
            if isinstance(holder, CommentedMap) and name in holder:
                return holder, name
    return tree, at


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"did you mean {near[0]}?" if near else f"there is {', '.join(sorted(known)) or 'none'}"


def _try(expectation: Expectation, kwargs: dict[str, Any]) -> None:
    """Make the check as far as that can be done before the table is known. Raise ValueError."""
    if any(isinstance(kwargs.get(bound), str) for bound in ("min_value", "max_value")):
        return  # what the text means is for the column to say
    kind = Kind.STRING if "regex" in kwargs else Kind.INT64
    expectation.make(kwargs, (kind,) * len(expectation.columns))


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

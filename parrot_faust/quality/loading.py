"""Reading a rule file: YAML 1.2, or a Great Expectations suite's JSON as it is."""

from __future__ import annotations

import difflib
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from models import Action, Kind, Severity
from parrot_faust.errors import RuleError
from parrot_faust.quality.conditions import ConditionError, columns_of
from parrot_faust.quality.expectations import EXPECTATIONS, NOT_HERE, SHORT_ARGUMENT, full_name, short_name
from parrot_faust.quality.rules import Rule, RuleSet, When

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
_TOP = {"version", "table", "when", "defaults", "columns", "rows"}
_LATER = {"windows", "transitions", "immutable", "monotonic", "schema", "breaker"}
_OWN = {"mostly", "severity", "action", "row_condition", "id"}
_OPS = {"c", "u", "r", "d"}


def load(text: str, file: str) -> RuleSet:
    """Return the rule set of a file's text. Raise RuleError with file, line, column and what was meant."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise RuleError(f"a rule file has at most {MAX_BYTES} bytes", file=file)
    return _Reader(file, _tree(text, file)).read()


def _tree(text: str, file: str) -> CommentedMap:
    bare = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|(?m:#.*$)", lambda match: " " * len(match[0]), text)
    if match := re.search(r"(?m)(?:^|[\s\[{,:-])(?:&\w|\*\w|!\w|!!|!<)", bare):
        raise RuleError(
            "tags, anchors and aliases are not allowed here", file=file, line=text.count("\n", 0, match.start()) + 1
        )
    if re.search(rf"(?:\[\s*){{{MAX_DEPTH},}}|(?:{{\s*){{{MAX_DEPTH},}}", bare):
        raise RuleError("it is nested too deeply", file=file)
    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = {"line": mark.line + 1, "column": mark.column + 1} if mark else {}
        raise RuleError(str(error.problem or "is no YAML"), file=file, **where) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise RuleError(f"is no YAML: {error}", file=file) from None
    if not isinstance(tree, CommentedMap):
        raise RuleError("must hold names and values, beginning with `table:`", file=file)
    return tree


class _Reader:
    def __init__(self, file: str, tree: CommentedMap) -> None:
        self._file, self._tree = file, tree
        self._ids: dict[str, int] = {}
        self._defaults: dict[str, Any] = {}

    def read(self) -> RuleSet:
        tree = self._tree
        if "expectations" in tree:
            return self._suite()
        for name in tree:
            if name in _LATER:
                raise self._error(f"`{name}` is not supported by this version", tree, name)
            if name not in _TOP:
                raise self._unknown(str(name), _TOP, tree, name)
        table = tree.get("table")
        if not isinstance(table, str) or not table:
            raise RuleError(
                "`table:` is missing: name the source topic, for example shop.public.orders", file=self._file
            )
        if tree.get("version", 1) != 1:
            raise self._error(f"version {tree['version']!r} is not known; it is 1", tree, "version")
        self._defaults = self._mapping(tree, "defaults", {"severity", "action"})
        rules = []
        columns = tree.get("columns") or CommentedMap()
        if not isinstance(columns, CommentedMap):
            raise self._error("`columns:` must hold columns with a list of checks each", tree, "columns")
        for column, checks in columns.items():
            if not isinstance(checks, CommentedSeq):
                raise self._error(f"`{column}` must hold a list of checks", columns, column)
            rules += [self._rule(checks, index, str(column)) for index in range(len(checks))]
        rows = tree.get("rows") or CommentedSeq()
        if not isinstance(rows, CommentedSeq):
            raise self._error("`rows:` must hold a list of checks", tree, "rows")
        rules += [self._rule(rows, index, "") for index in range(len(rows))]
        return RuleSet.of(table, self._when(), tuple(rules))

    def _suite(self) -> RuleSet:
        tree = self._tree
        table = (tree.get("meta") or {}).get("table") or tree.get("name")
        rules = []
        for index, entry in enumerate(tree["expectations"]):
            if not isinstance(entry, CommentedMap) or "type" not in entry:
                raise RuleError(f"expectation {index} has no type", file=self._file)
            kwargs = {str(key): _plain(value) for key, value in (entry.get("kwargs") or {}).items()}
            own: dict[str, Any] = {name: kwargs.pop(name) for name in ("mostly", "row_condition") if name in kwargs}
            kwargs.pop("condition_parser", None)
            if "severity" in entry:
                own["severity"] = entry["severity"]
            rules.append(self._made(str(entry["type"]), kwargs.pop("column", ""), kwargs, own, entry, "type"))
        return RuleSet.of(str(table), When(), tuple(rules))

    def _when(self) -> When:
        when = self._mapping(self._tree, "when", {"ops", "image"})
        ops = tuple(when.get("ops", When().ops))
        if not ops or not set(ops) <= _OPS:
            raise self._error(f"`ops` are some of {', '.join(sorted(_OPS))}, not {list(ops)}", self._tree, "when")
        image = when.get("image", "after")
        if image not in ("before", "after"):
            raise self._error(f"`image` is before or after, not {image!r}", self._tree, "when")
        return When(ops, image)

    def _mapping(self, tree: CommentedMap, name: str, known: set[str]) -> dict[str, Any]:
        found = tree.get(name) or CommentedMap()
        if not isinstance(found, CommentedMap):
            raise self._error(f"`{name}:` must hold names and values", tree, name)
        for key in found:
            if key not in known:
                raise self._unknown(str(key), known, found, key)
        return {str(key): _plain(value) for key, value in found.items()}

    def _rule(self, checks: CommentedSeq, index: int, column: str) -> Rule:
        check = checks[index]
        if isinstance(check, str):
            return self._made(check, column, {}, {}, checks, index)
        if not isinstance(check, CommentedMap):
            raise self._error(f"{check!r} is no check", checks, index)
        own = {name: _plain(check[name]) for name in _OWN if name in check}
        names = [name for name in check if name not in _OWN]
        if len(names) != 1:
            raise self._error(f"a check names one expectation, this one {len(names)}: {names}", checks, index)
        value = _plain(check[names[0]])
        name = full_name(str(names[0]))
        if isinstance(value, dict):
            kwargs = value
            own |= {key: kwargs.pop(key) for key in _OWN & set(kwargs)}
        elif name in SHORT_ARGUMENT:
            kwargs = {SHORT_ARGUMENT[name]: value}
        elif value is None or value is True:
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
        allowed = {*expectation.arguments, *(expectation.columns if len(expectation.columns) > 1 else ())}
        for argument in kwargs:
            if argument not in allowed:
                raise self._unknown(str(argument), allowed, tree, at)
        for argument in (*expectation.required, *(expectation.columns if len(expectation.columns) > 1 else ())):
            if argument not in kwargs:
                raise self._error(f"{short_name(full)} needs {argument}", tree, at)
        if len(expectation.columns) == 1 and not column:
            raise self._error(f"{short_name(full)} is a check of a column: put it below `columns:`", tree, at)
        try:
            expectation.make(kwargs, (Kind.INT64,) if "min_value" not in kwargs else (_kind_for(kwargs),))
        except (ValueError, TypeError, re.error) as error:
            raise self._error(f"{short_name(full)}: {error}", tree, at) from None
        return self._finished(full, column, kwargs, own, tree, at)

    def _finished(
        self, full: str, column: str, kwargs: dict[str, Any], own: dict[str, Any], tree: Any, at: Any
    ) -> Rule:
        condition = str(own.get("row_condition", ""))
        try:
            if condition:
                columns_of(condition)
            action = Action(own.get("action", self._defaults.get("action", Action.QUARANTINE)))
            severity = Severity(own.get("severity", self._defaults.get("severity", Severity.CRITICAL)))
            mostly = float(own.get("mostly", 1.0))
        except ConditionError as error:
            raise self._error(f"row_condition: {error}", tree, at) from None
        except ValueError as error:
            raise self._error(str(error), tree, at) from None
        if not 0 <= mostly <= 1:
            raise self._error(f"mostly is a share between 0 and 1, not {mostly}", tree, at)
        subject = column or f"{kwargs.get('column_A')}.{kwargs.get('column_B')}"
        base = str(own.get("id") or f"{subject}.{short_name(full)}")
        self._ids[base] = self._ids.get(base, 0) + 1
        identity = base if self._ids[base] == 1 else f"{base}.{self._ids[base]}"
        return Rule(identity, full, column, kwargs, action, severity, mostly, condition)

    def _error(self, message: str, tree: Any, at: Any) -> RuleError:
        try:
            line, column = tree.lc.item(at) if isinstance(tree, CommentedSeq) else tree.lc.key(at)
        except (AttributeError, KeyError, TypeError, IndexError):
            return RuleError(message, file=self._file)
        return RuleError(message, file=self._file, line=line + 1, column=column + 1)

    def _unknown(self, name: str, known: set[str], tree: Any, at: Any) -> RuleError:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(sorted(known)) or 'none'}"
        return self._error(f"{name} is not known here; {hint}", tree, at)


def _kind_for(kwargs: dict[str, Any]) -> Kind:
    """A kind by which bounds can be tried before the table is known."""
    bounds = [value for value in (kwargs.get("min_value"), kwargs.get("max_value")) if value is not None]
    return Kind.STRING if any(isinstance(bound, str) for bound in bounds) else Kind.INT64


def _plain(value: Any) -> Any:
    if isinstance(value, CommentedMap):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, CommentedSeq):
        return [_plain(inner) for inner in value]
    for kind in (bool, int, float, str):  # ruamel's own subclasses keep the file's spelling, which nobody here needs
        if isinstance(value, kind):
            return kind(value)
    return value

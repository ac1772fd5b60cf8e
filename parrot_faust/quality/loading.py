"""Reading a rule file: YAML 1.2, or a Great Expectations suite's JSON as it is."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from parrot_faust.errors import RuleError
from parrot_faust.quality.arguments import DURATION, duration_ms, is_number
from parrot_faust.quality.complaints import Complaints, cut, near
from parrot_faust.quality.expectations import Scope
from parrot_faust.quality.rule_reading import CHOICES, DEFAULTS, OWN, RuleReader, ops_of
from parrot_faust.quality.rules import EXACT, Breaker, Rule, RuleSet, When, Window
from parrot_faust.quality.suites import read_suite
from parrot_faust.quality.trees import plain, read_tree

MAX_BYTES = 1 << 20
TOP = {
    "version", "table", "when", "defaults", "columns", "rows", "transitions", "immutable", "monotonic", "windows",
    "schema", "breaker",
}  # fmt: skip
WINDOW = ("every", "grace", "exact", "checks")
MOST_EXACT = 50_000  # the values of all rules of all open windows of a table travel in one message
GRACE = "10s"  # events of one moment arrive within seconds of each other; a window waits so long for late ones


def load(text: str, file: str) -> RuleSet:
    """Return the rule set of a file's text. Raise RuleError with file, line, column and what was meant."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise RuleError(f"a rule file has at most {MAX_BYTES} bytes", file=file)
    return load_tree(read_tree(text, file), file)


def load_tree(tree: Any, file: str) -> RuleSet:
    """Return the rule set of a tree: that of a file, or plain mappings and lists. Raise RuleError."""
    try:
        if not isinstance(tree, dict):
            raise RuleError("must hold names and values, beginning with `table:`", file=file)
        return read_suite(tree, file) if "expectations" in tree else _Reader(file, tree).read()
    except UnicodeEncodeError:
        raise RuleError("holds half of a character", file=file) from None


class _Reader:
    def __init__(self, file: str, tree: dict[Any, Any]) -> None:
        self._file, self._tree = file, tree
        self._complaints = Complaints(file)

    def read(self) -> RuleSet:
        gathering, tree = self._complaints.gathering, self._tree
        for name in tree:
            if name not in TOP:
                self._complaints.note(self._complaints.unknown(str(name), TOP, tree, name))
        table = tree.get("table")
        with gathering():
            if not isinstance(table, str) or not table:
                raise RuleError(
                    "`table:` is missing: name the source topic, for example shop.public.orders", file=self._file
                )
        with gathering():
            if tree.get("version", 1) != 1 or isinstance(tree.get("version"), bool):
                raise self._complaints.at(f"version {plain(tree['version'])!r} is not known; it is 1", tree, "version")
        when, defaults = When(), {}
        with gathering():
            when = self._when()
        with gathering():
            defaults = self._defaults()
        self._rules = RuleReader(self._complaints, when, defaults)
        rules = [*self._columns(), *self._listed("rows"), *self._transitions(), *self._changes("immutable")]
        rules += self._changes("monotonic")
        windows = self._windows()
        shape = self._listed("schema", Scope.SHAPE)
        breaker = None
        with gathering():
            breaker = self._breaker()
        self._complaints.raise_all()
        return RuleSet.of(table, when, tuple(rules), tuple(windows), tuple(shape), breaker)

    # -- the parts of a file -----------------------------------------------------------------------------------------

    def _columns(self) -> list[Rule]:
        rules: list[Rule] = []
        for column, checks in self._mapping("columns", "columns with a list of checks each").items():
            columns = self._tree["columns"]
            with self._complaints.gathering():
                if not isinstance(column, str) or not column:
                    raise self._complaints.at(
                        f"{column!r} is no name of a column; quote it if it is one", columns, column
                    )
                if not isinstance(checks, list):
                    raise self._complaints.at(f"`{column}` must hold a list of checks", columns, column)
                rules += self._checks(checks, column, Scope.ROW)
        return rules

    def _checks(self, checks: list[Any], column: str, scope: Scope) -> list[Rule]:
        rules = []
        for index in range(len(checks)):
            with self._complaints.gathering():
                rules.append(self._rules.check(checks, index, column, scope))
        return rules

    def _listed(self, name: str, scope: Scope = Scope.ROW) -> list[Rule]:
        return self._checks(self._list(name, "checks"), "", scope)

    def _transitions(self) -> list[Rule]:
        rules: list[Rule] = []
        entries = self._list("transitions", "columns with the states they may have")
        for index, entry in enumerate(entries):
            with self._complaints.gathering():
                if not isinstance(entry, dict):
                    raise self._complaints.at("a transition is written {column: ..., allow: {...}}", entries, index)
                given = {str(name): plain(value) for name, value in entry.items()}
                if isinstance(entry.get("allow"), dict):
                    # The states' own types matter: a column of numbers has numbers for states.
                    given["allow"] = {plain(state): plain(after) for state, after in entry["allow"].items()}
                initial = given.pop("initial", None)
                rule = self._change("transitions", given, entries, index)
                rules.append(rule)
                if initial is not None:
                    own = {"id": f"{rule.id}.initial", "ops": ["c"], "action": str(rule.action)}
                    own["severity"] = str(rule.severity)
                    rules.append(
                        self._rules.made("be_in_set", None, rule.column, {"value_set": initial}, own, entries, index)
                    )
        return rules

    def _changes(self, name: str) -> list[Rule]:
        rules: list[Rule] = []
        entries = self._list(name, "columns")
        for index, entry in enumerate(entries):
            with self._complaints.gathering():
                if isinstance(entry, dict):
                    given = {str(key): plain(value) for key, value in entry.items()}
                elif isinstance(entry, str):
                    given = {"column": str(entry)}
                else:
                    raise self._complaints.at(f"{cut(plain(entry))} is no name of a column", entries, index)
                rules.append(self._change(name, given, entries, index))
        return rules

    def _change(self, name: str, given: dict[str, Any], entries: list[Any], index: int) -> Rule:
        own: dict[str, Any] = {key: given.pop(key) for key in sorted(OWN[Scope.CHANGE]) if key in given}
        return self._rules.made(name, Scope.CHANGE, "", given, own, entries, index)

    def _windows(self) -> list[Window]:
        windows: list[Window] = []
        entries = self._list("windows", "windows, each with `every:` and `checks:`")
        for index, entry in enumerate(entries):
            with self._complaints.gathering():
                if not isinstance(entry, dict):
                    raise self._complaints.at("a window is written {every: 1m, checks: [...]}", entries, index)
                for name in entry:
                    if name not in WINDOW:
                        raise self._complaints.unknown(str(name), WINDOW, entry, name)
                checks = entry.get("checks")
                if not isinstance(checks, list) or "every" not in entry:
                    raise self._complaints.at("a window needs `every:` and a list of `checks:`", entries, index)
                every, grace = self._duration(entry, "every", ""), self._duration(entry, "grace", GRACE)
                exact = plain(entry.get("exact", EXACT))
                if not isinstance(exact, int) or isinstance(exact, bool) or not 0 < exact <= MOST_EXACT:
                    raise self._complaints.at(f"exact is a number from 1 to {MOST_EXACT}", entry, "exact")
                windows.append(Window(every, grace, tuple(self._checks(checks, "", Scope.WINDOW)), exact))
        return windows

    def _breaker(self) -> Breaker | None:
        if self._tree.get("breaker") is None:
            return None
        known = ("failed", "within", "at_least", "resume")
        given = self._mapping("breaker", "names and values", known)
        at, tree = self._complaints.at, self._tree["breaker"]
        if missing := [name for name in known[:3] if name not in given]:
            raise at(f"`breaker:` needs {missing[0]}", self._tree, "breaker")
        failed = plain(given["failed"])
        if isinstance(failed, str) and failed.endswith("%"):
            with suppress(ValueError):
                failed = float(failed[:-1]) / 100
        if not is_number(failed) or not 0 <= failed < 1:
            raise at(f"failed is a share such as 20%, below 100%, not {cut(given['failed'])}", tree, "failed")
        least = plain(given["at_least"])
        if not isinstance(least, int) or isinstance(least, bool) or least < 1:
            raise at(f"at_least is a number of rows, not {cut(least)}", tree, "at_least")
        resume = self._duration(tree, "resume", "") if "resume" in tree else 0
        return Breaker(float(failed), self._duration(tree, "within", ""), least, resume)

    def _when(self) -> When:
        given = self._mapping("when", "names and values", ("ops", "image"))
        at = self._complaints.at
        ops = plain(given.get("ops", list(When().ops)))
        image = given.get("image", "after")
        if image not in ("before", "after"):
            raise at(f"`image` is before or after, not {cut(plain(image))}", self._tree, "when")
        return When(ops_of(ops, lambda message: at(message, self._tree, "when")), str(image))

    def _defaults(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in self._mapping("defaults", "names and values", DEFAULTS).items():
            value = "null" if value is None and name == "action" else value  # YAML reads the word as nothing
            if value not in list(CHOICES[name]):
                known = [str(one) for one in CHOICES[name] if one != "default"]
                raise self._complaints.at(
                    f"{name} can't be {cut(plain(value))}; {near(str(value), known)}", self._tree["defaults"], name
                )
            if value == "default":
                raise self._complaints.at("each rule has a default of its own", self._tree["defaults"], name)
            found[name] = CHOICES[name](value)
        return found

    # -- forms -------------------------------------------------------------------------------------------------------

    def _mapping(self, name: str, what: str, known: Any = None) -> dict[Any, Any]:
        found = self._tree.get(name)
        if found is None:
            return {}
        if not isinstance(found, dict):
            self._complaints.note(self._complaints.at(f"`{name}:` must hold {what}", self._tree, name))
            return {}
        for key in found:
            if known is not None and key not in known:
                raise self._complaints.unknown(str(key), known, found, key)
        return found

    def _list(self, name: str, what: str) -> list[Any]:
        found = self._tree.get(name)
        if found is None:
            return []
        if not isinstance(found, list):
            self._complaints.note(self._complaints.at(f"`{name}:` must hold a list of {what}", self._tree, name))
            return []
        return found

    def _duration(self, tree: Any, name: str, default: str) -> int:
        value = plain(tree.get(name, default))
        if not DURATION.holds(value) and not (name == "grace" and value in (0, "0s")):
            raise self._complaints.at(f"{name} must be {DURATION.says}, not {cut(value)}", tree, name)
        return duration_ms(value)

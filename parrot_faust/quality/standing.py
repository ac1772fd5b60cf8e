"""How things stand with the rules of a table: a fold over what files and commands have said. Pure.

Each table has one entry. A file that is given at a worker's start wins if its content is another than when a file of
its name was applied last; else what was applied later stays. So editing a file and starting a worker does what one
expects, and starting a worker again undoes nothing that a command has done.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from parrot_faust.quality.compiling import Compiled
from parrot_faust.quality.conditions import columns_of
from parrot_faust.quality.expectations import EXPECTATIONS
from parrot_faust.quality.rules import Rule, RuleSet

HISTORY = 40  # happenings that an entry keeps
NAMED_RULES = 20  # rules that a happening names of each kind; it counts the others
KNOWN_FILES = 16  # names of files that an entry knows
#: Bytes of an entry as it stands in the changelog, of which a broker takes 1 MB where nobody has said otherwise.
LARGEST_ENTRY = 1_000_000


class Doing(StrEnum):
    """What is to be done to a table's rules."""

    FILE = "file"  # a worker was started with a file
    APPLY = "apply"
    PAUSE = "pause"
    RESUME = "resume"
    REMOVE = "remove"


class RuleCommand(msgspec.Struct, frozen=True):
    """A message of the rules topic. `origin` is the file's name, `rules` a set made by `RuleSet.to_json`."""

    table: str
    doing: Doing
    at_ms: int
    by: str = ""
    origin: str = ""
    rules: str = ""

    @property
    def key(self) -> bytes:
        """Compaction keeps the last of each kind: what is done after an apply must not swallow it."""
        return f"{self.table}#{self.doing}".encode()


class Happening(msgspec.Struct, frozen=True):
    """One line of a table's history. `version` is what was in force from then on, empty where nothing was."""

    at_ms: int
    doing: Doing
    version: str
    by: str = ""
    origin: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class RuleEntry(msgspec.Struct, frozen=True):
    """A table's entry in the rules table: the set that was applied last, since `at_ms`, and by which file or command.

    `rules` is empty once the set was removed. `files` tells of each name of a file which version was applied last.
    """

    version: str
    rules: str
    origin: str
    at_ms: int
    by: str = ""
    paused: bool = False
    files: dict[str, str] = {}
    history: tuple[Happening, ...] = ()


class Decision(NamedTuple):
    """The entry after a command, None where it changes nothing, and what is worth saying of it."""

    entry: RuleEntry | None
    said: str = ""


def file_wins(entry: RuleEntry, name: str, version: str) -> bool:
    """Whether a file that is given at a start wins over the entry: its content is new since it was applied last."""
    return entry.files.get(name) != version and (entry.version != version or not entry.rules)


def decide(known: RuleEntry | None, command: RuleCommand) -> Decision:
    """What a command comes to. Raise ValueError where it can't be done; the entry then stays as it is."""
    if command.doing in (Doing.FILE, Doing.APPLY):
        return _applied(known, command)
    if known is None:
        raise ValueError(f"{command.table} has no rules to {command.doing}")
    word = command.doing.value
    if command.doing is Doing.REMOVE:
        if not known.rules:
            return Decision(None, "they are removed already")
        names = tuple(rule.id for rule in RuleSet.from_json(known.rules).every_rule())
        gone = replace(known, version="", rules="", at_ms=command.at_ms, by=command.by, origin=command.origin)
        return _fitted(_after(gone, command, removed=names), f"removed by {command.by}")
    if known.paused == (command.doing is Doing.PAUSE):
        return Decision(None, f"nothing to {word}")
    return _fitted(_after(replace(known, paused=not known.paused), command), f"{word}d by {command.by}")


def checked(command: RuleCommand) -> RuleSet:
    """The set of a command. Raise ValueError, with what is wrong, for one that no file could have made."""
    rules = RuleSet.from_json(command.rules)
    if rules.table != command.table:
        raise ValueError(f"it is for {command.table} and holds the rules of {rules.table}")
    for rule in rules.every_rule():
        if rule.type not in EXPECTATIONS:
            raise ValueError(f"rule {rule.id}: {rule.type} is not known")
    names = {name for rule in rules.rules for name in (*rule.columns, *_conditions(rule))}
    for suspended in Compiled.untyped(rules, dict.fromkeys(sorted(names))).suspended:
        raise ValueError(f"rule {suspended.rule.id}: {suspended.reason}")
    return rules


def _conditions(rule: Rule) -> set[str]:
    texts = (rule.row_condition, rule.kwargs.get("condition", "") if rule.type == "condition" else "")
    return {name for text in texts if text for name in columns_of(text)}


def _applied(known: RuleEntry | None, command: RuleCommand) -> Decision:
    rules = checked(command)
    name, version = command.origin, rules.version
    if known is None:
        entry = RuleEntry(version, command.rules, name, command.at_ms, command.by, files={name: version})
        return _fitted(_after(entry, command, **_difference(None, rules)), "")
    in_force = known.version if known.rules else ""
    if command.doing is Doing.FILE and not file_wins(known, name, version):
        entry = _with_file(known, name, version)
        said = "" if version == in_force else disagreement(known, name, version)
        return _fitted(entry, said) if entry != known else Decision(None, said)
    if version == in_force:
        entry = _with_file(known, name, version)
        return _fitted(entry, "") if entry != known else Decision(None, "the same set is in force already")
    before = RuleSet.from_json(known.rules) if known.rules else None
    entry = replace(
        _with_file(known, name, version),
        version=version,
        rules=command.rules,
        origin=name,
        at_ms=command.at_ms,
        by=command.by,
    )
    said = ""
    if command.doing is Doing.FILE:
        said = f"file {name} wins over {_told(known)}: its content is new since it was applied last"
    return _fitted(_after(entry, command, **_difference(before, rules)), said)


def disagreement(entry: RuleEntry, name: str, version: str) -> str:
    """Why the entry stays in force where a worker was given a file that says something else."""
    return (
        f"{_told(entry)} wins over file {name} (version {version}), which was applied before and has not changed since"
    )


def _told(entry: RuleEntry) -> str:
    if not entry.rules:
        return f"the removal by {entry.by or 'a command'}"
    return f"version {entry.version} ({entry.origin or 'unnamed'}, by {entry.by or 'a worker'})"


def _with_file(entry: RuleEntry, name: str, version: str) -> RuleEntry:
    files = {known: its for known, its in entry.files.items() if known != name}
    kept = dict(list(files.items())[-(KNOWN_FILES - 1) :])
    return entry if entry.files.get(name) == version else replace(entry, files={**kept, name: version})


def _after(
    entry: RuleEntry,
    command: RuleCommand,
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
    changed: tuple[str, ...] = (),
) -> RuleEntry:
    happening = Happening(
        command.at_ms,
        command.doing,
        entry.version,
        command.by,
        command.origin,
        _short(added),
        _short(removed),
        _short(changed),
    )
    return replace(entry, history=(*entry.history, happening)[-HISTORY:])


def _difference(before: RuleSet | None, after: RuleSet) -> Mapping[str, tuple[str, ...]]:
    """Names of the rules that are new, gone and other than before; what is no rule stands in brackets."""
    old = {rule.id: rule for rule in before.every_rule()} if before else {}
    new = {rule.id: rule for rule in after.every_rule()}
    changed = [name for name, rule in new.items() if name in old and old[name] != rule]
    if before is not None:
        parts = {
            "when": before.when != after.when,
            "windows": [(one.every_ms, one.grace_ms) for one in before.windows]
            != [(one.every_ms, one.grace_ms) for one in after.windows],
            "breaker": before.breaker != after.breaker,
            "order": list(old) != list(new) and sorted(old) == sorted(new),
        }
        changed += [f"({name})" for name, other in parts.items() if other]
    return {
        "added": tuple(name for name in new if name not in old),
        "removed": tuple(name for name in old if name not in new),
        "changed": tuple(changed),
    }


def _short(names: tuple[str, ...]) -> tuple[str, ...]:
    shown = tuple(name if len(name) <= 120 else f"{name[:117]}..." for name in names[:NAMED_RULES])
    return shown if len(names) <= NAMED_RULES else (*shown, f"and {len(names) - NAMED_RULES} more")


def _fitted(entry: RuleEntry, said: str) -> Decision:
    """The decision with as much of the history as one message takes. Raise ValueError when the rules are too large."""
    while (size := _weight(entry)) > LARGEST_ENTRY:
        if len(entry.history) <= 1:
            raise ValueError(f"the set comes to {size:,} bytes, and one message takes {LARGEST_ENTRY:,}")
        entry = replace(entry, history=entry.history[1:])
    return Decision(entry, said)


def _weight(entry: RuleEntry) -> int:
    return len(msgspec.json.encode(msgspec.json.encode(entry).decode()))  # a table writes its values as JSON texts


class InForce(msgspec.Struct, frozen=True):
    """What a worker does with a table: `state` is in force, paused, removed; `why` says why it is this set.

    `suspended` are rules of it that check nothing, because they do not fit the table, each with the reason.
    """

    version: str
    state: str
    since_ms: int
    origin: str
    why: str = ""
    suspended: dict[str, str] = {}


class WorkerReport(msgspec.Struct, frozen=True):
    """What a worker says of itself every few seconds: its source topics, and the rules that it judges them by."""

    worker: str
    at_ms: int
    started_ms: int
    sources: tuple[str, ...]
    rules: dict[str, InForce]

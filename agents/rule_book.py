"""Which rules are in force for a table, compiled for the shape its changes have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from models import TableSchema
from parrot_faust.errors import RuleError, SettingsError
from parrot_faust.quality import Compiled, RuleSet, compile_rules, load


class RuleEntry(msgspec.Struct, frozen=True):
    """A table's entry in the rules table. `at_ms` is when it was published, `origin` by which file or command."""

    version: str
    rules: str
    origin: str
    at_ms: int


class Log(Protocol):
    """What is used of a logger."""

    def info(self, message: str, *args: object) -> None: ...
    def error(self, message: str, *args: object) -> None: ...


class RuleBook:
    """Rule sets by table: those of files given at start, and those of the rules table, whichever is newer.

    A file given at start is in force from the first record, whatever the table says; an entry that is published later
    replaces it at the next batch. Compiled checks are kept per set and shape, so that asking costs a look-up.
    """

    def __init__(self, files: Mapping[str, RuleSet], started_ms: int, log: Log) -> None:
        self._files = dict(files)
        self._entries: Mapping[str, Any] = {}
        self._started_ms, self._log = started_ms, log
        self._parsed: dict[str, tuple[str, RuleSet]] = {}
        self._compiled: dict[str, tuple[str, str, Compiled]] = {}

    def attach(self, entries: Mapping[str, Any]) -> None:
        """Use `entries` (table to encoded `RuleEntry`), the rules table that every worker sees."""
        self._entries = entries

    def files(self) -> Mapping[str, RuleSet]:
        """The rule sets of files, by table."""
        return self._files

    def in_force(self, table: str) -> RuleSet | None:
        """The rule set that checks a table's changes now, None when it has none."""
        raw = self._entries.get(table)
        if raw is None:
            return self._files.get(table)
        known = self._parsed.get(table)
        if known is None or known[0] != raw:
            entry = msgspec.json.decode(raw, type=RuleEntry)
            file = self._files.get(table)
            if file is not None and entry.at_ms < self._started_ms and entry.version != file.version:
                chosen = file
            else:
                chosen = RuleSet.from_json(entry.rules)
            self._parsed[table] = known = (raw, chosen)
            self._log.info("rules of %s: version %s is in force (%s)", table, chosen.version, entry.origin)
        return known[1]

    def compiled(self, schema: TableSchema) -> Compiled | None:
        """The checks of a table for the shape `schema`, None when it has no rules."""
        rules = self.in_force(schema.table)
        if rules is None or not rules.every_rule():
            return None
        known = self._compiled.get(schema.table)
        if known is None or known[0] != rules.version or known[1] != schema.fingerprint:
            compiled = compile_rules(rules, schema)
            self._say_what_waits(rules)
            for rule, reason in compiled.concerns:
                self._log.error("rule %s of %s quarantines what fails it: %s", rule.id, schema.table, reason)
            for rule, reason in compiled.suspended:
                self._log.error(
                    "rule %s of %s is SUSPENDED, nothing is checked by it: %s", rule.id, schema.table, reason
                )
            self._compiled[schema.table] = known = (rules.version, schema.fingerprint, compiled)
        return known[2]

    def _say_what_waits(self, rules: RuleSet) -> None:
        """Say loudly what is written and not judged, so that nobody counts on it."""
        parts = {
            "windows": sum(len(window.rules) for window in rules.windows),
            "schema": len(rules.shape),
            "breaker": int(rules.breaker is not None),
        }
        if waiting := ", ".join(f"{name} ({count})" for name, count in parts.items() if count):
            self._log.error(
                "rules of %s: NOT JUDGED by a worker of this version: %s; `parrot rules test` judges them",
                rules.table,
                waiting,
            )


def read_rule_files(folder: Path) -> dict[str, RuleSet]:
    """Read every rule file of a folder, by table. Raise RuleError for a broken one, SettingsError for a second one."""
    found: dict[str, tuple[Path, RuleSet]] = {}
    paths = [path for path in sorted(folder.glob("*")) if path.suffix in {".yaml", ".yml"}]
    for path in paths:
        rules = load(_text(path), str(path))
        if rules.table in found:
            raise SettingsError(
                f"table {rules.table} has rules in {found[rules.table][0]} and in {path}: put them into one file"
            )
        found[rules.table] = (path, rules)
    return {table: rules for table, (_, rules) in found.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"can't be read ({error.strerror})", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise RuleError(f"is not UTF-8 at byte {error.start}", file=str(path)) from None

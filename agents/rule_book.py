"""Which rules are in force for a table, compiled for the shape its changes have."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from models import TableSchema
from parrot_faust.errors import RuleError, SettingsError
from parrot_faust.logs import at
from parrot_faust.quality import Compiled, RuleSet, compile_rules, load
from parrot_faust.quality.standing import InForce, RuleEntry, disagreement, file_wins


class Log(Protocol):
    """What is used of a logger."""

    def info(self, message: str, *args: object, extra: Mapping[str, object] | None = ...) -> None: ...
    def warning(self, message: str, *args: object, extra: Mapping[str, object] | None = ...) -> None: ...
    def error(self, message: str, *args: object, extra: Mapping[str, object] | None = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class _Standing:
    """What was made of a table's entry `raw`: the set that judges, None for none, and how that came."""

    raw: Any
    rules: RuleSet | None
    told: InForce


class RuleBook:
    """Rule sets by table: those of files given at start, and those of the rules table that every worker sees.

    A file that wins over the entry found at start (`file_wins`) is in force from the first record; from then on an
    entry counts at the next batch. One that can't be read changes nothing. Compiled checks are kept per set and shape,
    so that asking costs a look-up.
    """

    def __init__(
        self,
        files: Mapping[str, RuleSet],
        started_ms: int,
        log: Log,
        *,
        names: Mapping[str, str] = MappingProxyType({}),
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        """`names` are the names of the tables' files."""
        self._files, self._names = dict(files), dict(names)
        self._entries: Mapping[str, Any] = {}
        self._started_ms, self._log, self._now_ms = started_ms, log, now_ms
        self._standings: dict[str, _Standing] = {}
        self._compiled: dict[str, tuple[str, str, Compiled]] = {}
        self._gone: dict[str, tuple[str, str, list[tuple[str, str]]]] = {}

    def attach(self, entries: Mapping[str, Any]) -> None:
        """Use `entries` (table to encoded `RuleEntry`), the rules table that every worker sees."""
        self._entries = entries

    def files(self) -> Mapping[str, RuleSet]:
        """The rule sets of files, by table."""
        return self._files

    def file_name(self, table: str) -> str:
        """What the file of a table's rules is called."""
        return self._names.get(table, "")

    def in_force(self, table: str) -> RuleSet | None:
        """The rule set that checks a table's changes now, None when it has none."""
        raw = self._entries.get(table)
        known = self._standings.get(table)
        if known is None or known.raw != raw:
            known = self._standings[table] = self._stand(table, raw, known)
        return known.rules

    def standings(self) -> dict[str, InForce]:
        """What is done with each table that has rules, or had."""
        for table in {*self._files, *self._entries}:
            self.in_force(table)
        return {table: known.told for table, known in self._standings.items() if known.told.version or known.raw}

    def _stand(self, table: str, raw: Any, before: _Standing | None) -> _Standing:
        """Make of an entry what judges from now on. `before` is None at the first look, which is at the start."""
        try:
            found = self._found(table, raw, before)
        except (msgspec.DecodeError, ValueError) as error:
            self._log.error(
                "rules of %s: the entry can't be read, those in force stay: %s", table, error, extra=at(table)
            )
            kept = before or self._of_file(table)
            return replace(kept, raw=raw)
        told = found.told
        if before is None or (before.told.version, before.told.state) != (told.version, told.state):
            say = self._log.info if told.state == "in force" else self._log.warning
            if told.version or raw is not None:
                version = told.version or "none"
                say("rules of %s: version %s is %s (%s)", table, version, told.state, told.why, extra=at(table))
            return found
        return replace(found, told=msgspec.structs.replace(told, since_ms=before.told.since_ms))

    def _found(self, table: str, raw: Any, before: _Standing | None) -> _Standing:
        file = self._files.get(table)
        if raw is None:
            return self._of_file(table)
        entry = msgspec.json.decode(raw, type=RuleEntry)
        name = self.file_name(table)
        if before is None and file is not None and file_wins(entry, name, file.version):
            return replace(self._of_file(table), raw=raw)
        rules = RuleSet.from_json(entry.rules) if entry.rules else None
        why = f"{entry.origin or 'unnamed'}, by {entry.by or 'a worker'}"
        if file is not None and file.version != entry.version:
            why = disagreement(entry, name, file.version)
        state = "removed" if rules is None else "paused" if entry.paused else "in force"
        told = InForce(entry.version, state, self._now_ms(), entry.origin, why)
        return _Standing(raw, None if entry.paused else rules, told)

    def _of_file(self, table: str) -> _Standing:
        file, name = self._files.get(table), self.file_name(table)
        why = f"file {name} given at start" if file else "no rules"
        version = file.version if file else ""
        return _Standing(None, file, InForce(version, "in force", self._started_ms, name, why))

    def compiled(self, schema: TableSchema) -> Compiled | None:
        """The checks of a table for the shape `schema`, None when it has no rules."""
        rules = self.in_force(schema.table)
        if rules is None or not rules.every_rule():
            return None
        known = self._compiled.get(schema.table)
        if known is None or known[0] != rules.version or known[1] != schema.fingerprint:
            compiled = compile_rules(rules, schema)
            for rule, reason in compiled.concerns:
                self._log.error(
                    "rule %s of %s quarantines what fails it: %s",
                    rule.id,
                    schema.table,
                    reason,
                    extra=at(schema.table, rule=rule.id),
                )
            for rule, reason in compiled.suspended:
                self._log.error(
                    "rule %s of %s is SUSPENDED, nothing is checked by it: %s",
                    rule.id,
                    schema.table,
                    reason,
                    extra=at(schema.table, rule=rule.id),
                )
            self._compiled[schema.table] = known = (rules.version, schema.fingerprint, compiled)
        return known[2]

    def has_judged(self, table: str) -> bool:
        """Whether the rules in force have met a change of the table: only then is it known which are suspended."""
        rules, known = self.in_force(table), self._compiled.get(table)
        return rules is not None and known is not None and known[0] == rules.version

    def gone(self, schema: TableSchema) -> list[tuple[str, str]]:
        """The rules in force about columns that a table of this shape lacks, each with the reason. What kind a column
        has is not looked at: that of a masked one is another than rules see.
        """
        if (rules := self.in_force(schema.table)) is None:
            return []
        known = self._gone.get(schema.table)
        if known is None or known[:2] != (rules.version, schema.fingerprint):
            names = {column.name: None for column in schema.columns}
            found = [(one.rule.id, one.reason) for one in Compiled.untyped(rules, names).suspended]
            for rule in (rule for window in rules.windows for rule in window.rules):
                if missing := [name for name in rule.columns if name not in names]:
                    found.append((rule.id, f"the table has no column {', '.join(missing)}"))
            self._gone[schema.table] = known = (rules.version, schema.fingerprint, found)
        return known[2]

    def suspended(self) -> dict[str, list[tuple[str, str]]]:
        """By table the rules in force about rows that do not fit its shape, each with the reason."""
        return {
            table: [(rule.id, reason) for rule, reason in compiled.suspended]
            for table, (version, _, compiled) in self._compiled.items()
            if compiled.suspended and (rules := self.in_force(table)) and rules.version == version
        }


def read_rule_files(folder: Path) -> dict[str, RuleSet]:
    """Read every rule file of a folder, by table. Raise RuleError for a broken one, SettingsError for a second one."""
    return {table: rules for table, (_, rules) in read_rule_folder(folder).items()}


def read_rule_folder(folder: Path) -> dict[str, tuple[Path, RuleSet]]:
    """The same, with each file's path."""
    found: dict[str, tuple[Path, RuleSet]] = {}
    paths = [path for path in sorted(folder.glob("*")) if path.suffix in {".yaml", ".yml"}]
    for path in paths:
        rules = load(_text(path), str(path))
        if rules.table in found:
            raise SettingsError(
                f"table {rules.table} has rules in {found[rules.table][0]} and in {path}: put them into one file"
            )
        found[rules.table] = (path, rules)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"can't be read ({error.strerror})", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise RuleError(f"is not UTF-8 at byte {error.start}", file=str(path)) from None

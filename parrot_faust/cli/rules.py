"""`parrot rules`: rule files checked, tested, tried on what has been (`tried_rules`), put in force (`live_rules`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import msgspec
from aiokafka.errors import KafkaError

from models import TableSchema
from parrot_faust.cli import imported_rules, live_rules, terminal, tried_rules
from parrot_faust.cli.conventions import Group, end, ends_with, json_option
from parrot_faust.cli.progress import Waiting
from parrot_faust.codec.registered_table import registered_table
from parrot_faust.errors import DecodeError, ParrotError, RegistryUnavailable, RuleError, SettingsError
from parrot_faust.quality import RuleSet, load
from parrot_faust.quality.checking import misfits, shape_failures, warnings_of
from parrot_faust.quality.rule_tests import Outcome, cases_of, run_case
from parrot_faust.registry import RegistryClient
from parrot_faust.settings import Settings
from parrot_faust.settings import load as load_settings

BROKER_PATIENCE_S = 3.0  # a check is quick where no broker answers
LARGEST = 64 << 20  # bytes of a file of tests; a rule file has a limit of its own
SUFFIXES = {".yaml", ".yml", ".json"}


@click.group(cls=Group)
def rules() -> None:
    """Check rule files, test what they say of rows, and say which ones workers judge by."""


for _command in (*live_rules.COMMANDS, *tried_rules.COMMANDS, imported_rules.import_rules):
    rules.add_command(_command)


@rules.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--registry", help="The schema registry that knows the columns; else that of parrot.yaml, if there is one."
)
@json_option("a list with an object a file")
@ends_with({1: "something is wrong with a file"})
def check(files: tuple[Path, ...], registry: str | None, as_json: bool) -> None:
    """Check rule FILES: everything that is wrong, with its place."""
    checked = [_checked(file) for file in files]
    with Waiting("asking for the tables' columns"):
        shapes = asyncio.run(_shapes(registry, [one.rules.table for one in checked if one.rules]))
    for one in checked:
        if one.rules is not None:
            one.look_up(shapes)
    if as_json:
        terminal.print_json([one.view() for one in checked])
    else:
        for one in checked:
            one.show()
    if any(one.errors for one in checked):
        end(1)


@dataclass
class _Checked:
    """A rule file and what is to be said of it."""

    file: Path
    rules: RuleSet | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: Where the columns come from that it was compared with; empty when it was not.
    looked_up: str = ""

    def look_up(self, shapes: dict[str, _Shape]) -> None:
        """Compare with the table's columns as they are."""
        assert self.rules is not None
        shape = shapes.get(self.rules.table)
        if shape is None:
            return
        if shape.schema is None:
            self.warnings.append(shape.text)
            return
        self.looked_up = shape.text
        self.warnings += shape_failures(self.rules, shape.schema)
        for rule, reason in misfits(self.rules, shape.schema):
            text = f"rule {rule} does not fit the table: {reason}"
            self.errors.append({"line": 0, "column": 0, "message": text, "text": f"{self.file}: {text}"})

    def view(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "file": str(self.file),
            "table": self.rules.table if self.rules else None,
            "version": self.rules.version if self.rules else None,
            "rules": len(self.rules.every_rule()) if self.rules else 0,
            "columns_checked": bool(self.looked_up),
            "errors": [{name: error[name] for name in ("line", "column", "message")} for error in self.errors],
            "warnings": self.warnings,
        }

    def show(self) -> None:
        """Print errors, warnings, and a line when it is good."""
        for error in self.errors:
            terminal.refuse(error["text"])
        for warning in self.warnings:
            terminal.warn(f"{self.file}: warning: {warning}")
        if self.rules is not None and not self.errors:
            count = len(self.rules.every_rule())
            known = f", its columns {self.looked_up}" if self.looked_up else ""
            terminal.done(f"✓ {self.file}: {self.rules.table}, {count} rules, version {self.rules.version}{known}")


def _checked(file: Path) -> _Checked:
    try:
        rules = load(_text(file), str(file))
    except RuleError as error:
        return _Checked(
            file,
            errors=[
                {"line": one.line, "column": one.column, "message": one.message, "text": str(one)}
                for one in (error, *error.also)
            ],
        )
    return _Checked(file, rules, warnings=warnings_of(rules))


@dataclass(frozen=True, slots=True)
class _Shape:
    """A table's columns as `where` has them, or why they are not known."""

    schema: TableSchema | None
    text: str


async def _shapes(url: str | None, tables: list[str]) -> dict[str, _Shape]:
    """The tables' shapes by the registry, else by their topics. Empty where neither is named."""
    try:
        settings = None if url else load_settings()
    except SettingsError:
        settings = None  # rules can be checked where no worker is set up
    address = url or (settings.source.registry if settings else None)
    found = await _registered(address, settings, tables) if address else {}
    if settings is not None and (left := [table for table in tables if table not in found or not found[table].schema]):
        found |= await _in_topics(settings, left, found)
    return found


async def _registered(address: str, settings: Settings | None, tables: list[str]) -> dict[str, _Shape]:
    source = settings.source if settings else None
    client = RegistryClient(
        address,
        username=source.registry_user if source else "",
        password=source.registry_password if source else "",
        tls=source.registry_tls if source else None,
    )
    found: dict[str, _Shape] = {}
    async with client:
        for table in tables:
            try:
                value, key = [await client.latest(f"{table}-{part}") for part in ("value", "key")]
            except (RegistryUnavailable, DecodeError) as error:
                found[table] = _Shape(None, f"the columns of {table} were not checked: {error}")
                continue
            try:
                shape = registered_table(table, value, key) if value else None
            except DecodeError as error:
                found[table] = _Shape(None, f"the columns of {table} were not checked: {error}")
                continue
            unknown = f"the registry does not know {table} yet: its columns are checked when its first change arrives"
            found[table] = _Shape(shape, "as the registry has them" if shape else unknown)
    return found


async def _in_topics(settings: Settings, tables: list[str], before: dict[str, _Shape]) -> dict[str, _Shape]:
    """The shapes of the newest changes in the tables' topics; what was said before where there are none."""
    from parrot_faust.schema_desk import Desk  # it loads all of a worker

    try:
        async with Desk(settings, BROKER_PATIENCE_S) as desk:
            newest = await desk.shapes(lambda topic: topic in tables, masked=False)
    except (ParrotError, KafkaError, OSError) as error:
        newest, why = {}, str(error)
    else:
        why = "its topic shows no change yet"
    found = {}
    for table in tables:
        shape = newest.get(table)
        if isinstance(shape, TableSchema):
            found[table] = _Shape(shape, "as its newest changes have them")
        else:
            text = f"the columns of {table} were not checked: {shape or why}"
            found[table] = before.get(table, _Shape(None, text))
    return found


@rules.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@json_option("how many cases there are, how many passed, and which failed")
@ends_with({1: "a case has failed, or there is none"})
def test(paths: tuple[Path, ...], as_json: bool) -> None:
    """Run the cases in PATHS (files, or folders with files that have `cases`)."""
    failed: list[dict[str, Any]] = []
    count = 0
    for path, required in [one for given in paths for one in _files(given)]:
        try:
            cases = cases_of(_text(path), str(path))
            if cases is None and not required:
                continue  # a rule file in a folder of tests
            if not cases:
                raise RuleError("holds no `cases`", file=str(path))
        except RuleError as error:
            count += 1
            failed.append({"file": str(path), "name": "", "expected": {}, "got": {"error": str(error)}})
            continue
        for case in cases:
            count += 1
            try:
                outcome = run_case(case, str(path), lambda name, path=path: _text(path.parent / name))  # type: ignore[misc]
            except RuleError as error:
                name = str(case.get("name", "")) if isinstance(case, dict) else ""
                outcome = Outcome(name, {"error": None}, {"error": str(error)})
            if not outcome.passed:
                failed.append(
                    {"file": str(path), "name": outcome.name, "expected": outcome.expected, "got": outcome.got}
                )
    if as_json:
        report = {"cases": count, "passed": count - len(failed), "failed": failed}
        terminal.print_json(report)
    else:
        _show(count, failed)
    if failed or not count:
        end(1)


def _files(path: Path) -> list[tuple[Path, bool]]:
    """The files of an argument, and whether they must hold cases: those in a folder need not."""
    if path.is_dir():
        return [(file, False) for file in sorted(path.rglob("*")) if file.suffix in SUFFIXES and file.is_file()]
    return [(path, True)]


def _text(path: Path) -> str:
    try:
        if path.suffix in SUFFIXES and path.stat().st_size > LARGEST:
            raise RuleError(f"has more than {LARGEST >> 20} MB", file=str(path))
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RuleError(f"can't be read ({error.strerror})", file=str(path)) from None
    except UnicodeDecodeError as error:
        raise RuleError(f"is not UTF-8 at byte {error.start}", file=str(path)) from None


def _show(count: int, failed: list[dict[str, Any]]) -> None:
    console = terminal.result()
    if failed:
        table = terminal.Table("file", "case", "expected", "got")
        for one in failed:
            table.add_row(one["file"], one["name"], _plain(one["expected"]), f"[red]{_escaped(_plain(one['got']))}[/]")
        console.print(table)
    if not count:
        console.print("no cases found: a file of tests holds `cases:`", style="red")
        return
    mark = "[red]✗[/]" if failed else "[green]✓[/]"
    console.print(f"{mark} {count - len(failed)} of {count} cases passed")


def _plain(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")

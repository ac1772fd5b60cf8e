"""`parrot rules import`: suites of Great Expectations as rule files."""

from __future__ import annotations

import re
from pathlib import Path

import click

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.cli.rule_files import text_of
from parrot_faust.errors import RuleError
from parrot_faust.quality.importing import Imported, imported, suite_of

#: Where a project keeps its suites, by version, beside the folder of the suites itself.
_PLACES = ("gx/expectations", "great_expectations/expectations", "expectations", ".")


@click.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--table", default="", help="The source topic that the rules are for; else the suite's `meta.table`.")
@click.option(
    "--to", type=click.Path(path_type=Path), help="A new file to write, or of several suites the folder for them."
)
@json_option("a list with an object a suite")
@ends_with({1: "something could not be taken"})
def import_rules(path: Path, table: str, to: Path | None, as_json: bool) -> None:
    """Make rule files of suites of Great Expectations: PATH is a project's folder, or the JSON of a suite.

    Great Expectations itself is not needed. What can't be taken is named with its reason; what can be taken is written
    all the same.
    """
    files = _suites(path)
    if len(files) > 1 and table:
        raise RuleError("--table is for one suite, and there are several: name one of them", file=str(path))
    made = [imported(suite_of(text_of(file), str(file)), str(file), table) for file in files]
    places = _places(made, to)
    for one, place in zip(made, places, strict=True):
        if place is not None and one.text:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(one.text, encoding="utf-8")
    if as_json:
        terminal.print_json([_view(one, file, place) for one, file, place in zip(made, files, places, strict=True)])
    else:
        for one, file, place in zip(made, files, places, strict=True):
            _tell(one, file, place)
    if any(one.refused or not one.text for one in made):
        end(1)


def _suites(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for place in _PLACES:
        folder = path / place
        files = sorted(one for one in folder.rglob("*.json") if one.is_file()) if folder.is_dir() else []
        if files:
            return files
    raise RuleError("holds no suite: they are JSON files in gx/expectations", file=str(path))


def _places(made: list[Imported], to: Path | None) -> list[Path | None]:
    """Where each file goes, None for the terminal. Raise RuleError before anything is written over."""
    if to is None:
        if len(made) > 1:
            raise RuleError(f"there are {len(made)} suites: name a folder with --to")
        return [None]
    places = [to] if len(made) == 1 and not to.is_dir() else [to / _file_name(one.suite) for one in made]
    for place in places:
        if place.exists() or places.count(place) > 1:
            raise RuleError("is there already, and is not written over; nothing was written", file=str(place))
    return list(places)


def _file_name(suite: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", suite).strip(".") + ".yaml"


def _view(one: Imported, file: Path, place: Path | None) -> dict[str, object]:
    return {
        "file": str(file),
        "suite": one.suite,
        "table": one.table,
        "table_guessed": one.guessed,
        "taken": one.taken,
        "refused": [refused._asdict() for refused in one.refused],
        "to": str(place) if place and one.text else None,
        **({} if place else {"rules": one.text}),
    }


def _tell(one: Imported, file: Path, place: Path | None) -> None:
    if place is None:
        click.echo(one.text, nl=False)
    for refused in one.refused:
        words = f"{file}: expectation {refused.number}, {refused.name}, was not taken: {refused.reason}"
        terminal.warn(words)
    if one.guessed:
        terminal.warn(f"{file}: the suite names no table, so {one.table} stands there: write its topic")
    whole = one.taken + len(one.refused)
    mark = "✓" if one.text else "✗"
    where = f" are in {place}" if place and one.text else ""
    terminal.remark(f"{mark} {file}: {one.taken} of {whole} expectations{where}")

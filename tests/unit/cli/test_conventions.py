"""What every command of `parrot` has, found by walking over all there are: a new one can't miss it."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from parrot_faust.cli import cli
from parrot_faust.cli.conventions import SHARED, STATUSES, Group, dress, end, ends_with, statuses_of
from parrot_faust.reference.commands import commands

ROOT = Path(__file__).resolve().parents[3]
CODE = sorted((ROOT / "parrot_faust" / "cli").glob("*.py"))
#: What prints, asks or ends by itself, past the shared options, and the modules of the commands that may.
PAST_THE_OPTIONS = {
    "Console": ("terminal.py",),
    "RichTable": ("terminal.py",),
    "Progress": (),
    "click.secho": ("terminal.py",),
    "click.confirm": ("terminal.py",),
    "json.dumps": (),
    "msgspec.json.encode": ("terminal.py", "demo.py", "rules.py"),  # the demo's file, and values in cells of a table
    "print": (),
    "sys.exit": ("__init__.py", "conventions.py"),
    "SystemExit": (),
}
ALL = dict(commands())


def opts(command: click.Command) -> set[str]:
    return {name for option in command.params for name in option.opts}


@pytest.mark.parametrize("path", ALL)
def test_every_command_has_help_the_shared_options_statuses_and_an_example(path: str) -> None:
    context = ALL[path]
    command, text = context.command, context.get_help()
    assert command.help
    assert {*SHARED, "-q"} <= opts(command)
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert "--help" in text
    assert f"    {path}" in text.partition("  Examples:\n")[2] or f"parrot {path}" in text
    if isinstance(command, click.Group):
        assert isinstance(command, Group), "parrot_faust.cli.conventions.Group knows what a mistyped command was to be"
        return
    assert [option.name for option in command.params].count("as_json") + ("[FILE]" in text) == 1, (
        "json_option says what"
    )
    shown = dict(
        line.split(maxsplit=1) for line in text.partition("Exit status:\n")[2].partition("\n\n")[0].splitlines()
    )
    assert shown == {str(status): means for status, means in statuses_of(command).items()}
    assert shown.keys() >= {str(status) for status in STATUSES}


@pytest.mark.parametrize("path", ALL)
def test_the_page_of_the_commands_has_what_each_ends_with(path: str) -> None:
    command = ALL[path].command
    if isinstance(command, click.Group):
        return
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.partition(f"# {path}\n")[2].partition("\n## ")[0]
    for status, means in statuses_of(command).items():
        if STATUSES.get(status) != means:
            assert f"{status}: {means}" in section


@pytest.mark.parametrize("file", CODE, ids=lambda file: file.name)
def test_nothing_prints_asks_or_ends_past_the_shared_options(file: Path) -> None:
    called = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    found = {ast.unparse(node.func) for node in called}
    assert {name for name, may in PAST_THE_OPTIONS.items() if name in found and file.name not in may} == set()
    to_stderr = [node for node in called if ast.unparse(node.func) == "click.echo" and node.keywords]
    said = [ast.unparse(node) for node in to_stderr if any(word.arg == "err" for word in node.keywords)]
    assert said == [] or file.name in ("terminal.py", "__init__.py")


def test_dressing_twice_is_dressing_once() -> None:
    @click.command()
    def one() -> None:
        """Do it."""

    before = len(dress(one, "up").params)
    assert len(dress(one, "up").params) == before == len(SHARED)


def test_a_command_ends_with_no_status_that_its_help_does_not_explain() -> None:
    @click.command()
    @click.argument("status", type=int)
    @ends_with({7: "seven"})
    def one(status: int) -> None:
        end(status)

    assert [CliRunner().invoke(one, [str(status)]).exit_code for status in (0, 1, 7)] == [0, 1, 7]
    assert isinstance(CliRunner().invoke(one, ["8"]).exception, AssertionError)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["verfy"], "verify"), (["rules", "sugest"], "suggest"), (["connector", "lst"], "list"), (["statsu"], "status")],
)
def test_a_mistyped_command_is_answered_with_what_it_was_meant_to_be(typed: list[str], meant: str) -> None:
    answer = CliRunner().invoke(cli, typed)
    assert answer.exit_code == 2
    assert f"No such command '{typed[-1]}'. Did you mean {meant}?" in answer.output


def test_what_is_like_no_command_is_not_guessed_at() -> None:
    assert "Did you mean" not in CliRunner().invoke(cli, ["xyzzy"]).output

"""Every `parrot` command that a document or a help shows can be typed: command, options and arguments exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest

from parrot_faust.cli import COMMANDS, cli, examples
from parrot_faust.reference.commands import commands

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
#: Where a command begins: a line, what the shell runs next, behind variables, or what a container is to run.
_BEGINS = r"(?:^\s*|[(;&|]\s*|-- |:\d[\d.]+ |[A-Z_]+=\S+ )(?:\.venv/bin/)?parrot "
#: A command within a line, up to where the shell or the text goes on.
_SHOWN = re.compile(_BEGINS + r"((?:[a-z-].*?))(?=$|\s{3,}|\s+[|#>&]|\)\"|\)$)")
_BLOCK = re.compile(r"^```(?:sh|bash)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def _files_need_not_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda _self, value, _parameter, _context: value)


def parse(line: str) -> None:
    """Parse what follows `parrot` as Click would, and run nothing. Raise UsageError for what can't be typed."""
    words = shlex.split(line)
    context, command = click.Context(cli, info_name="parrot"), click.Command("")
    command = cli
    while isinstance(command, click.Group):
        if words:
            context = command.make_context(context.info_name, words, parent=context.parent)
            words = [*context._protected_args, *context.args]
        if not words:
            return  # the whole group is meant
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, context = found, click.Context(found, info_name=name, parent=context)
    command.make_context(context.info_name, words, parent=context.parent)


def in_blocks(text: str) -> list[str]:
    """Commands in blocks of code, which must be whole."""
    lines = [line for block in _BLOCK.findall(text) for line in block.splitlines()]
    lines += re.findall(r"^    (\S.*)$", _BLOCK.sub("", text), re.MULTILINE)
    return [found[1] for line in lines if (found := _SHOWN.search(line))]


def in_sentences(text: str) -> list[str]:
    """Commands within sentences, which may leave out what must be given."""
    return re.findall(r"`parrot ([a-z-][^`]*)`", text.replace("\n", " "))


def mentioned(line: str) -> None:
    """Parse a command that may lack arguments, and may show what is optional in brackets."""
    try:
        parse(re.sub(r"[\[\]]", "", line).replace("...", "x"))
    except click.MissingParameter:
        return
    except click.exceptions.Exit:
        return  # it asks for the help


def refused(lines: list[str], how: Any) -> list[str]:
    found = []
    for line in lines:
        try:
            how(line)
        except click.UsageError as error:
            found.append(f"parrot {line}: {error.format_message()}")
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_documents_can_be_typed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    usages = {
        context.command_path + " " + " ".join(context.command.collect_usage_pieces(context))
        for _, context in commands()
    }
    whole = [line for line in in_blocks(text) if f"parrot {line}" not in usages]
    assert refused(whole, parse) + refused(in_sentences(text), mentioned) == []


def test_commands_are_found_in_the_documents() -> None:
    whole = {path.name: in_blocks(path.read_text(encoding="utf-8")) for path in DOCUMENTS}
    assert "rows kudu public.orders --limit 5" in whole["README.md"]
    assert "completion bash" in whole["commands.md"]
    assert "verify --since 100000" in whole["verify.md"]
    assert whole["kubernetes.md"] == ["check", "check"]
    assert "schema approve" in in_sentences((ROOT / "docs" / "schema-changes.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "line",
    [
        "demoo",
        "rules applyy x",
        "verify --tables x",
        "rows kudu",
        "rows oracle x",
        "connector create shop",
        "schema plan a b",
    ],
)
def test_what_can_t_be_typed_is_refused(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


def test_every_command_has_examples_which_its_help_shows() -> None:
    leaves = {path.removeprefix("parrot "): one for path, one in commands() if not isinstance(one.command, click.Group)}
    assert set(examples.EXAMPLES) == set(leaves)
    for path, context in leaves.items():
        for line in examples.EXAMPLES[path]:
            (found,) = _SHOWN.findall(line)
            parse(found)
            assert " ".join(word for word in found.split() if not word.startswith("-")).startswith(path)
            assert f"    {line}" in context.get_help().splitlines()


def test_summaries_are_what_the_commands_say_of_themselves() -> None:
    context = click.Context(cli)
    for name, (_, _, summary) in COMMANDS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(limit=1_000) == summary
    assert all(f"  {name}" in cli.get_help(context) for name in COMMANDS)

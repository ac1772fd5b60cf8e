"""`docs/commands.md`: every command of `parrot` with its help, arguments, options and examples."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from parrot_faust.cli import cli, examples
from parrot_faust.cli.conventions import SHARED, own_statuses_of
from parrot_faust.reference.marks import filled as _filled
from parrot_faust.reference.marks import table


def filled(text: str) -> str:
    """The page with its commands as the code has them."""
    return _filled(text, {"commands": lambda: "\n\n".join(_page())})


def commands() -> Iterator[tuple[str, click.Context]]:
    """Every command and group below `parrot`, by the words that call it."""
    root = click.Context(cli, info_name="parrot")
    for name in cli.list_commands(root):
        yield from _below(root, name)


def _below(parent: click.Context, name: str) -> Iterator[tuple[str, click.Context]]:
    assert isinstance(parent.command, click.Group)
    command = parent.command.get_command(parent, name)
    assert command is not None, name
    context = click.Context(command, info_name=name, parent=parent)
    yield context.command_path, context
    if isinstance(command, click.Group):
        for one in command.list_commands(context):
            yield from _below(context, one)


def _page() -> Iterator[str]:
    for path, context in commands():
        command, depth = context.command, len(path.split())
        yield f"{'#' * depth} {path}"
        yield _prose(command.help or "")
        yield f"    {path} {' '.join(command.collect_usage_pieces(context))}"
        if rows := list(_options(context)):
            yield table(("option", "value", "unless given", "what it says"), rows)
        if statuses := own_statuses_of(command):
            yield "Exit status " + "; ".join(f"{status}: {_prose(means)}" for status, means in statuses.items()) + "."
        own = examples.EXAMPLES.get(path.removeprefix("parrot "), ())
        if own:
            yield "```sh\n" + "\n".join(own) + "\n```"


def _options(context: click.Context) -> Iterator[tuple[str, str, str, str]]:
    for option in context.command.params:
        if isinstance(option, click.Option) and not _shared(option):
            says = [_prose(option.help or "")]
            if option.multiple and "more than once" not in says[0]:
                says.append("May be given more than once.")
            if isinstance(option.envvar, str):
                says.append(f"Or `{option.envvar}`.")
            names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
            yield names, _value(option, context), _default(option), " ".join(says)


def _shared(option: click.Option) -> bool:
    """Whether it says nothing but what the page says of all commands."""
    return not option.expose_value and not SHARED.keys().isdisjoint(option.opts)


def _default(option: click.Option) -> str:
    """What holds without the option, where its help shows it; another default may be this machine's, such as a path."""
    given = option.default if option.show_default else None
    values = given if isinstance(given, (list, tuple)) else [given] if isinstance(given, (str, int, float)) else []
    return ", ".join(f"`{value}`" for value in values)


def _value(option: click.Option, context: click.Context) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(f"`{choice}`" for choice in option.type.choices)
    return f"`{option.make_metavar(context)}`"


def _prose(text: str) -> str:
    """Help as Markdown: what is no code stays as it is typed."""
    clean = inspect.cleandoc(text.replace("\b\n", ""))
    return "".join(
        part if index % 2 else part.replace("<", "&lt;").replace("*", "\\*").replace("$", "&#36;")
        for index, part in enumerate(_split(clean))
    )


def _split(text: str) -> list[str]:
    """Text and code in turn, code with its marks."""
    parts = text.split("`")
    return [f"`{part}`" if index % 2 else part for index, part in enumerate(parts)]

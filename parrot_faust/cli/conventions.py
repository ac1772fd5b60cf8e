"""What every command of `parrot` has: options, statuses that it ends with, and a help that says them, with examples."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from parrot_faust.cli import terminal
from parrot_faust.cli.examples import examples_of

Command = TypeVar("Command", bound=Callable[..., Any])

#: What the end of any command means; what a command gives another meaning, it says itself, by `ends_with`.
STATUSES = {
    0: "done",
    1: "not done: a line says what happened, where, and what to do",
    2: "wrong use",
    130: "interrupted; 129 or 143 by SIGHUP or SIGTERM",
}
_OWN = "__statuses__"
_JSON_HELP = "Print JSON: one document on stdout, and all else on stderr."


def _keep(word: str) -> Callable[[click.Context, click.Parameter, bool], bool]:
    def keep(context: click.Context, _parameter: click.Parameter, given: bool) -> bool:
        if given:
            context.meta[word] = True
        if terminal.plain():
            context.color = context.find_root().color = False
        return bool(context.meta.get(word))

    return keep


def json_option(what: str) -> Callable[[Command], Command]:
    """`--json` of a command, which gets `as_json`; `what` is what it prints then."""
    return click.option("--json", "as_json", is_flag=True, callback=_keep(terminal.JSON), help=f"Print JSON: {what}.")


def json_file_option(what: str) -> Callable[[Command], Command]:
    """`--json [FILE]` of a command that has much to say meanwhile: it gets `as_json`, or the `file` to write to."""

    def to_stdout(context: click.Context, _parameter: click.Parameter, given: str | None) -> Path | None:
        context.params["as_json"] = given == "-" or (given is None and bool(context.meta.get(terminal.JSON)))
        return None if given in (None, "-") else Path(given)

    words = f"Print JSON: {what}; or write it to a file."
    return click.option(
        "--json", "file", is_flag=False, flag_value="-", metavar="[FILE]", callback=to_stdout, help=words
    )


def _quiet() -> click.Option:
    words = "Only the result, and errors."
    return click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, callback=_keep(terminal.QUIET), help=words)


def _no_color() -> click.Option:
    words = "No colours, and nothing that moves; so does the variable NO_COLOR."
    return click.Option(["--no-color"], is_flag=True, expose_value=False, callback=_keep(terminal.PLAIN), help=words)


def _json() -> click.Option:
    return click.Option(["--json"], is_flag=True, expose_value=False, callback=_keep(terminal.JSON), help=_JSON_HELP)


#: The options of every command, of every group, and of `parrot` itself, by name.
SHARED: dict[str, Callable[[], click.Option]] = {"--json": _json, "--quiet": _quiet, "--no-color": _no_color}


class Group(click.Group):
    """A group of commands, which knows what a mistyped one was meant to be."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with. Raise UsageError, with the one that comes nearest, for none."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchOption:
            raise
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                error.message += f" Did you mean {near[0]}?"
            raise


def ends_with(statuses: Mapping[int, str]) -> Callable[[Command], Command]:
    """Say what statuses mean that a command has of its own, or gives a meaning of its own."""

    def with_statuses(command: Command) -> Command:
        setattr(command, _OWN, dict(statuses))
        return command

    return with_statuses


def statuses_of(command: click.Command) -> dict[int, str]:
    """What every status of a command means."""
    return dict(sorted({**STATUSES, **own_statuses_of(command)}.items()))


def own_statuses_of(command: click.Command) -> dict[int, str]:
    """What those mean that a command has of its own, or gives a meaning of its own."""
    own: dict[int, str] = getattr(command.callback, _OWN, {})
    return {status: f"{means}; or {STATUSES[2]}" if status == 2 else means for status, means in own.items()}


def end(status: int) -> NoReturn:
    """End the command with a status, which its help has to explain."""
    context = click.get_current_context(silent=True)
    if context is not None:
        assert status in statuses_of(context.command), f"{context.command_path} ends with {status}"
    sys.exit(status)


def dress(command: click.Command, path: str) -> click.Command:
    """Give a command, and all below it, the shared options and the end of its help. Doing it twice is doing it once."""
    there = {name for parameter in command.params for name in parameter.opts}
    command.params += [make() for name, make in SHARED.items() if name not in there]
    command.epilog = "\n\n".join(_epilog(command, path))
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            dress(one, f"{path} {name}")
    return command


def _epilog(command: click.Command, path: str) -> list[str]:
    parts = []
    if not isinstance(command, click.Group):
        meanings = statuses_of(command).items()
        parts.append("\n".join(("\b", "Exit status:", *(f"  {status:<4}{means}" for status, means in meanings))))
    if examples := examples_of(command, path):
        parts.append("\n".join(("\b", "Examples:", *(f"  {line}" for line in examples))))
    return parts

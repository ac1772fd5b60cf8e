"""`parrot completion`: what makes a shell complete commands, options and their values, by Click's own mechanism."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import json_option

#: The variable by which a shell's script asks this program for completions; Click makes the name of the program's.
VARIABLE = "_PARROT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option("the shell and its script")
@click.pass_context
def completion(context: click.Context, shell: str, as_json: bool) -> None:
    """Print the script that makes a shell complete `parrot`.

    Bash 4.4 or later: eval it in ~/.bashrc. Zsh: eval it in ~/.zshrc, after compinit. Fish: write it to
    ~/.config/fish/completions/parrot.fish. `parrot` must be found on PATH.
    """
    maker = get_completion_class(shell)
    assert maker is not None, shell
    script = maker(context.find_root().command, {}, "parrot", VARIABLE).source()
    if as_json:
        terminal.print_json({"shell": shell, "script": script})
    else:
        click.echo(script)

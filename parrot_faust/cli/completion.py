"""`parrot completion`: what makes a shell complete commands, options and their values, by Click's own mechanism."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

#: The variable by which a shell's script asks this program for completions; Click makes the name of the program's.
VARIABLE = "_PARROT_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete `parrot`.

    Bash 4.4 or later: eval it in ~/.bashrc. Zsh: eval it in ~/.zshrc, after compinit. Fish: write it to
    ~/.config/fish/completions/parrot.fish. `parrot` must be found on PATH.
    """
    maker = get_completion_class(shell)
    assert maker is not None, shell
    click.echo(maker(context.find_root().command, {}, "parrot", VARIABLE).source())

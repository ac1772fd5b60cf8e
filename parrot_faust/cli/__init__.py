"""`parrot`: one module per command group, loaded when its command is asked for."""

from __future__ import annotations

import errno
import importlib
import sys

import click

from parrot_faust import __version__
from parrot_faust.errors import ParrotError

#: What a disk answers that takes nothing more: no fault of the program's.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# command -> module of this package and the click command in it. Loading on demand keeps `parrot --help` instant.
COMMANDS = {
    "up": ("local", "up"),
    "down": ("local", "down"),
    "status": ("local", "status"),
    "logs": ("local", "logs"),
    "fetch": ("local", "fetch"),
    "sql": ("look", "sql"),
    "rows": ("look", "rows"),
    "schema": ("schema", "schema"),
    "init": ("init", "init"),
    "check": ("check", "check"),
    "top": ("top", "top"),
    "connector": ("connector", "connector"),
    "deadletters": ("deadletters", "deadletters"),
    "quarantine": ("quarantine", "quarantine"),
    "demo": ("demo", "demo"),
    "verify": ("verify", "verify"),
    "rules": ("rules", "rules"),
    "breaker": ("breaker", "breaker"),
    "bench": ("bench", "bench"),
    "simulate": ("simulate", "command"),
}


class _Lazy(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parrot")
def cli() -> None:
    """Parrot Faust: database changes, checked, in Kudu and HBase."""


def main() -> None:
    """Run a command; an error of ours is one line on stderr and exit status 1."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; the same command continues from here", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ParrotError as error:
        click.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in DISK:
            raise
        where = f" at {error.filename}" if error.filename else ""
        what = "make room, or name another folder in PARROT_STATE or PARROT_CACHE, and run the command again"
        click.secho(f"error: {error.strerror}{where}; {what}", fg="red", err=True)
        sys.exit(1)

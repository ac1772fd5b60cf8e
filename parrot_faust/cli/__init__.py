"""`parrot`: one module per command group, loaded when its command is asked for."""

from __future__ import annotations

import errno
import importlib
import logging
import signal
import sys
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from parrot_faust import __version__
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import Group, dress
from parrot_faust.errors import ParrotError

#: What a disk answers that takes nothing more: no fault of the program's.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# command -> module of this package, the click command in it, and the first sentence of its help. A module is loaded
# when its command is asked for, which keeps `parrot --help` and completion instant.
COMMANDS = {
    "up": ("local", "up", "Start the local distribution, or some of it with what that needs."),
    "down": ("local", "down", "End what `up` started, and nothing else."),
    "status": ("local", "status", "Show each component: address, process, health, memory, uptime."),
    "logs": ("local", "logs", "Print a component's logs."),
    "fetch": ("local", "fetch", "Fetch everything into the cache, so that all else works offline."),
    "sql": ("look", "sql", "Run a STATEMENT on the local PostgreSQL, or ask for statements until an empty line."),
    "rows": (
        "look",
        "rows",
        "Show rows of a TABLE in a store: its topic (shop.public.orders), or the end of that (public.orders).",
    ),
    "schema": ("schema", "schema", "Changes of the tables' shapes: planned, held, done."),
    "init": (
        "init",
        "init",
        "Write a parrot.yaml with its reasons and, for a PostgreSQL database, the connector that captures it.",
    ),
    "check": (
        "check",
        "check",
        "Look at settings, rules, brokers, topics, registry, connectors, source and stores, and say what to do.",
    ),
    "top": ("top", "top", "Show every table, the worst first, and what needs a person; Ctrl-C ends it."),
    "connector": (
        "connector",
        "connector",
        "List, make and steer the connectors that capture the source; or list and steer the sinks.",
    ),
    "deadletters": ("deadletters", "deadletters", "List, show, send again or throw away what could not be applied."),
    "quarantine": ("quarantine", "quarantine", "List, show, let through or throw away rows that rules have held back."),
    "demo": ("demo", "demo", "Show PostgreSQL's changes captured, checked, and equal in Kudu and HBase."),
    "verify": (
        "verify",
        "verify",
        "Compare the source's tables with Kudu and HBase, row by row, while everything runs.",
    ),
    "rules": ("rules", "rules", "Check rule files, test what they say of rows, and say which ones workers judge by."),
    "breaker": (
        "breaker",
        "breaker",
        "Look at tables that were paused because too many of their rows failed, and let them go on.",
    ),
    "bench": ("bench", "bench", "Measure on the running local distribution."),
    "simulate": (
        "simulate",
        "command",
        "Simulate crashes, rebalances, replays and failing stores, and compare what the stores hold in the end.",
    ),
    "completion": ("completion", "completion", "Print the script that makes a shell complete `parrot`."),
}


class _Lazy(Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        return dress(command, name)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=summary)
            for name, (_, _, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error of ours is a line on stderr and exit status 1."""
        try:
            return super().invoke(ctx)
        except ParrotError as error:
            terminal.fail(str(error))
            sys.exit(1)
        except OSError as error:
            if error.errno not in DISK:
                raise
            where = f" at {error.filename}" if error.filename else ""
            what = "make room, or name another folder in PARROT_STATE or PARROT_CACHE, and run the command again"
            terminal.fail(f"{error.strerror}{where}; {what}")
            sys.exit(1)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="parrot")
def cli() -> None:
    """Parrot Faust: database changes, checked, in Kudu and HBase.

    --json, --quiet and --no-color may stand here or behind any command.
    """


dress(cli, "")


def main() -> None:
    """Run a command, and end with its status. What it has started it ends itself, also when it is told to end."""
    logging.basicConfig(level=logging.WARNING, handlers=[terminal.Log()])
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a command says itself that no broker answers
    for number in (signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, _told_to_end)
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; the same command may be given again", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _told_to_end(number: int, _frame: object) -> NoReturn:
    """Unwind, so that workers, connectors and topics made for this command go with it; a second signal hurries that."""
    sys.exit(128 + number)

"""`parrot connector`: the Debezium side of the pipeline, by Kafka Connect's REST API, and a worker's sinks alike."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.markup import escape

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import Group, end, ends_with, json_option
from parrot_faust.cli.progress import Waiting
from parrot_faust.connect import Connect, ConnectorStatus, read_config, shown
from parrot_faust.distribution import Local
from parrot_faust.errors import ConnectError
from parrot_faust.rules_desk import who
from parrot_faust.settings import Settings
from parrot_faust.settings import load as load_settings

WAIT_S = 60.0
ANSWER_S = 10.0
POLL_S = 0.5
UNHEALTHY = 2  # exit status of `list` and `status` when something has failed
_FAILED = {UNHEALTHY: "a connector or a task of one has failed"}
_state_as_json = json_option("the connector and its state")
_COLOURS = {"RUNNING": "green", "PAUSED": "yellow", "STOPPED": "yellow", "FAILED": "red"}


@click.group(cls=Group)
@click.option(
    "--connect", "url", envvar="PARROT_CONNECT", help="Connect's address; the local distribution's if not given."
)
@click.option("--sinks", is_flag=True, help="The sinks of the worker of this machine's settings, in all its workers.")
@click.pass_context
def connector(context: click.Context, url: str | None, sinks: bool) -> None:
    """List, make and steer the connectors that capture the source; or list and steer the sinks."""
    if sinks and context.invoked_subcommand in ("create", "delete"):
        raise click.UsageError("sinks are made and deleted in the worker's settings")
    context.obj = _sinks(load_settings()) if sinks else Connect(url or Local.here().addresses().connect)


def _sinks(settings: Settings) -> Connect:
    """The worker of these settings, which answers for its sinks as Connect does for connectors."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web.host, settings.web.host)  # noqa: S104 - no address to ask
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.web.port}"
    token = settings.state / "web.token"
    try:
        if not token.exists():  # the worker makes it when somebody wants to sign in
            with urllib.request.urlopen(f"{url}/sign-in", timeout=ANSWER_S):  # noqa: S310 - made above
                pass
        password = token.read_text(encoding="utf-8").strip()
    except urllib.error.URLError as error:
        raise ConnectError(f"no worker answers at {url}: {error.reason}") from None
    except OSError as error:
        raise ConnectError(f"the worker's token can't be read from {token}: {error.strerror}") from None
    return Connect(url, user=who(), password=password, fails_for_good=False)


@connector.command("list")
@json_option("a list of the connectors")
@ends_with(_FAILED)
@click.pass_obj
def list_(connect: Connect, as_json: bool) -> None:
    """Show every connector: its state, and that of its tasks."""
    found = connect.statuses()
    if as_json:
        terminal.print_json([_plain(status) for status in found])
    elif not found:
        terminal.done(f"there is no connector at {connect.url}")
        terminal.remark("make one with `parrot connector create NAME FILE`")
    else:
        table = terminal.Table("connector", "type", "state", "tasks")
        for status in found:
            tasks = ", ".join(f"{task.id} {_coloured(task.state)}" for task in status.tasks)
            table.add_row(escape(status.name), status.type, _coloured(status.connector.state), tasks or "[dim]none[/]")
        terminal.result().print(table)
    _judge(found)


@connector.command()
@click.argument("name")
@json_option("the connector, with the whole trace of what failed")
@ends_with(_FAILED)
@click.pass_obj
def status(connect: Connect, name: str, as_json: bool) -> None:
    """Show one connector, its settings without secrets, and why it failed if it did."""
    found, config = connect.status(name), {key: shown(key, value) for key, value in connect.config(name).items()}
    if as_json:
        terminal.print_json({**_plain(found), "config": config})
    else:
        console = terminal.result()
        console.print(f"{escape(name)}: {_coloured(found.connector.state)}")
        for task in found.tasks:
            console.print(f"  task {task.id}: {_coloured(task.state)} [dim]on {escape(task.worker_id)}[/]")
        if found.failed:
            console.print(f"[red]{escape(found.reason)}[/]")
            console.print(f"[dim]when its cause is mended:[/] parrot connector restart {escape(name)}")
        table = terminal.Table(show_header=False)
        for key in sorted(config):
            table.add_row(f"[dim]{escape(key)}[/]", escape(config[key]))
        console.print(table)
    _judge([found])


@connector.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_state_as_json
@click.pass_obj
def create(connect: Connect, name: str, file: Path, as_json: bool) -> None:
    """Make a connector from a JSON FILE, or give it new settings; every wrong one is named beforehand.

    The file holds the settings, or {"name": ..., "config": {...}} as Connect has it. ${NAME} is taken from the
    environment, so that no password need be in the file.
    """
    config = {**read_config(file), "name": name}
    if problems := connect.problems(config):
        lines = "".join(f"\n  {one.name}: {' '.join(one.errors)}" for one in problems)
        raise ConnectError(f"{file}: Connect refuses these settings:{lines}")
    had_failed = name in connect.names() and connect.status(name).failed
    connect.put(name, config)
    with Waiting(f"waiting for {name} to run"):
        if had_failed:
            found = _again(connect, name)
        else:
            found = connect.wait(name, lambda found: found.running, WAIT_S)
    _tell(found, f"{name} runs", as_json)


@connector.command()
@click.argument("name")
@_state_as_json
@click.pass_obj
def pause(connect: Connect, name: str, as_json: bool) -> None:
    """Let a connector hold. What is committed meanwhile stays in the source's log, which grows.

    What is changed while a sink is paused waits in Kafka, for `topics.retention_days`.
    """
    connect.pause(name)
    with Waiting(f"waiting for {name} to hold"):
        found = connect.wait(name, lambda found: _all(found, "PAUSED"), WAIT_S)
    sinks = "" if connect.fails_for_good else "--sinks "
    _tell(found, f"{name} is paused; go on with `parrot connector {sinks}resume {name}`", as_json)


@connector.command()
@click.argument("name")
@_state_as_json
@click.pass_obj
def resume(connect: Connect, name: str, as_json: bool) -> None:
    """Let a paused connector go on where it was."""
    connect.resume(name)
    goes_on = _runs if connect.fails_for_good else _is_not_paused
    with Waiting(f"waiting for {name} to go on"):
        found = connect.wait(name, goes_on, WAIT_S)
    if found.failed:
        raise ConnectError(f"{name} goes on, but its store does not answer: {found.reason}")
    _tell(found, f"{name} runs", as_json)


@connector.command()
@click.argument("name")
@_state_as_json
@click.pass_obj
def restart(connect: Connect, name: str, as_json: bool) -> None:
    """Start a connector and all its tasks again."""
    connect.restart(name)
    with Waiting(f"waiting for {name} to run"):
        found = _again(connect, name)
    _tell(found, f"{name} runs", as_json)


@connector.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option("the name of what is deleted")
@click.pass_obj
def delete(connect: Connect, name: str, yes: bool, as_json: bool) -> None:
    """Delete a connector. Topics and stores keep what they have; a replication slot stays unless it drops its own."""
    connect.status(name)
    if not yes:
        terminal.confirm(f"delete the connector {name}?")
    connect.delete(name)
    if as_json:
        terminal.print_json({"name": name, "deleted": True})
    else:
        terminal.done(f"{name} is deleted")


def _tell(found: ConnectorStatus, text: str, as_json: bool) -> None:
    if as_json:
        terminal.print_json(_plain(found))
    else:
        terminal.done(text)


def _again(connect: Connect, name: str) -> ConnectorStatus:
    """A connector that had failed before: it shows its old failure until its tasks begin anew, so only what runs in the
    end counts.
    """
    found = _settled(connect, name)
    if found.failed:
        raise ConnectError(f"{name} failed again: {found.reason or 'it gives no reason'}")
    return found


def _settled(connect: Connect, name: str) -> ConnectorStatus:
    deadline = time.monotonic() + WAIT_S
    while True:
        found = connect.status(name)
        if found.running or time.monotonic() > deadline:
            return found
        time.sleep(POLL_S)


def _runs(found: ConnectorStatus) -> bool:
    return found.running


def _is_not_paused(found: ConnectorStatus) -> bool:
    return found.connector.state != "PAUSED" and all(task.state != "PAUSED" for task in found.tasks)


def _all(found: ConnectorStatus, state: str) -> bool:
    return found.connector.state == state and all(task.state == state for task in found.tasks)


def _plain(status: ConnectorStatus) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(status)
    return plain


def _judge(found: list[ConnectorStatus]) -> None:
    if any(status.failed for status in found):
        end(UNHEALTHY)


def _coloured(state: str) -> str:
    return f"[{_COLOURS.get(state, 'dim')}]{escape(state)}[/]"

"""What the shared options do to what commands print, on a terminal and where there is none."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from parrot_faust.cli import cli, progress, terminal
from parrot_faust.cli.conventions import dress
from parrot_faust.cli.terminal import Table
from parrot_faust.distribution import Local

CASE = {
    "name": "a case",
    "rules": {"columns": {"a": ["not_be_null"]}},
    "rows": [{"a": None}],
    "expect": {"success": True},
}
UNSET = ("NO_COLOR", "PARROT_CONFIG", "COLUMNS")  # variables that would speak into the tests
#: Commands that end without anything that runs, how each ends, and whether it has a result besides its status.
COMMANDS: dict[str, tuple[list[str], int, bool]] = {
    "status": (["status"], 0, True),
    "down": (["down"], 0, False),
    "logs": (["logs", "kafka"], 0, False),
    "completion": (["completion", "bash"], 0, True),
    "simulate": (["simulate", "--seed", "1", "--runs", "2"], 0, True),
    "rules check": (["rules", "check", "good.yaml"], 0, False),
    "rules check, wrong": (["rules", "check", "bad.yaml"], 1, False),
    "rules test": (["rules", "test", "cases.json"], 1, True),
    "init": (["init", "--brokers", "b:9092", "--kudu", "k:7051", "--to", "new", "--force"], 0, False),
    "check": (["check", "--config", "gone.yaml"], 1, True),
    "bench rules": (["bench", "rules", "--rows", "1000", "--no-great-expectations"], 0, True),
}
#: Commands that can't do what they are asked: how each ends, and what it says of it.
ERRORS: dict[str, tuple[list[str], int, str]] = {
    "bench transport": (["bench", "transport"], 1, "`parrot up kafka`"),
    "sql": (["sql", "select 1"], 1, "`parrot up postgres`"),
    "top": (["top", "--url", "http://127.0.0.1:1"], 1, "no worker answers at http://127.0.0.1:1"),
    "verify": (["verify", "--config", "gone.yaml"], 4, "gone.yaml"),
    "a command": (["stauts"], 2, "Did you mean status?"),
}
#: Runs one command after another as `parrot` does, with a line after each that says how it ended.
ALL_AT_ONCE = """
import json, sys
from parrot_faust.cli import main
for arguments in json.load(open("commands.json")):
    sys.argv, status = ["parrot", *arguments], 0
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    print(f"\\nended {status}", flush=True)
"""


def folder_of(path: Path) -> Path:
    """A folder with files for commands."""
    (path / "good.yaml").write_text("table: shop.public.orders\ncolumns: {id: [not_be_null]}\n")
    (path / "bad.yaml").write_text("table: t\ncolumns: {a: [not_be_nul]}\n")
    (path / "cases.json").write_text(json.dumps({"cases": [CASE]}))
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a folder, and a distribution of its own of which nothing runs."""
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"PARROT_{name}", str(tmp_path / name.lower()))
    monkeypatch.chdir(folder_of(tmp_path))
    return tmp_path


def on_a_terminal(command: Sequence[str], folder: Path, width: int = 80, **variables: str) -> str:
    """All that a program prints on a terminal of a width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "PARROT_CONFIG")
    }
    environment |= {"TERM": "xterm-256color", "PARROT_STATE": "state", "PARROT_CACHE": "cache", **variables}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=folder, env=environment)
    os.close(its)
    printed = b"".join(_chunks(ours))
    os.close(ours)
    assert process.wait(60) == 0, printed
    return printed.decode().replace("\r\n", "\n")


def _chunks(terminal_: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(terminal_, 65_536)
        except OSError:  # Linux says so when the other side is closed
            return
        if not chunk:
            return
        yield chunk


def parrot(commands: Sequence[list[str]], folder: Path, width: int = 80, **variables: str) -> list[tuple[int, str]]:
    """How each of several commands ends on a terminal, and all that it prints there."""
    (folder_of(folder) / "commands.json").write_text(json.dumps(commands))
    printed = on_a_terminal([sys.executable, "-c", ALL_AT_ONCE], folder, width, **variables)
    parts = re.split(r"\nended (\d+)\n", printed)
    assert len(parts) == 2 * len(commands) + 1, printed
    return [(int(status), text) for text, status in zip(parts[::2], parts[1::2], strict=False)]


@pytest.mark.parametrize("width", [80, 40])
def test_without_colour_nothing_is_an_escape_and_tables_fit_the_terminal(tmp_path: Path, width: int) -> None:
    cases = [*COMMANDS.values(), *ERRORS.values()]
    answers = parrot([[*arguments, "--no-color"] for arguments, _, _ in cases], tmp_path, width)
    for (arguments, status, _), (ended, printed) in zip(cases, answers, strict=True):
        assert ended == status, printed
        assert printed.strip(), arguments
        assert "\x1b" not in printed, arguments
    results = [printed for name, (_, printed) in zip(COMMANDS, answers, strict=False) if COMMANDS[name][2]]
    tables = [text for text in results if not text.startswith("_parrot_completion")]
    too_wide = [line for text in tables for line in text.splitlines() if cell_len(line) > width]
    assert [line for line in too_wide if not line.startswith(("  →", "2 runs"))] == []


def test_there_is_colour_unless_it_is_refused_before_or_behind_or_by_the_variable(tmp_path: Path) -> None:
    plain = ["status", "--no-color"], ["--no-color", "status"], ["rules", "--no-color", "check", "bad.yaml"]
    coloured = ["status"], ["rules", "check", "bad.yaml"], ["verify", "--config", "gone.yaml"]
    found = [("\x1b" in printed) for _, printed in parrot([*plain, *coloured], tmp_path)]
    assert found == [False] * 3 + [True] * 3
    assert [("\x1b" in printed) for _, printed in parrot(coloured, tmp_path, NO_COLOR="1")] == [False] * 3


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_said_to_who_wants_quiet(here: Path, name: str) -> None:
    arguments, status, said = ERRORS[name]
    answer = CliRunner().invoke(cli, ["--quiet", *arguments])
    assert (answer.exit_code, answer.stdout) == (status, "")
    assert said in answer.stderr


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_quiet_leaves_the_result_alone(here: Path, name: str, first: bool) -> None:
    arguments, status, has_result = COMMANDS[name]
    whole = ["--quiet", *arguments] if first else [*arguments, "-q"]
    answer = CliRunner().invoke(cli, whole, catch_exceptions=False)
    assert (answer.exit_code, bool(answer.stdout)) == (status, has_result)
    assert answer.stderr == "" or name == "rules check, wrong"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "logs"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "behind"])
def test_json_is_one_document_on_stdout(here: Path, name: str, first: bool) -> None:
    arguments, status, _ = COMMANDS[name]
    whole = ["--json", *arguments] if first else [*arguments, "--json"]
    answer = CliRunner().invoke(cli, whole, catch_exceptions=False)
    assert answer.exit_code == status
    json.loads(answer.stdout)


def test_json_of_what_goes_on_and_on_is_a_document_a_line(here: Path) -> None:
    (log,) = Local.here().log("kafka")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("one\ntwo \x1b[31m\n")
    answer = CliRunner().invoke(cli, ["logs", "kafka", "--json"])
    assert [json.loads(line)["line"] for line in answer.stdout.splitlines()] == ["one", "two \x1b[31m"]


def shown(table: Table, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_table_without_room_for_its_words_is_a_block_a_row() -> None:
    table = Table("table", "rows", "said")
    table.add_row("shop.public.order_lines", "1,000", "[green]equal[/]")
    table.add_row("shop.public.orders", "", "a_word_that_is_longer_than_the_terminal")
    assert shown(table, 90) == [
        " table                    rows   said",
        " shop.public.order_lines  1,000  equal",
        " shop.public.orders              a_word_that_is_longer_than_the_terminal",
    ]
    assert shown(table, 30) == [
        "shop.public.order_lines",
        "  rows 1,000",
        "  said equal",
        "shop.public.orders",
        "  said a_word_that_is_longer_t",
        "       han_the_terminal",
    ]


def test_a_word_is_broken_in_no_column_while_there_is_room() -> None:
    table = Table("when", "table", "what")
    table.add_row("2026-01-01 00:00:00", "shop.public.orders", "CreateTable (id int64, total decimal) key (id)")
    lines = shown(table, 60)
    assert max(map(len, lines)) <= 60
    words = " ".join(" ".join(lines).split())
    assert all(word in words for word in ("2026-01-01", "00:00:00", "shop.public.orders", "CreateTable", "decimal)"))


def test_a_column_that_is_shortened_asks_for_no_block() -> None:
    table = Table()
    table.add_column("table", overflow="ellipsis", no_wrap=True, min_width=8)
    table.add_column("rows")
    table.add_row("shop.public.order_lines", "1,000")
    assert shown(table, 24)[1].split() == ["shop.public.or…", "1,000"]


@pytest.mark.parametrize("options", [[], ["--no-color"]], ids=["moving", "lines"])
def test_what_takes_long_says_so_on_a_terminal(tmp_path: Path, options: list[str]) -> None:
    code = """
import threading, click
from parrot_faust.cli import conventions, progress
progress.PATIENCE_S = 0.0
class Seen(progress.Waiting):
    begun = threading.Event()
    def _begin(self):
        super()._begin()
        self.begun.set()
@click.command()
def one():
    with Seen('measuring [this]') as wait:
        assert wait.begun.wait(30)
conventions.dress(one, 'up')()
"""
    printed = on_a_terminal([sys.executable, "-c", code, *options], tmp_path)
    assert "measuring [this]" in printed
    assert ("\x1b" in printed) == (options == [])


def test_where_nobody_looks_nothing_is_said_of_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.Waiting("measuring") as wait:
        wait._begin()
        wait.say("still measuring")
    bar = progress.Bar("rows")
    bar(1, 2)
    bar.close()
    assert capsys.readouterr().err == ""


def test_remarks_are_silent_and_warnings_are_not() -> None:
    @click.command()
    def one() -> None:
        terminal.done("done")
        terminal.remark("a remark")
        terminal.remarks().print("another")
        terminal.warn("a warning")
        terminal.fail("broken")

    loud, quiet = (CliRunner().invoke(dress(one, "up"), arguments) for arguments in ([], ["-q"]))
    assert (loud.stdout, loud.stderr) == ("done\n", "a remark\nanother\na warning\nerror: broken\n")
    assert (quiet.stdout, quiet.stderr) == ("", "a warning\nerror: broken\n")

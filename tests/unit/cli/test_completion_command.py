"""Completion in shells: Bash for real, and what each shell's script asks the program for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from parrot_faust.cli import COMMANDS, cli

PARROT = Path(sys.executable).with_name("parrot")


def asked(shell: str, line: str) -> list[str]:
    """What the program answers to a shell's script that asks how `line` may go on."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_PARROT_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line if shell == "bash" else " ".join(words[:-1]) if shell == "fish" else line,
        "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1),
    }
    done = subprocess.run([PARROT], env=environment, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_each_shell_gets_commands_with_what_they_do() -> None:
    assert asked("bash", "parrot ru") == ["plain,rules"]
    assert asked("fish", "parrot ru") == [f"plain,rules\t{COMMANDS['rules'][2]}"]
    assert asked("zsh", "parrot ru") == ["plain", "rules", COMMANDS["rules"][2]]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("parrot ", [f"plain,{name}" for name in COMMANDS]),
        ("parrot schema p", ["plain,plan"]),
        ("parrot verify --rep", ["plain,--repair", "plain,--repair-explained"]),
        ("parrot rows hb", ["plain,hbase"]),
        ("parrot demo --format j", ["plain,json", "plain,json-schema"]),
        ("parrot completion ", ["plain,bash", "plain,zsh", "plain,fish"]),
    ],
)
def test_commands_options_and_values_are_completed(line: str, wanted: list[str]) -> None:
    assert asked("bash", line) == wanted


def test_bash_completes_with_the_script() -> None:
    assert shutil.which("bash")
    script = (
        'eval "$(parrot completion bash)"\n'
        "COMP_WORDS=(parrot deadletters re) COMP_CWORD=2\n"
        "_parrot_completion parrot\n"
        'echo "${COMPREPLY[@]}"; complete -p parrot\n'
    )
    environment = {**os.environ, "PATH": f"{PARROT.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["replay", "complete -o nosort -F _parrot_completion parrot"]


@pytest.mark.parametrize(
    ("shell", "has"), [("zsh", "compdef _parrot_completion parrot"), ("fish", "complete --no-files")]
)
def test_the_scripts_of_other_shells_ask_under_the_same_name(shell: str, has: str) -> None:
    done = CliRunner().invoke(cli, ["completion", shell])
    assert done.exit_code == 0
    assert has in done.output
    assert f"_PARROT_COMPLETE={shell}_complete" in done.output

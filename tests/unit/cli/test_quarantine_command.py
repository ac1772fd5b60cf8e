"""`parrot quarantine`: how its options choose rows and correct values."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from parrot_faust.cli import letter_work
from parrot_faust.cli.quarantine import quarantine


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in ("list_letters", "send_again", "discard_letters"):
        monkeypatch.setattr(letter_work, name, lambda choice, **options: made.update(options, choice=choice))
    return made


def test_filters_choose_by_table_rule_time_key_and_address(asked: dict[str, Any]) -> None:
    arguments = ["list", "--table", "orders", "--rule", "status.*", "--since", "1h", "--key", "7", "a.b/0/12"]
    assert CliRunner().invoke(quarantine, arguments).exit_code == 0
    choice = asked["choice"]
    assert choice.quarantine
    assert (choice.wanted.topics, choice.wanted.rules, choice.wanted.keys) == (
        ["orders", "*.orders"],
        ("status.*",),
        ("7",),
    )
    assert choice.wanted.since_ms > 0
    assert [str(place) for place in choice.wanted.places] == ["a.b/0/12"]


def test_values_are_taken_as_written_with_who_and_when(asked: dict[str, Any]) -> None:
    arguments = ["redrive", "--set", "note=a=b", "--edit", "n=", "--set-null", "placed"]
    assert CliRunner().invoke(quarantine, arguments).exit_code == 0
    edit = asked["edit"]
    assert edit.values == {"note": "a=b", "n": "", "placed": None}
    assert "@" in edit.by
    assert edit.at_ms > 1_700_000_000_000
    CliRunner().invoke(quarantine, ["redrive"])
    assert asked["edit"] is None


@pytest.mark.parametrize("text", ["n", "=5"])
def test_a_value_without_its_column_is_refused(asked: dict[str, Any], text: str) -> None:
    result = CliRunner().invoke(quarantine, ["redrive", "--set", text])
    assert (result.exit_code, asked) == (2, {})
    assert "COLUMN=VALUE" in result.output

"""`parrot rules apply`: what is wrong with a file is said, and then nothing is applied."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from parrot_faust.cli.live_rules import _result, _tell_one
from parrot_faust.cli.rules import rules
from parrot_faust.errors import RuleError
from parrot_faust.quality.standing import Doing, Happening, RuleCommand, RuleEntry
from parrot_faust.rules_desk import Taken

GOOD = "table: t\ncolumns: {a: [not_be_null]}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"table: t\ncolumns:\n  a: [not_be_nul]\n", ":3:7: not_be_nul is not known here"),
        (b"table: t\ncolumns: !!python/object/apply:os.system [ls]\n", ":2:10: tags, anchors"),
        (b"#" * 10_000_000, "has more than"),
        (b"#" * 2_000_000, "at most 1048576 bytes"),
        (b"table: \xff", "is not UTF-8 at byte 7"),
        (b"table: t\ncolumns: {a: &x [*x]}\n", "bad.yaml"),
        (GOOD.encode(), "has rules in"),
    ],
)
def test_a_broken_file_is_refused_with_its_place_and_nothing_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, said: str
) -> None:
    monkeypatch.setattr("parrot_faust.cli.live_rules.run", lambda *_: pytest.fail("something was sent"))
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_bytes(content)
    result = CliRunner().invoke(rules, ["apply", str(good), str(bad)])
    assert isinstance(result.exception, RuleError), "which ends `parrot` with status 1"
    assert "nothing is applied" in str(result.exception)
    assert said in result.output


@pytest.mark.parametrize("doing", [Doing.APPLY, Doing.PAUSE])
def test_what_was_done_is_said_also_where_no_rule_was_changed(doing: Doing, capsys: pytest.CaptureFixture[str]) -> None:
    entry = RuleEntry("v", "", "f.yaml", 1, history=(Happening(1, doing, "v", added=("a.not_be_null",)),))
    result = _result(Taken(entry, {"w": 5}, ()), RuleCommand("t", doing, 1, "me"), "v", waiting=False, before=None)
    assert (result["done"], result["changed"]) == (True, [])
    _tell_one(result)
    assert "version v instead of none (1 added)" in capsys.readouterr().out

"""What `parrot verify` prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from parrot_faust.cli import verify as command
from parrot_faust.errors import SourceUnavailable
from parrot_faust.verify.plan import Skipped
from parrot_faust.verify.report import (
    Kind,
    Paused,
    Reason,
    Report,
    RowDifference,
    StoreDifference,
    TableResult,
    Value,
    Verdict,
    strongest,
)
from parrot_faust.verify.run import Options

ROW = RowDifference(
    "shop.public.t",
    {"id": "1"},
    (StoreDifference("kudu", Kind.DIFFERS, Reason.QUARANTINED, "by rule r version v: q[0] offset 3"),),
    (Value("name", "[b]new[/b]", {"kudu": None, "hbase": "[b]new[/b]"}),),
)


def report(verdict: Verdict) -> Report:
    table = TableResult("shop.public.t", verdict, {"source": 1_000, "kudu": 999, "hbase": 1_000}, 1, 1)
    left_out = Skipped("shop.public.t", "gap", "no form is documented for interval")
    return Report(verdict, (table,), (ROW,), (left_out,), 1.5, 1_000, 2_000, "2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("verdict", "status"),
    [(Verdict.EQUAL, 0), (Verdict.EXPLAINED, 1), (Verdict.UNEXPLAINED, 2), (Verdict.UNDECIDED, 3)],
)
def test_the_exit_status_is_the_verdict(monkeypatch: pytest.MonkeyPatch, verdict: Verdict, status: int) -> None:
    monkeypatch.setattr(command, "once", lambda *_: report(verdict))
    answer = CliRunner().invoke(command.verify, ["--json"])
    assert answer.exit_code == status
    assert json.loads(answer.output)["verdict"] == verdict
    assert msgspec.json.decode(answer.output, type=Report) == report(verdict)


def test_what_can_not_be_compared_is_neither_equal_nor_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Report:
        raise SourceUnavailable("connection refused")

    monkeypatch.setattr(command, "once", fail)
    assert CliRunner().invoke(command.verify, []).exit_code == 4


def test_options_reach_the_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Options] = []

    def note(_config: Path | None, options: Options) -> Report:
        seen.append(options)
        return report(Verdict.EQUAL)

    monkeypatch.setattr(command, "once", note)
    arguments = ["--table", "a", "--table", "b", "--since", "5", "--sample", "0.1", "--wait", "3", "--repair"]
    CliRunner().invoke(command.verify, arguments)
    CliRunner().invoke(command.verify, ["--repair-explained"])
    assert seen == [Options(("a", "b"), "5", 0.1, 3.0, 1_000, "unexplained"), Options(repair="all")]


def test_every_compares_again_and_outlives_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [report(Verdict.EQUAL), SourceUnavailable("gone"), report(Verdict.UNEXPLAINED)]
    waits: list[float] = []

    def next_answer(*_: Any) -> Report:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: Report = answer
        return found

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if not answers:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "once", next_answer)
    monkeypatch.setattr(command.time, "sleep", wait)
    answer = CliRunner().invoke(command.verify, ["--every", "1.5h", "--json"])
    assert waits == [5_400.0] * 3
    lines = [line for line in answer.output.splitlines() if line.startswith("{")]
    assert [json.loads(line)["verdict"] for line in lines] == ["equal", "unexplained"]


@pytest.mark.parametrize("text", ["1", "h", "0s", "1w", "-1m"])
def test_a_span_that_is_none_is_refused(text: str) -> None:
    assert CliRunner().invoke(command.verify, ["--every", text]).exit_code == 2


def test_rows_are_shown_with_their_reason_and_values_as_they_are() -> None:
    console = Console(width=200, record=True)
    command.show(report(Verdict.EXPLAINED), console)
    text = console.export_text()
    assert "shop.public.t id=1: differs in kudu, quarantined by rule r version v: q[0] offset 3" in text
    assert "name: source '[b]new[/b]'; kudu: None, hbase: '[b]new[/b]'" in text
    assert "not compared: shop.public.t, column gap: no form is documented for interval" in text


def test_what_is_aged_out_and_what_is_paused_is_said_in_words_beside_the_differences() -> None:
    aged = TableResult("shop.public.t", Verdict.EQUAL, {"source": 9, "kudu": 2}, aged_out=7, aging="at before then")
    waits = Paused("kudu", "2026-01-01T00:00:00+00:00", "by me", "parrot connector --sinks resume kudu")
    console = Console(width=200, record=True)
    command.show(Report(Verdict.EQUAL, (aged,), (), (), 1.5, 9, 9, "", paused=(waits,)), console)
    text = " ".join(console.export_text().split())
    assert "shop.public.t: 7 rows are aged out of Kudu (at before then)" in text
    assert "kudu is paused since 2026-01-01T00:00:00+00:00: by me; what was committed since then waits" in text
    assert "`parrot connector --sinks resume kudu` lets it go on" in text


def test_stores_that_differ_alike_are_told_together() -> None:
    stores = tuple(StoreDifference(store, Kind.MISSING, Reason.DROPPED, "by rule r") for store in ("hbase", "kudu"))
    console = Console(width=200, record=True)
    command.show_row(RowDifference("shop.public.t", {"id": "1"}, stores, ()), console)
    assert console.export_text() == "shop.public.t id=1: missing in hbase and kudu, dropped by rule r\n"


def test_of_several_tables_the_worst_counts() -> None:
    assert strongest([Verdict.EQUAL, Verdict.UNDECIDED, Verdict.EXPLAINED]) is Verdict.UNDECIDED
    assert strongest([Verdict.UNEXPLAINED, Verdict.UNDECIDED]) is Verdict.UNEXPLAINED
    assert strongest([]) is Verdict.EQUAL

"""`parrot bench web` asks for every page, in both forms, and says which of them are too large or too slow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from parrot_faust.bench.web import MOST_BYTES, Answer, WebReport
from parrot_faust.cli import cli
from parrot_faust.cli.bench_web import show_pages

GOOD = Answer("/", "html", 1_000, 2.0, 3.0, 1.0, is_page=True, met=True)


def test_every_page_is_measured_without_anything_that_runs() -> None:
    outcome = CliRunner().invoke(cli, ["bench", "web", "--no-pipeline", "--tables", "10", "--times", "1", "--json"])
    assert outcome.exit_code == 0, outcome.output
    report = json.loads(outcome.stdout)
    assert report["open_page"] is None
    found = {(one["path"], one["form"]): one for one in report["pages"]["answers"]}
    assert {(path, form) for path in ("/", "/quality", "/schema", "/stats") for form in ("html", "json")} <= set(found)
    assert all(0 < one["size"] < MOST_BYTES for one in found.values() if one["is_page"])
    assert [path for (path, form), one in found.items() if not one["is_page"] and form == "html"] == ["/metrics"]


@pytest.mark.parametrize(("met", "mark"), [(True, "✓"), (False, "✗")])
def test_what_is_too_large_or_too_slow_is_marked(met: bool, mark: str) -> None:
    console = Console(record=True, width=120)
    show_pages(WebReport(500, [replace(GOOD, met=met)], 150_000, 50.0, met, "2 CPUs"), console)
    text = console.export_text()
    assert f"{mark} pages below 150 kB within 50 ms (median) at 500 tables" in text
    assert text.count(mark) == 2


def test_without_a_running_distribution_the_command_says_how_to_start_it(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARROT_STATE", str(tmp_path))
    outcome = CliRunner().invoke(cli, ["bench", "web"])
    assert outcome.exit_code == 1
    assert "kafka, kudu not running" in outcome.stderr

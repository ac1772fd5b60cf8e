"""`parrot rules backtest` and `suggest` on the records of a topic: what is read, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from parrot_faust.cli.rules import rules
from parrot_faust.errors import ParrotError
from parrot_faust.quality import RuleSet, load
from parrot_faust.recent import Recent
from parrot_faust.settings import Settings

T = "shop.public.goods"
SETTINGS = """\
app: a
brokers: '127.0.0.1:1'
source: {topics: 'shop[.].*'}
sinks:
  kudu: {masters: ['127.0.0.1:1'], replicas: 1}
tables:
  shop.public.goods: {mask: {mail: redact}}
"""
BEGAN_MS = 1_700_000_000_000


class Kept(NamedTuple):
    """A record of a topic."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes]] = ()


def created(offset: int, number: int) -> Kept:
    row = {"id": number, "n": number, "mail": f"u{number}@secret.org"}
    source = {"db": "shop", "schema": "public", "table": "goods", "ts_ms": BEGAN_MS + number}
    value = json.dumps({"before": None, "after": row, "source": source, "op": "c"}).encode()
    return Kept(offset, json.dumps({"id": number}).encode(), value, BEGAN_MS + number)


class Topic:
    """A reader of one topic of two partitions: 200 rows each, and rubbish at the end of the first."""

    def __init__(self) -> None:
        first = [created(10 + n, n) for n in range(200)]
        self.partitions_of = {
            0: [*first, Kept(210, b"x", b"\xff rubbish", BEGAN_MS)],
            1: [created(n, 200 + n) for n in range(200)],
        }

    async def topics(self) -> list[str]:
        return [T, "a.rules", "other"]

    async def partitions(self, topic: str) -> list[int]:
        return sorted(self.partitions_of) if topic == T else []

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        kept = self.partitions_of[partition]
        return kept[0].offset, kept[-1].offset + 1

    async def since(self, topic: str, partition: int, at_ms: int) -> int:
        kept = self.partitions_of[partition]
        return next((one.offset for one in kept if one.timestamp >= at_ms), kept[-1].offset + 1)

    async def scan(self, topic: str, partition: int, first: int, end: int) -> AsyncIterator[Sequence[Kept]]:
        wanted = [one for one in self.partitions_of[partition] if first <= one.offset < end]
        for start in range(0, len(wanted), 64):
            yield wanted[start : start + 64]


@pytest.fixture(autouse=True)
def topic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parrot.yaml").write_text(SETTINGS)
    monkeypatch.setenv("PARROT_CONFIG", str(tmp_path / "parrot.yaml"))

    @asynccontextmanager
    async def reading(settings: Settings) -> AsyncIterator[Recent]:
        yield Recent(settings, Topic(), None)  # type: ignore[arg-type]

    async def in_force(_: Settings, table: str) -> tuple[str, RuleSet | None]:
        return "in force", load(f"table: {table}\ncolumns: {{n: [{{be_between: {{max_value: 390}}}}]}}\n", "now.yaml")

    monkeypatch.setattr("parrot_faust.cli.tried_rules.reading", reading)
    monkeypatch.setattr("parrot_faust.cli.tried_rules._in_force", in_force)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(rules, [str(one) for one in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "new.yaml"
    file.write_text(
        f"table: {T}\ncolumns: {{n: [{{be_between: {{max_value: 379}}}}], mail: [{{match_regex: '^v'}}]}}\n"
    )
    return file


def test_a_backtest_counts_what_would_fail_beside_what_does(file: Path) -> None:
    result = run("backtest", file, "--from-beginning", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["events"], report["partitions"], report["undecodable"]) == (400, 2, {"DecodeError": 1})
    first, second = report["rules"]
    assert (first["failed"], first["now"], first["change"], first["of"]) == (20, 9, 11, 400)
    assert (second["failed"], second["now"], second["change"]) == (400, None, None)
    assert report["rows"]["held"] == report["rows"]["newly_held"] + 9 == 400
    assert [sample["address"] for sample in first["samples"]] == [f"{T}/1/{n}" for n in (180, 181, 182)]
    assert "secret" not in result.stdout
    assert "***" in second["samples"][0]["reason"]


@pytest.mark.parametrize(
    ("span", "events"),
    [
        (("--last", 100), 99),  # the rubbish is one of them
        (("--last", 10_000), 400),
        ((), 400),
        (("--since", "2023-11-14T22:13:20.300"), 100),
        (("--since", "1m"), 0),
    ],
)
def test_a_backtest_reads_the_span_that_is_asked_for(file: Path, span: tuple[object, ...], events: int) -> None:
    result = run("backtest", file, *span, "--json")
    assert (result.exit_code, json.loads(result.stdout)["events"]) == (0, events), result.output


def test_a_backtest_is_told_in_words(file: Path) -> None:
    result = run("backtest", file)
    assert result.exit_code == 0, result.output
    assert f"{T}: 400 events of 2 partitions, from 2023-11-14 22:13:20" in result.output
    assert "1 records could not be decoded (DecodeError)" in result.output
    assert "400 rows would be held back, 9 are by what is in force: 391 only then, 0 only now" in result.output
    assert "secret" not in result.output


def test_a_table_without_a_topic_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gone.yaml"
    file.write_text("table: shop.public.gone\n")
    assert str(run("backtest", file).exception) == "there is no topic shop.public.gone"
    assert "no table gone is known" in str(run("suggest", "gone").exception)


def test_a_suggestion_passes_check_and_holds_for_what_it_was_made_of(tmp_path: Path) -> None:
    to = tmp_path / "not there yet" / "made.yaml"
    result = run("suggest", "goods", "--to", to)
    assert result.exit_code == 0, result.output
    assert "1 records could not be decoded" in result.stderr
    assert "secret" not in to.read_text()
    tried = json.loads(run("backtest", to, "--from-beginning", "--json").stdout)
    assert {one["failed"] for one in tried["rules"]} == {0}
    again = run("suggest", "goods", "--to", to)
    assert isinstance(again.exception, ParrotError)
    assert "not written over" in str(again.exception)
    assert load(run("suggest", T).stdout, "out.yaml").version == load(to.read_text(), "to.yaml").version

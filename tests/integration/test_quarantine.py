"""Rows that rules have held back: seen, corrected, let through once the rules are others, and never over newer ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pipelines import STORES, Pipeline, eventually, pipeline
from sources import Source

from parrot_faust.cli.quarantine import quarantine
from parrot_faust.cli.rules import rules
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration

SECRET = "anna@example.org"


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


def held(worker: Worker, *arguments: str) -> tuple[int, Any, str]:
    """Run `parrot quarantine` with the worker's settings: exit status, what it printed as data, and all its text."""
    done = CliRunner().invoke(quarantine, [*arguments, "--json"], env={"PARROT_CONFIG": str(worker.settings)})
    data = json.loads(done.stdout) if done.stdout.startswith("{") else None
    return done.exit_code, data, f"{done.output}{done.exception or ''}"


def test_held_rows_are_corrected_let_through_and_dropped_and_never_overwrite_what_is_newer(run: Pipeline) -> None:
    run.sql("create table goods (id bigint primary key, n bigint, email text)")
    source = Source(run, "goods")
    run.rules("goods", "columns: {n: [{be_between: {max_value: 10}}]}\n")
    worker = run.worker(more=f"tables: {{{source.topic}: {{mask: {{email: redact}}}}}}")
    source.put(
        *(source.change(id=identity, n=10 * identity + 10, email=SECRET) for identity in range(1, 6)),
        source.change("u", id=3, n=3, email=SECRET),  # a good one replaces the third
        source.change("d", id=4, n=50, email=SECRET),  # the fourth is deleted
        (source.key(4), None),
        source.change(id=9, n=9, email=SECRET),
    )

    def stored() -> list[dict[int, Any]]:
        return [{key[0]: row[1] for key, row in run.store(store, "goods", "id").items()} for store in STORES]

    def both(rows: dict[int, int]) -> bool:
        return stored() == [rows, rows]

    eventually(lambda: both({3: 3, 9: 9}))
    eventually(lambda: run.quarantine("goods").records == 5)
    _, listed, _ = held(worker, "list", "--table", "goods", "--rule", "n.*")
    assert [(group["reason"], group["count"], group["state"]) for group in listed["groups"]] == [
        ("n.be_between", 5, "open")
    ]
    assert held(worker, "list", "--rule", "other")[1]["groups"] == []
    assert held(worker, "list", "--since", "2020-01-01", "--key", "2", "--each")[1]["counts"]["open"] == 1
    _, shown, text = held(worker, "show", "--key", "1")
    assert (len(shown["letters"]), shown["letters"][0]["rule"]) == (1, "n.be_between")
    assert "***" in shown["letters"][0]["head"]
    assert SECRET not in text

    # Corrected: judged by the rules like any other row, and not where a mask hides the value.
    status, _, text = held(worker, "redrive", "--key", "1", "--set", "email=b@example.org")
    assert (status, "email of" in text, "is masked" in text) == (1, True, True)
    status, report, _ = held(worker, "redrive", "--key", "1", "--set", "n=11")
    assert (status, report["outcomes"], report["letters"][0]["reason"]) == (1, {"failed": 1}, "RuleFailed")
    status, report, _ = held(worker, "redrive", "--key", "1", "--set", "n=7")
    assert (status, report["outcomes"]) == (0, {"applied": 1})
    assert report["before"]["open"] - report["after"]["open"] == 1
    eventually(lambda: both({1: 7, 3: 3, 9: 9}))
    (edited,) = held(worker, "show", "--key", "1")[1]["letters"]
    assert (edited["edited"]["values"], "@" in edited["edited"]["by"]) == ({"n": "7"}, True)

    # Looser rules, live: what passes them goes through, what is newer stays, what is deleted stays away.
    loose = run.folder / "loose.yaml"
    loose.write_text(f"table: {source.topic}\ncolumns: {{n: [{{be_between: {{max_value: 55}}}}]}}\n")
    applied = CliRunner().invoke(rules, ["apply", str(loose)], env={"PARROT_CONFIG": str(worker.settings)})
    assert applied.exit_code == 0, applied.output
    _, planned, _ = held(worker, "redrive", "--dry-run")
    assert planned["outcomes"] == {"would be sent": 2, "superseded": 2}
    _, planned, _ = held(worker, "discard", "--replaced", "--dry-run")
    assert (planned["discarded"], planned["after"]["open"]) == (2, 2)
    assert both({1: 7, 3: 3, 9: 9}), "a dry run changes nothing"
    assert held(worker, "discard", "--replaced", "--key", "4", "--yes")[1]["discarded"] == 1
    status, report, _ = held(worker, "redrive")
    assert (status, report["outcomes"]) == (1, {"applied": 1, "superseded": 1, "failed": 1})
    assert (report["before"]["open"], report["after"]["open"]) == (3, 1)
    eventually(lambda: both({1: 7, 2: 30, 3: 3, 9: 9}))
    assert held(worker, "discard", "--yes")[1]["after"] == {"open": 0, "forwarded": 0, "closed": 5}

    # What was corrected lasts until the source's next change of the key.
    source.put(source.change("u", id=1, n=8, email=SECRET))
    eventually(lambda: both({1: 8, 2: 30, 3: 3, 9: 9}))

"""Rules that are put in force while changes flow, in every worker, and that outlive the workers."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kafka_flow import Flow
from pipelines import Pipeline, eventually, pipeline

from parrot_faust.cli.rules import rules as commands
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration

STRICT = "columns: {n: [{be_between: {max_value: 10}}]}\n"
LOOSE = "columns: {n: [{be_between: {max_value: 100}}]}\n"


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


def rules(worker: Worker, *arguments: str) -> tuple[int, Any, str]:
    """Run `parrot rules` with the worker's settings: exit status, what it printed as data, and its errors."""
    done = CliRunner().invoke(commands, [*arguments, "--json"], env={"PARROT_CONFIG": str(worker.settings)})
    return done.exit_code, json.loads(done.stdout) if done.stdout else None, f"{done.stderr}{done.exception or ''}"


def made(worker: Worker, *arguments: str) -> None:
    """Run a command of `parrot rules` that writes a file."""
    done = CliRunner().invoke(commands, arguments, env={"PARROT_CONFIG": str(worker.settings)})
    assert done.exit_code == 0, f"{done.output}{done.exception or ''}"


def try_on_what_has_been(run: Pipeline, worker: Worker, flow: Flow, in_force: str) -> None:
    """Beside loose rules, which hold back nothing of what came: strict ones, proposed ones, and those of a suite."""
    topic, events = run.topic("goods"), flow.sent
    ours = [f"{run.app}.rules", f"{run.app}-rules-changelog", f"{run.app}.quarantine.{topic}", f"{run.app}.tallies"]
    records = run.broker.count(ours)
    run.broker.produce(topic, b"\xff rubbish", key=b"x")
    strict, proposed, taken = (run.folder / f"{name}.yaml" for name in ("strict", "proposed", "taken"))
    strict.write_text(f"table: {topic}\n{STRICT}")
    for span in (("--from-beginning",), ("--since", "1h"), ("--last", "1000000")):
        status, tried, errors = rules(worker, "backtest", str(strict), *span)
        assert (status, tried["events"], tried["undecodable"]) == (0, events, {"DecodeError": 1}), errors
        assert (tried["now"]["version"], tried["rows"]["newly_held"]) == (in_force, events - 4)
        (one,) = tried["rules"]
        assert (one["failed"], one["of"], one["now"], len(one["samples"])) == (events - 4, events, 0, 3)
        assert one["us"] >= 0
    assert 4 <= rules(worker, "backtest", str(strict), "--last", "8")[1]["events"] <= 8

    made(worker, "suggest", "goods", "--last", "1000000", "--to", str(proposed))
    status, (checked,), errors = rules(worker, "check", str(proposed))
    assert (status, checked["columns_checked"]) == (0, True), errors
    tried = rules(worker, "backtest", str(proposed), "--from-beginning")[1]
    assert {one["rule"]: one["failed"] for one in tried["rules"] if one["action"] != "gone"} == dict.fromkeys(
        ("id.not_be_null", "id.be_of_type", "id.be_between", "n.not_be_null", "n.be_of_type", "n.be_in_set"), 0
    )

    suite = run.folder / "suite.json"
    low = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "n", "min_value": 2}}
    suite.write_text(json.dumps({"name": "goods", "meta": {"table": topic}, "expectations": [low]}))
    made(worker, "import", str(suite), "--to", str(taken))
    (one,) = rules(worker, "backtest", str(taken), "--from-beginning")[1]["rules"]
    assert (one["rule"], one["failed"]) == ("n.be_between", 4)
    assert run.broker.count(ours) == records > 0, "nothing is written"


@contextmanager
def flowing(flow: Flow) -> Iterator[None]:
    """Rows that only the loose rules let pass, some in each partition, as long as the block lasts."""
    stop = threading.Event()
    thread = threading.Thread(target=flow.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_looser_set_counts_in_both_workers_at_once_and_outlives_them(run: Pipeline) -> None:
    run.sql("create table goods (id bigint primary key, n bigint)")
    run.rules("goods", STRICT)
    topic, flow = run.topic("goods"), Flow(run, "goods", partitions=4)
    first, second = run.launch(), run.launch()
    for worker in (first, second):
        worker.wait()

    def stored() -> set[int]:
        return {key[0] for key in run.store("kudu", "goods", "id")}

    def held_by(worker: Worker) -> int:
        return int(worker.stats()["sources"].get(topic, {"quarantined": 0})["quarantined"])

    def judging(version: str, workers: int) -> list[str]:
        """The workers that judge by a version, once there are so many."""
        found = rules(first, "list")[1]["tables"]
        told = [one for row in found if row["table"] == topic for one in row["workers"]]
        same = [one["worker"] for one in told if (one["version"], one["state"]) == (version, "in force")]
        return same if len(same) == workers else []

    loose = run.folder / "loose.yaml"
    loose.write_text(f"version: 1\ntable: {topic}\n{LOOSE}")
    flow.send(n=1)  # good by both: the table is there
    eventually(lambda: len(stored()) == 4)
    with flowing(flow):
        eventually(lambda: run.quarantine("goods").records >= 20)
        eventually(lambda: held_by(first) and held_by(second))
        status, (applied,), errors = rules(first, "apply", str(loose))
        assert (status, applied["silent"], applied["changed"]) == (0, [], ["n.be_between"]), errors
        sys.stdout.write(f"in force after ms, by worker: {applied['workers']}\n")
        assert len(applied["workers"]) == 2
        sent = flow.sent
        eventually(lambda: flow.partitions_of(identity for identity in stored() if identity >= sent) == {0, 1, 2, 3})
    assert eventually(lambda: judging(applied["version"], 2))
    try_on_what_has_been(run, first, flow, applied["version"])

    # The registry does not know the table, its topic does.
    unfit = run.folder / "unfit.yaml"
    unfit.write_text(f"table: {topic}\ncolumns: {{absent: [not_be_null]}}\n")
    status, (good, bad), _ = rules(first, "check", str(loose), str(unfit))
    assert (status, good["columns_checked"], good["errors"]) == (1, True, [])
    assert "the table has no column absent" in bad["errors"][0]["message"]

    # What changes nothing, what is wrong, and what nobody could have sent.
    assert rules(first, "apply", str(loose))[1][0]["changed"] is False
    broken = run.folder / "broken.yaml"
    broken.write_text(f"table: {topic}\ncolumns: {{n: [be_purple]}}\n")
    status, _, errors = rules(first, "apply", str(broken))
    assert (status, f"{broken}:2:15: " in errors) == (1, True), errors
    run.broker.produce(f"{run.app}.rules", b"\xff rubbish", key=topic.encode())
    eventually(lambda: "refused, those in force stay" in run.log())
    elsewhere = run.folder / "elsewhere.yaml"
    elsewhere.write_text("table: nobody.knows.this\ncolumns: {n: [not_be_null]}\n")
    assert rules(first, "apply", str(elsewhere))[1][0]["waiting"] is True
    waiting = [row for row in rules(first, "list")[1]["tables"] if row["table"] == "nobody.knows.this"]
    assert waiting[0]["state"] == "waiting for its topic"

    # A restart with nothing but the topics, and the strict file as it was: what was applied later stays.
    for worker in (first, second):
        assert worker.stop() == 0
        shutil.rmtree(worker.settings.parent / "state", ignore_errors=True)
    first.launch()
    first.wait()
    assert eventually(lambda: judging(applied["version"], 1))
    assert "wins over file goods.yaml" in first.log.read_text()
    last = flow.send(n=60)
    eventually(lambda: set(last) <= stored())

    # Paused, every row passes; removed as well.
    assert rules(first, "pause", "goods")[1]["workers"]
    beyond = flow.send(n=1_000)
    eventually(lambda: set(beyond) <= stored())
    assert rules(first, "resume", "goods")[1]["workers"]
    held = run.quarantine("goods").records
    flow.send(n=1_000)
    eventually(lambda: run.quarantine("goods").records == held + 4)
    assert rules(first, "remove", "goods")[0] == 0
    done = [line["done"] for line in rules(first, "history", "goods")[1]["history"]]
    assert done == ["file", "apply", "pause", "resume", "remove"]

    # The file edited: its content is new, so it wins at the next start.
    assert first.stop() == 0
    run.rules("goods", LOOSE.replace("100", "50"))
    first.launch()
    first.wait()
    line = eventually(lambda: (rules(first, "history", "goods")[1]["history"][5:] or [None])[0])
    assert (line["done"], line["origin"]) == ("file", "goods.yaml")

    # A column that goes: its rule checks nothing, and everybody is told, until it is back.
    def suspended() -> list[dict[str, Any]]:
        return [one for row in rules(first, "list")[1]["tables"] if row["table"] == topic for one in row["suspended"]]

    without = flow.send_without_n()
    (one,) = eventually(suspended)
    assert (one["rule"], one["reason"], len(one["workers"])) == ("n.be_between", "the table has no column n", 1)
    with urllib.request.urlopen(f"http://127.0.0.1:{first.port}/quality?format=json") as answer:
        view = json.load(answer)
    assert [(one["table"], one["rule"]) for one in view["suspended"]] == [(topic, "n.be_between")]
    assert [each["table"] for each in view["troubles"] if each["act"] and "suspended" in each["words"]] == [topic]
    eventually(lambda: without in stored())
    flow.send(n=1)
    eventually(lambda: not suspended())

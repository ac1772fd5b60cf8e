"""The main job on real parts: what happens at the source is in both stores."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pipelines import STORES, Pipeline, eventually, pipeline

from parrot_faust.distribution import Addresses

LONG = "".join(chr(33 + (position * 7919) % 90) for position in range(12_000))


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


@pytest.mark.parametrize("form", ["avro", "json", "json-schema"])
def test_every_kind_of_change_reaches_both_stores(run: Pipeline, form: str) -> None:
    run.sql("""create table things (id int, part text, name text, price numeric(10,2), seen timestamptz, made timestamp,
               day date, good boolean, data jsonb, ratio double precision, primary key (id, part))""")
    insert = """insert into things values (%s, %s, %s, 12.50, '2024-02-29 12:00:00.123456+02', '1969-07-20 20:17:40',
                '2024-02-29', true, '{"a": [1, null]}', 0.1)"""
    for number in range(20):
        run.sql(insert, number, "a", f"name {number} Ødegård 🦜")
    # JSON without schema says nothing of types: integers and strings are what they look like, the rest is declared.
    declared = """{price: 'decimal(10,2) base64', seen: timestamp, made: timestamp, day: date, good: bool,
                   id: int32, ratio: float64, data: json, name: string, part: string}"""
    tables = f"tables: {{{run.topic('things')}: {{columns: {declared}}}}}" if form == "json" else ""
    run.capture("things", form=form)
    worker = run.worker(tables)
    run.equal("things", "id", "part")

    run.sql("update things set name = null, good = false where id < 5")
    run.sql("delete from things where id between 5 and 9")
    run.sql(insert, 7, "a", "born again")
    run.sql("update things set id = id + 100 where id between 10 and 12")
    run.sql("update things set part = 'b' where id = 13")
    with run.database.transaction():  # all of one moment: the delete must not swallow the insert after it
        run.sql("delete from things where id = 14")
        run.sql(insert, 14, "a", "in one transaction")
        run.sql("update things set price = 99.99 where id = 14")
    rows = run.equal("things", "id", "part")

    assert len(rows) == 16
    assert rows[(0, "a")][2] is None
    assert {(110, "a"), (13, "b"), (14, "a"), (7, "a")} <= rows.keys()
    stats = worker.stats()
    captured = run.broker.count([run.topic("things")])
    counts = stats["sources"][run.topic("things")]
    assert counts["captured"] == captured == 20 + 5 + 10 + 1 + 12 + 4
    for sink in STORES:
        assert stats["sinks"][sink]["tables"][run.topic("things")]["applied"] == captured - counts["tombstones"]
    assert worker.stop() == 0


def test_an_unchanged_toast_value_is_never_overwritten(run: Pipeline) -> None:
    run.sql("create table texts (id int primary key, body text, hits int)")
    run.sql("alter table texts alter column body set storage external")
    run.sql("insert into texts values (1, %s, 0), (2, %s, 0)", LONG, LONG)
    run.capture("texts")
    run.worker()
    run.equal("texts", "id")
    run.sql("update texts set hits = hits + 1")
    run.sql("update texts set body = 'short' where id = 2")
    rows = run.equal("texts", "id")
    assert rows == {(1,): (1, LONG, 1), (2,): (2, "short", 1)}


def test_an_unchanged_value_whose_row_was_held_back_still_reaches_the_stores(run: Pipeline) -> None:
    run.sql("create table texts (id int primary key, body text, hits int)")
    run.sql("alter table texts alter column body set storage external")
    run.rules("texts", "columns: {hits: [{be_between: {min_value: 0}}]}")
    run.capture("texts")
    first = run.worker()
    run.sql("insert into texts values (1, %s, -1), (2, %s, -1), (3, %s, 1)", LONG, LONG, LONG)
    run.sql("update texts set hits = 1 where id = 1")

    def one_and_three() -> bool:
        return all(run.store(store, "texts", "id").keys() == {(1,), (3,)} for store in STORES)

    eventually(one_and_three)
    run.sql("update texts set body = %s, hits = -1 where id = 3", LONG[::-1])

    def held() -> bool:
        return run.quarantine("texts").records == 3

    eventually(held)

    def shown() -> bool:
        return len(first.page(f"/tables/{run.topic('texts')}")["samples"]) == 3

    eventually(shown)
    page = first.page(f"/tables/{run.topic('texts')}")
    assert {sample["key"] for sample in page["samples"]} == {"1", "2", "3"}
    assert page["line"]["quarantined"] == page["rules"][0]["failed"] == 3
    assert page["targets"] == {"kudu": f"{run.name}.texts", "hbase": f"{run.name}.texts"}

    for key, state in ((2, "quarantined"), (3, "older")):
        trace = eventually(lambda key=key: first.page(f"/tables/{run.topic('texts')}?key={key}")["trace"])
        assert {store: each["state"] for store, each in trace["stores"].items()} == dict.fromkeys(STORES, state), trace
    for path in ("/quality", "/schema", "/errors", "/agents", "/cluster"):
        assert first.page(path)["app"] == run.app, path
    for action, state in (("pause", "paused"), ("resume", "current")):
        assert first.act(action, table=run.topic("texts"))["done"]
        eventually(lambda state=state: first.page()["tables"][0]["state"] == state)
    told = [json.loads(value or b"") for _, _, value in run.broker.read(f"{run.app}.audit", contents=True).contents]
    assert [(each["action"], each["state"]) for each in told] == [
        ("pause", "asked"), ("pause", "done"), ("resume", "asked"), ("resume", "done"),
    ]  # fmt: skip
    assert first.stop() == 0
    run.sql("update texts set hits = 5")  # leaves the long values out, and another worker has to know them
    run.worker()
    rows = run.equal("texts", "id")
    assert rows == {(1,): (1, LONG, 5), (2,): (2, LONG, 5), (3,): (3, LONG[::-1], 5)}
    run.sql("update texts set hits = 6")
    run.equal("texts", "id")


def test_bad_records_are_dead_lettered_byte_for_byte_and_their_neighbours_applied(run: Pipeline) -> None:
    run.sql("create table notes (id int primary key, note text)")
    run.sql("insert into notes select n, 'note ' || n from generate_series(1, 50) n")
    run.capture("notes")
    worker = run.worker()
    run.equal("notes", "id")
    bad = [
        b"not debezium",
        b"\x00\x7f\xff\xff\xff\x01\x02",
        b"\x00\x00",
        b'{"op": "x", "after": {"id": 1}}',
        b"\x01\x02",
    ]
    places = [run.broker.produce(run.topic("notes"), value) for value in bad]
    run.sql("update notes set note = note || '!'")
    run.equal("notes", "id")

    def filed() -> bool:
        return run.dead("notes").records >= len(bad)

    eventually(filed)
    letters = run.dead("notes").contents
    found = {(int(headers["parrot.partition"]), int(headers["parrot.offset"])): value for headers, _, value in letters}
    assert found == dict(zip(places, bad, strict=True))
    assert all(headers["parrot.topic"] == run.topic("notes") and headers["parrot.message"] for headers, _, _ in letters)
    counts = worker.stats()["sources"][run.topic("notes")]
    assert counts["dead_lettered"] == len(bad)
    assert counts["captured"] == counts["forwarded"] + len(bad) == 100 + len(bad)


def test_rules_quarantine_drop_and_warn(run: Pipeline) -> None:
    run.sql("create table people (id int primary key, email text, age int, country text)")
    run.rules(
        "people",
        """
columns:
  email: [{match_regex: '^[^@]+@[^@]+$'}, {value_lengths_to_be_between: {max_value: 30}, action: drop}]
  age: [{be_between: {min_value: 0, max_value: 150}}]
  country: [{be_in_set: [NO, SE], action: warn}]
""",
    )
    run.capture("people")
    worker = run.worker()
    run.sql("insert into people values (1, 'a@b', 30, 'NO'), (2, 'none', 30, 'NO'), (3, 'c@d', 200, 'NO')")
    run.sql("insert into people values (4, %s, 30, 'NO'), (5, 'e@f', 30, 'XX')", "x" * 30 + "@y")

    def applied() -> bool:
        return all(run.store(store, "people", "id").keys() == {(1,), (5,)} for store in STORES)

    eventually(applied)

    def quarantined() -> bool:
        return run.quarantine("people").records == 2

    eventually(quarantined)
    assert {headers["parrot.rule"] for headers, _, _ in run.quarantine("people").contents} == {
        "email.match_regex",
        "age.be_between",
    }
    counts = worker.stats()["sources"][run.topic("people")]
    assert (counts["quarantined"], counts["dropped"], counts["warned"], counts["forwarded"]) == (2, 1, 1, 2)


def test_schema_grows_and_new_tables_are_taken_in_while_the_worker_runs(run: Pipeline) -> None:
    run.sql("create table first (id int primary key, a text)")
    run.sql("insert into first values (1, 'one')")
    run.capture(**{"publication.autocreate.mode": "all_tables"})
    worker = run.worker()
    run.equal("first", "id")
    run.sql("alter table first add column b numeric(8,3)")
    run.sql("insert into first values (2, 'two', 2.125)")
    run.equal("first", "id")

    run.sql("create table second (id int primary key, a text)")
    run.sql("insert into second values (1, 'new')")
    run.equal("second", "id")
    assert worker.running
    changes = [(change["change"], change["sink"]) for change in worker.stats()["schema_changes"]]
    for sink in STORES:
        assert ("AddColumn", sink) in changes
        assert changes.count(("CreateTable", sink)) == 2


def test_a_table_without_key_is_refused_by_name_and_the_rest_goes_on(run: Pipeline) -> None:
    run.sql("create table keyless (a int)")
    run.sql("alter table keyless replica identity full")
    run.sql("create table keyed (id int primary key)")
    run.sql("insert into keyless values (1), (2)")
    run.sql("insert into keyed values (1), (2)")
    run.capture("keyless", "keyed")
    worker = run.worker()
    run.equal("keyed", "id")

    def refused() -> bool:
        return run.dead("keyless").records == 2

    eventually(refused)
    assert run.topic("keyless") in run.log()
    assert all("key" in headers["parrot.message"] for headers, _, _ in run.dead("keyless").contents)
    assert worker.stats()["sources"][run.topic("keyless")]["dead_lettered"] == 2


def test_a_truncate_is_reported_and_not_applied(run: Pipeline) -> None:
    run.sql("create table kept (id int primary key)")
    run.sql("insert into kept values (1), (2)")
    run.capture("kept", **{"skipped.operations": "none"})
    run.worker()
    run.equal("kept", "id")
    run.sql("truncate kept")
    run.sql("insert into kept values (3)")

    def third() -> bool:
        return all((3,) in run.store(store, "kept", "id") for store in STORES)

    eventually(third)
    for store in STORES:
        assert run.store(store, "kept", "id").keys() == {(1,), (2,), (3,)}
    assert "was truncated at the source" in run.log()


def test_debezium_s_own_topics_are_left_alone(run: Pipeline) -> None:
    run.sql("create table beating (id int primary key)")
    run.sql("insert into beating values (1)")
    run.capture("beating", **{"heartbeat.interval.ms": "200", "provide.transaction.metadata": "true"})
    worker = run.worker(topics=f".*{run.name}.*")
    run.equal("beating", "id")
    own = [f"__debezium-heartbeat.{run.name}", f"{run.name}.transaction"]

    def busy() -> bool:
        return all(run.broker.count([topic]) > 3 for topic in own)

    for number in range(2, 6):
        run.sql("insert into beating values (%s)", number)
    eventually(busy)
    run.equal("beating", "id")
    assert list(worker.stats()["sources"]) == worker.stats()["topics"] == [run.topic("beating")]


def test_sigterm_commits_and_ends_well_and_the_next_worker_repeats_nothing(run: Pipeline) -> None:
    run.sql("create table work (id int primary key, n int)")
    run.sql("insert into work select n, 0 from generate_series(1, 5000) n")
    run.capture("work")
    worker = run.worker()

    def begun() -> bool:
        return bool(worker.stats()["sources"].get(run.topic("work"), {}).get("captured", 0))

    eventually(begun)
    for round_number in range(20):
        run.sql("update work set n = %s where id %% 20 = %s", round_number, round_number)
    began = time.monotonic()
    assert worker.pid is not None
    assert worker.stop() == 0
    assert time.monotonic() - began < 10  # the promise: a stop within ten seconds
    second = run.worker()
    run.equal("work", "id")
    settled = second.stats()["sources"].get(run.topic("work"), {"captured": 0})["captured"]
    total = run.broker.count([run.topic("work")])

    def all_read() -> bool:
        first = worker_captured
        return second.stats()["sources"].get(run.topic("work"), {"captured": 0})["captured"] + first >= total

    worker_captured = total - settled
    eventually(all_read)
    second.stop()
    third = run.worker()
    run.sql("insert into work values (9999, 1)")
    run.equal("work", "id")
    # What the second worker settled was committed at its end: the third sees only what came later.
    assert third.stats()["sources"][run.topic("work")]["captured"] == 1


def test_a_worker_killed_in_the_midst_of_work_loses_nothing(run: Pipeline) -> None:
    run.sql("create table hard (id int primary key, n int)")
    run.capture("hard")
    worker = run.worker()
    run.sql("insert into hard select n, 0 from generate_series(1, 3000) n")
    for round_number in range(3):
        run.sql("update hard set n = n + 1 where id %% 3 = %s", round_number)
        assert worker._process is not None
        worker._process.send_signal(signal.SIGKILL)
        worker._process.wait()
        worker = run.worker()
        run.sql("delete from hard where id = %s", round_number + 1)
    rows = run.equal("hard", "id", timeout_s=90)
    assert len(rows) == 2997

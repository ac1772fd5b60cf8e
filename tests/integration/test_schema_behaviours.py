"""Every kind of change under every behaviour, on the real stores: the documentation's table is what happens."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import happybase
import kudu
import pytest
from pipelines import Pipeline, eventually, pipeline

from parrot_faust.cli.lying import history_in, lying
from parrot_faust.demo import stores
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.distribution import Addresses
from parrot_faust.schema import STORES, Behaviour
from parrot_faust.schema.behaviour import KINDS
from parrot_faust.schema.cells import Outcome, outcome

Rows = dict[str, dict[str, Any]]

NAMES = [f"{kind.lower()}_{behaviour}" for kind in KINDS for behaviour in Behaviour]
BEFORE = "create table {} (id bigint primary key, name text, price int)"
NOT_NULL = "create table {} (id bigint primary key, name text not null, price int)"
ALTER = {
    "AddColumn": "alter table {} add column more text",
    "DropColumn": "alter table {} drop column price",
    "AlterColumnType": "alter table {} alter column price type text using 'many'",
    "AlterNullability": "alter table {} alter column name drop not null",
    "AlterKey": "alter table {0} drop constraint {0}_pkey, add primary key (id, price)",
}
#: A row of the new shape, and a row of the old one brought to it.
INSERT = {
    "AddColumn": "insert into {} values (3, 'three', 30, 'new')",
    "DropColumn": "insert into {} values (3, 'three')",
    "AlterColumnType": "insert into {} values (3, 'three', 'lots')",
    "AlterNullability": "insert into {} values (3, null, 30)",
    "AlterKey": "insert into {} values (3, 'three', 30)",
}
OLD = {"id": 1, "name": "one", "price": 10}


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        try:
            yield made
        finally:
            drop_targets(made.addresses, {f"{made.name}.{name}__g2" for name in NAMES})


def kudu_rows(run: Pipeline, table: str) -> Rows | None:
    host, port = run.addresses.kudu_masters[0].rsplit(":", 1)
    client = kudu.connect(host, int(port))
    name = f"{run.name}.{table}"
    if not client.table_exists(name):
        return None
    opened = client.table(name)
    names = [opened.schema.at(index).name for index in range(len(opened.schema))]
    scanner = opened.scanner()
    scanner.set_selection(kudu.LEADER_ONLY)
    return {str(row[0]): dict(zip(names, row, strict=True)) for row in scanner.open().read_all_tuples()}


def hbase_rows(run: Pipeline, table: str) -> Rows | None:
    host, port = run.addresses.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port), timeout=30_000)
    try:
        name = f"{run.name}.{table}"
        if name.encode() not in connection.tables():
            return None
        return {
            key.decode().partition("|")[0]: {
                cell.partition(b":")[2].decode(): _value(cell, data) for cell, data in row.items()
            }
            for key, row in connection.table(name).scan()
        }
    finally:
        connection.close()


def _value(cell: bytes, data: bytes) -> Any:
    """The only types of these tables: whole numbers, and text."""
    return int.from_bytes(data, "big", signed=True) if cell in (b"d:id", b"d:price") else data.decode()


READ: dict[str, Callable[[Pipeline, str], Rows | None]] = {"kudu": kudu_rows, "hbase": hbase_rows}


def check(run: Pipeline, kind: str, table: str, store: str, expected: Outcome) -> bool:
    """Whether a table in a store is as an outcome says, after the change, row 3 and a change of row 1."""
    rows, newer = READ[store](run, table), READ[store](run, f"{table}__g2")
    if kind == "CreateTable":
        return rows is None if expected in (Outcome.HELD, Outcome.DEAD_LETTERS) else set(rows or ()) == {"1", "2"}
    if rows is None or rows["2"].get("name") != "two":
        return False
    one, two, three = rows["1"], rows["2"], rows.get("3")
    if expected in (Outcome.HELD, Outcome.DEAD_LETTERS):
        return three is None and one["name"] == "one" and newer is None
    if expected is Outcome.GENERATION:
        return newer is not None and set(newer) == {"1", "3"} and three is None and newer["3"]["price"] == 30
    if three is None or one["name"] != "changed":
        return False
    match expected:
        case Outcome.ADDED:
            return three["more"] == "new" and two.get("more") is None and two["price"] == 20
        case Outcome.STAYS:
            return two["price"] == 20 and one.get("price") is None and three.get("price") is None
        case Outcome.DROPPED:
            return "price" not in one and "price" not in two
        case Outcome.CLEARED:
            return "price" not in one and "price" not in three and two["price"] == 20
        case Outcome.BESIDE:
            beside = "price__string"
            return (three[beside], three.get("price"), two["price"]) == ("lots", None, 20) and one[beside] == "many"
        case Outcome.LEFT_OUT:
            return "more" not in three and "price__string" not in three and two["price"] == 20
        case Outcome.NOTHING:
            return three.get("name") is None and three["price"] == 30
    raise AssertionError(expected)


def parrot(config: Path, *arguments: str) -> tuple[int, Any]:
    """Run a command; return its exit status and what it printed as JSON."""
    command = [str(Path(sys.executable).with_name("parrot")), "schema", *arguments, "--json", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def rows_shown(run: Pipeline, store: str, table: str, *key: str) -> stores.Rows:
    """What `parrot rows` shows, by key."""
    name = f"{run.name}.{table}"
    types = stores.columns(run.database, table, run.name)
    places = lying(history_in(run.broker, name), store, types)
    read = stores.kudu_rows if store == "kudu" else stores.hbase_rows
    found = read(run.addresses, places.target(name), places.types, key)
    return {identity: places.row(row) for identity, row in found.items()}


def test_every_cell_of_the_behaviour_table_happens_on_both_stores(run: Pipeline) -> None:
    cells = [(kind, behaviour, f"{kind.lower()}_{behaviour}") for kind in KINDS for behaviour in Behaviour]
    for kind, _, table in cells:
        run.sql((NOT_NULL if kind == "AlterNullability" else BEFORE).format(table))
        run.sql(f"insert into {table} values (1, 'one', 10), (2, 'two', 20)")
    run.capture()
    chosen = ", ".join(
        f"{run.topic(table)}: {{schema_change_kinds: {{{kind}: {behaviour}}}}}" for kind, behaviour, table in cells
    )
    worker = run.worker(f"tables: {{{chosen}}}")
    made = [table for kind, _, table in cells if kind != "CreateTable"]
    for store in STORES:
        for table in made:
            eventually(lambda store=store, table=table: set(READ[store](run, table) or ()) == {"1", "2"}, 120)

    for kind, _, table in cells:
        if kind in ALTER:
            run.sql(ALTER[kind].format(table))
            run.sql(INSERT[kind].format(table))
            run.sql(f"update {table} set name = 'changed' where id = 1")
    held = {
        run.topic(table)
        for kind, behaviour, table in cells
        if any(outcome(kind, behaviour, store) is Outcome.HELD for store in STORES.values())
    }
    eventually(lambda: set(worker.stats()["held_tables"]) == held, 120)
    for store in STORES.values():
        for kind, behaviour, table in cells:
            expected = outcome(kind, behaviour, store)
            try:
                eventually(
                    lambda kind=kind, table=table, store=store, expected=expected: check(
                        run, kind, table, store.name, expected
                    )
                )
            except AssertionError:
                raise AssertionError(
                    f"{table} in {store.name} is not: {expected}; {READ[store.name](run, table)}"
                ) from None
    dead = {
        run.topic(table)
        for kind, behaviour, table in cells
        if outcome(kind, behaviour, STORES["kudu"]) is Outcome.DEAD_LETTERS
    }
    assert {table for table, counts in worker.stats()["sources"].items() if counts.get("dead_lettered")} == dead

    config = worker.settings
    status, plans = parrot(config, "plan")
    assert status == 2
    assert {plan["table"] for plan in plans if plan["held"]} == held
    for kind in KINDS:
        approved, rejected = f"{kind.lower()}_review", f"{kind.lower()}_exception"
        assert parrot(config, "approve", run.topic(approved))[0] == 0
        if kind == next(iter(KINDS)):  # a person may as well say so on the page
            (held_one,) = (each for each in worker.page("/schema")["held"] if each["table"] == run.topic(rejected))
            assert worker.act("reject", table=run.topic(rejected), shape=held_one["shape"])["done"]
            eventually(lambda rejected=rejected: run.topic(rejected) not in worker.stats()["held_tables"])
        else:
            assert parrot(config, "reject", run.topic(rejected))[0] == 0
        for store in STORES.values():
            for table, behaviour in ((approved, Behaviour.LENIENT), (rejected, Behaviour.IGNORE)):
                expected = outcome(kind, behaviour, store)
                assert eventually(
                    lambda kind=kind, table=table, store=store, expected=expected: check(
                        run, kind, table, store.name, expected
                    )
                ), (table, store.name, expected)
    for kind in KINDS:
        status, told = parrot(config, "history", run.topic(f"{kind.lower()}_review"))
        assert status == 0
        assert [event["verdict"] for event in told["events"] if not event["sink"]][-2:] == ["held", "approve"]
    status, columns = parrot(config, "diff", run.topic("altercolumntype_lenient"))
    assert status == 0
    (price,) = (line for line in columns["columns"] if line["column"] == "price")
    assert price == {
        "column": "price", "source": "string", "kudu": "price int32, price__string string",
        "hbase": "price int32, price__string string",
    }  # fmt: skip
    for store in STORES:
        shown = rows_shown(run, store, "altercolumntype_lenient", "id")
        assert shown[1,] == (1, "changed", "many")
        assert shown[2,] == (2, "two", "20 (in price)"), "not written since its type has changed"
        assert rows_shown(run, store, "alterkey_lenient", "id", "price")[3, 30] == (3, "three", 30)
    page = f"/tables/{run.topic('alterkey_lenient')}?key=3%7C30"
    traced = eventually(lambda: worker.page(page)["trace"])
    assert {store: each["state"] for store, each in traced["stores"].items()} == dict.fromkeys(STORES, "applied")
    assert worker.page(page)["targets"] == dict.fromkeys(STORES, f"{run.name}.alterkey_lenient__g2")
    assert worker.stop() == 0

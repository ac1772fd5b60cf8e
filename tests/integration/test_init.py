"""From someone's own database to both stores, by the commands that README shows and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from pipelines import eventually
from psycopg import sql

from parrot_faust.connect import Connect
from parrot_faust.demo import stores
from parrot_faust.demo.broker import Broker
from parrot_faust.demo.leftovers import drop_capture, drop_targets
from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution import Addresses, Local

PARROT = Path(sys.executable).with_name("parrot")
BOOKS = {"isbn": "text", "title": "text", "copies": "integer"}


class Library:
    """A database of its own, which is not the demo's."""

    def __init__(self, addresses: Addresses, folder: Path, state: Path) -> None:
        self.addresses, self.folder = addresses, folder
        self.name = f"lib{uuid4().hex[:8]}"
        self.access: dict[str, Any] = addresses.postgres | {"dbname": self.name}
        self.password = str(self.access["password"])
        self._environment = os.environ | {"PARROT_STATE": str(state), "COLUMNS": "200", "NO_COLOR": "1"}
        self.workers: list[Worker] = []

    def url(self, user: str = "", password: str = "") -> str:
        access = self.access
        return (
            f"postgresql://{user or access['user']}:{password or access['password']}@"
            f"{access['host']}:{access['port']}/{self.name}"
        )

    def parrot(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [PARROT, *arguments]
        environment = self._environment | {"PARROT_SOURCE_PASSWORD": self.password}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    def init(self, *more: str) -> subprocess.CompletedProcess[str]:
        known = ("--local", "--prefix", self.name, "--app", f"app-{self.name}", "--to", str(self.folder))
        return self.parrot("init", *known, *more)


@pytest.fixture
def library(distribution: Addresses, local: Local, tmp_path: Path) -> Iterator[Library]:
    made = Library(distribution, tmp_path / "begun", local.folder)
    with psycopg.connect(**distribution.postgres, autocommit=True) as server:
        server.execute(sql.SQL("create database {}").format(sql.Identifier(made.name)))
        with psycopg.connect(**made.access, autocommit=True) as database:
            database.execute("create schema lending")
            database.execute(f"create table lending.books_{made.name} (isbn text primary key, title text, copies int)")
            database.execute(f"insert into lending.books_{made.name} values ('1-a', 'Emma', 2), ('2-b', null, 0)")
            database.execute("create table lending.visits (at timestamptz, gate int)")
            yield made
            for worker in made.workers:
                worker.stop()
            connect = Connect(distribution.connect)
            if made.name in connect.names():
                connect.delete(made.name)
            drop_capture(database, f"parrot_{made.name}")
        server.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(made.name)))
        Broker(distribution.kafka).remove((f"{made.name}.", f"app-{made.name}", f"__debezium-heartbeat.{made.name}"))
        drop_targets(distribution, {f"lending.books_{made.name}"})


def test_an_own_database_is_followed_by_what_init_has_written(library: Library) -> None:
    begun = library.init("--postgres", library.url(), "--schema", "lending")
    assert begun.returncode == 0, begun.stdout + begun.stderr
    assert "lending.visits" in begun.stdout
    assert "has no primary key" in begun.stdout
    assert "parrot connector create" in begun.stdout
    password = str(library.access["password"])
    assert password not in begun.stdout + "".join(file.read_text() for file in library.folder.iterdir())

    made = library.parrot("connector", "create", library.name, str(library.folder / "connector.json"))
    assert made.returncode == 0, made.stderr
    checked = checks_well(library)
    port, text = free_port(), (library.folder / "parrot.yaml").read_text()
    state = f"state: '{library.folder / 'state'}'\nweb: {{port: {port}}}\n"
    worker = Worker(library.folder / "worker", text.replace("state: .parrot/worker", state, 1), port)
    library.workers.append(worker)
    worker.launch()
    worker.wait()
    with psycopg.connect(**library.access, autocommit=True) as database:
        database.execute(f"update lending.books_{library.name} set copies = 3 where isbn = '1-a'")
    target = f"lending.books_{library.name}"
    wanted = {("1-a",): ("1-a", "Emma", 3), ("2-b",): ("2-b", None, 0)}

    def in_both() -> bool:
        applied = [sink["tables"] for sink in worker.stats()["sinks"].values()]
        return all(sum(table["applied"] for table in tables.values()) == 3 for tables in applied)

    eventually(in_both)
    assert checked >= {"settings", "Kafka", "schema registry", f"connector {library.name}", "Kudu", "HBase"}
    assert stores.kudu_rows(library.addresses, target, BOOKS, ("isbn",)) == wanted
    assert stores.hbase_rows(library.addresses, target, BOOKS, ("isbn",)) == wanted
    for store in ("kudu", "hbase"):
        config = str(library.folder / "parrot.yaml")
        shown = library.parrot("rows", store, f"lending.books_{library.name}", "--json", "--config", config)
        assert json.loads(shown.stdout) == [dict(zip(BOOKS, row, strict=True)) for row in wanted.values()], shown.stderr


def checks_well(library: Library) -> set[str]:
    """What `parrot check` finds as it must be; nothing has failed."""
    done = library.parrot("check", "--config", str(library.folder / "parrot.yaml"), "--json")
    found = {one["subject"]: one["outcome"] for one in json.loads(done.stdout)}
    assert (done.returncode, "failed" in found.values()) == (0, False), done.stdout
    return {subject for subject in found if found[subject] == "ok"}


def test_a_check_names_everything_that_is_wrong_with_its_cure_and_no_password(library: Library, tmp_path: Path) -> None:
    assert library.init("--postgres", library.url(), "--schema", "lending").returncode == 0
    text = (library.folder / "parrot.yaml").read_text()
    here = library.addresses
    assert f"name: '{library.name}'" in text
    text = text.replace(f"name: '{library.name}'", "name: nothing_of_the_kind")
    for address in (here.kafka, *here.kudu_masters, here.hbase_thrift, here.registry.split("/")[2]):
        assert address in text
        text = text.replace(address, "127.0.0.1:1")
    quality = tmp_path / "quality_rules"
    quality.mkdir()
    (quality / "broken.yaml").write_text("version: 1\ntable: t\ncolumns: {a: [{be_betwen: {min_value: 0}}]}\n")
    text = text.replace("quality: quality_rules", f"quality: '{quality}'")
    (library.folder / "parrot.yaml").write_text(text)
    done = library.parrot(
        "check", "--config", str(library.folder / "parrot.yaml"), "--connect", "http://127.0.0.1:1", "--json"
    )
    found = {one["subject"]: one for one in json.loads(done.stdout)}
    wrong = {subject for subject, one in found.items() if one["outcome"] == "failed"}
    assert wrong == {"rules", "Kafka", "schema registry", "Kafka Connect", "source database", "Kudu", "HBase"}
    assert done.returncode == 1
    assert all(found[subject]["cure"] for subject in wrong)
    assert "be_between" in found["rules"]["text"]
    assert "nothing_of_the_kind" in found["source database"]["text"]
    assert str(library.access["password"]) not in done.stdout + done.stderr


def test_what_stands_in_the_way_is_said_with_its_cure(library: Library) -> None:
    with psycopg.connect(**library.access, autocommit=True) as database:
        reader = f"reader_{library.name}"
        database.execute(sql.SQL("create role {} login password 'plain'").format(sql.Identifier(reader)))
        try:
            database.execute(sql.SQL("grant usage on schema lending to {}").format(sql.Identifier(reader)))
            begun = library.init("--postgres", library.url(reader, "plain"))
            library.password = "plain"
            checked = library.parrot("check", "--config", str(library.folder / "parrot.yaml"), "--json")
        finally:
            database.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(reader)))
    assert begun.returncode == 2, begun.stderr
    assert f'alter role "{reader}" replication' in begun.stdout
    assert f'grant select on "lending"."books_{library.name}"' in begun.stdout
    (found,) = (one for one in json.loads(checked.stdout) if one["subject"] == "source database")
    assert found["outcome"] == "failed"
    assert "may not replicate" in found["text"]
    assert not (library.folder / "connector.json").exists()  # without a list it would capture every table


def test_statements_that_init_shows_let_a_user_capture_who_owns_nothing(library: Library) -> None:
    with psycopg.connect(**library.access, autocommit=True) as database:
        reader = f"Reader {library.name}"
        database.execute(sql.SQL("create role {} login password 'plain'").format(sql.Identifier(reader)))
        try:
            url = library.url(quote(reader), "plain")
            shown = library.init("--postgres", url, "--schema", "lending")
            assert shown.returncode == 2, shown.stderr
            statements = [line.strip() for line in shown.stdout.splitlines() if line.startswith("  ") and ";" in line]
            for statement in statements:
                database.execute(statement)
            begun = library.init("--postgres", url, "--schema", "lending", "--force")
            assert (begun.returncode, len(statements)) == (0, 4), shown.stdout + begun.stdout
            library.password = "plain"
            made = library.parrot("connector", "create", library.name, str(library.folder / "connector.json"))
            assert made.returncode == 0, made.stderr
            eventually(lambda: _slot_is_read(database, f"parrot_{library.name}"))
        finally:
            Connect(library.addresses.connect).delete(library.name)
            drop_capture(database, f"parrot_{library.name}")
            database.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(reader)))


def _slot_is_read(database: psycopg.Connection[Any], slot: str) -> bool:
    row = database.execute("select active from pg_replication_slots where slot_name = %s", (slot,)).fetchone()
    return bool(row and row[0])


def test_files_that_are_there_are_left_alone_and_a_wrong_schema_is_named(library: Library) -> None:
    assert library.init().returncode == 0
    kept = library.folder / "parrot.yaml"
    kept.write_text("mine")
    again = library.init()
    assert again.returncode == 1
    assert "parrot.yaml exist in" in again.stderr
    assert kept.read_text() == "mine"
    assert library.init("--force").returncode == 0
    assert kept.read_text() != "mine"
    wrong = library.init("--force", "--postgres", library.url(), "--schema", "landing")
    assert wrong.returncode == 1
    assert "there is no schema landing; there is lending, public" in wrong.stderr
    away = library.parrot(
        "init", "--brokers", "k:1", "--kudu", "m:1", "--postgres", "postgresql://u:hush@127.0.0.1:1/x"
    )
    assert away.returncode == 1
    assert away.stderr.startswith("error: the source database is not available: ")
    assert "hush" not in away.stderr

"""`parrot verify` on real parts: what a wrong writer did is found, what rules held back is explained, what is in flight
is neither, and what differs is put right through the pipeline.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import index
from pathlib import Path
from typing import Any

import happybase
import kudu
import pytest
from kudu.client import Partitioning
from pipelines import Pipeline, eventually, pipeline

from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses, Local
from parrot_faust.settings import load
from parrot_faust.verify.access import broker_of, schemas_of
from parrot_faust.verify.report import Kind, Reason, Report, Verdict
from parrot_faust.verify.run import Options, Verification, Watch

PARROT = Path(sys.executable).with_name("parrot")
NOON = 1_709_208_000_123_456  # 2024-02-29 12:00:00.123456 UTC


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


#: Compares a table once, with options.
Verify = Callable[..., Report]


@contextmanager
def verifying(run: Pipeline, worker: Worker, table: str) -> Iterator[Verify]:
    """Comparing a table of the pipeline as often as is asked, by the same processes."""
    settings = load(worker.settings, {})
    with Verification(
        settings, run.addresses.postgres, "", broker_of(settings), schemas_of(settings), Watch()
    ) as verification:
        yield lambda **options: verification.run(Options((f"{run.name}.{table}",), **options))


class WrongWriter:
    """Writes into the stores' tables behind the pipeline's back."""

    def __init__(self, run: Pipeline, table: str) -> None:
        from kudu import client

        # Other tests in this process may have opened a sink, whose process-wide change this is too.
        client.to_unixtime_micros = index
        host, port = run.addresses.kudu_masters[0].rsplit(":", 1)
        self._client = kudu.connect(host, int(port))
        self._kudu = self._client.table(f"{run.name}.{table}")
        host, port = run.addresses.hbase_thrift.rsplit(":", 1)
        self._connection = happybase.Connection(host, int(port))
        self._hbase = self.table = self._connection.table(f"{run.name}.{table}")

    def kudu(self, key: int, **values: Any) -> None:
        self._apply(self._kudu.new_upsert(), id=key, **values)

    def kudu_delete(self, key: int) -> None:
        self._apply(self._kudu.new_delete(), id=key)

    def _apply(self, operation: Any, **values: Any) -> None:
        for name, value in values.items():
            operation[name] = value
        session = self._client.new_session()
        session.apply(operation)
        session.flush()

    def hbase(self, row: bytes, **cells: bytes | None) -> None:
        at = time.time_ns() // 1000  # newer than the pipeline's own cells
        for name, value in cells.items():
            if value is None:
                self._hbase.delete(row, columns=[f"d:{name}".encode()], timestamp=at)
            else:
                self._hbase.put(row, {f"d:{name}".encode(): value}, timestamp=at)

    def hbase_delete(self, row: bytes) -> None:
        self._hbase.delete(row, timestamp=time.time_ns() // 1000)

    def close(self) -> None:
        self._connection.close()


TYPES = """create table things (id int primary key, small smallint, big bigint, price numeric(10,2), loose numeric,
  wide numeric(50,3), ratio double precision, single real, name text, short varchar(20), fixed char(8), raw bytea,
  good boolean, day date, clock time, made timestamp, seen timestamptz, coarse timestamp(3), token uuid, plain json,
  data jsonb, mood mood, numbers int[], words text[], shares float8[], amounts numeric(10,2)[], gap interval)"""
INSERT = """insert into things select n, n, n * 10000000000, n + 0.25, 1.10 * n,
  1234567890123456789012345678901234567890.125,
  n / 7.0, n / 3.0, 'name ' || n || ' Ødegård 🦜', 'short', 'ab', decode('00ff10', 'hex'), n % 2 = 0,
  date '2024-02-29' - n * 1000, time '23:59:59.999999', timestamp '1969-07-20 20:17:40.5',
  timestamptz '2024-02-29 12:00:00.123456Z', timestamp '2024-02-29 12:00:00.123',
  '00112233-4455-6677-8899-aabbccddeeff',
  '{"b" :1}', '{"a": [1, null]}', 'fine', array[n, null, -n], array['a', null, 'b"\\'], array[0.1, 1e22, n],
  array[1.50, null], interval '1 day' from generate_series(1, 40) n"""
#: Rows of their own: what is at the edges of the types.
EDGES = """insert into things (id, ratio, single, small, big, price, loose, name, raw, day, made, seen, shares) values
  (101, 'NaN', 'NaN', -32768, -9223372036854775808, -99999999.99, 0.000, '', '', '0001-01-01', '0001-01-01',
   '9999-12-31 23:59:59.999999Z', '{NaN,Infinity}'),
  (102, '-0.0', '-0.0', 32767, 9223372036854775807, 0, 1e30, 'a|b\\c', null, '9999-12-31',
   '1900-01-01 00:00:00.000001', 'infinity', '{}'),
  (103, '-Infinity', 'Infinity', 0, 0, 99999999.99, -1.5e-20, null, '\\x00', '1970-01-01', '1970-01-01', 'epoch', null),
  (104, null, null, null, null, null, 'NaN', null, null, null, null, '-infinity', null)"""


def test_what_a_wrong_writer_did_is_found_column_by_column_and_put_right_through_the_pipeline(run: Pipeline) -> None:
    run.sql("create type mood as enum ('fine', 'bad')")
    run.sql(TYPES)
    run.sql(INSERT)
    run.capture("things")
    worker = run.worker()
    run.sql(EDGES)  # not before: a snapshot gives dates before 1582 by another calendar
    with verifying(run, worker, "things") as verify:
        compare_and_repair(run, worker, verify)


def compare_and_repair(run: Pipeline, worker: Worker, verify: Verify) -> None:
    topic = run.topic("things")

    def arrived() -> bool:
        report = verify()
        assert report.differences == ()
        return report.verdict is Verdict.EQUAL

    eventually(arrived, 120)
    report = verify()
    assert report.tables[0].rows == {"source": 44, "kudu": 44, "hbase": 44}
    assert [(skipped.table, skipped.column) for skipped in report.not_compared] == [(topic, "gap")]
    sampled = verify(sample=0.999)
    assert sampled.verdict is Verdict.EQUAL
    assert 0 < sampled.tables[0].rows["source"] == sampled.tables[0].rows["hbase"] <= 44
    assert verify(since="39").tables[0].rows == {"source": 6, "kudu": 6, "hbase": 6}

    run.sql("update things set name = 'newer' where id = 20")
    eventually(arrived, 120)
    wrong = WrongWriter(run, "things")
    wrong.kudu(1, name="wrong value")
    wrong.kudu_delete(2)
    wrong.kudu(9_001, name="extra")
    wrong.kudu(20, name="name 20 Ødegård 🦜")  # stale: what the row was before
    wrong.kudu(3, name=None)
    wrong.kudu(4, raw=b"\x00\xfe\x10")  # one bit
    wrong.kudu(5, seen=NOON + 3_600_000_000)
    wrong.kudu(102, ratio=0.0)
    wrong.kudu(103, name="")  # where null should be
    wrong.hbase(b"6", name=b"wrong value")
    wrong.hbase_delete(b"7")
    wrong.hbase(b"9002", id=struct.pack(">i", 9_002))
    wrong.hbase(b"8", name=None)
    wrong.hbase(b"9", raw=b"\x00\xff\x11")
    wrong.hbase(b"10", price=b"10.250")  # the same number with another scale
    wrong.hbase(b"11", seen=struct.pack(">q", NOON - 3_600_000_000))
    wrong.hbase(b"12", big=struct.pack(">i", 12))  # of another width
    wrong.hbase(b"103", name=b"")
    wrong.hbase(b"13", numbers=b"[13,null,13]")
    wrong.hbase(b"14", ratio=struct.pack(">d", float("inf")))
    wrong.close()

    found = verify()
    assert found.verdict is Verdict.UNEXPLAINED
    assert not any(row.explained for row in found.differences)
    seen = {
        (int(row.key["id"]), store.store, store.kind, ",".join(value.column for value in row.values))
        for row in found.differences
        for store in row.stores
        if store.kind is Kind.DIFFERS
    }
    assert seen == {
        *((key, "kudu", Kind.DIFFERS, "name") for key in (1, 20, 3, 103)),
        *((key, "hbase", Kind.DIFFERS, "name") for key in (6, 8, 103)),
        (4, "kudu", Kind.DIFFERS, "raw"),
        (5, "kudu", Kind.DIFFERS, "seen"),
        (102, "kudu", Kind.DIFFERS, "ratio"),
        (9, "hbase", Kind.DIFFERS, "raw"),
        (10, "hbase", Kind.DIFFERS, "price"),
        (11, "hbase", Kind.DIFFERS, "seen"),
        (12, "hbase", Kind.DIFFERS, "big"),
        (13, "hbase", Kind.DIFFERS, "numbers"),
        (14, "hbase", Kind.DIFFERS, "ratio"),
    }
    others = {
        (int(row.key["id"]), store.store, store.kind)
        for row in found.differences
        for store in row.stores
        if store.kind is not Kind.DIFFERS
    }
    assert others == {
        (2, "kudu", Kind.MISSING),
        (7, "hbase", Kind.MISSING),
        (9_001, "kudu", Kind.EXTRA),
        (9_002, "hbase", Kind.EXTRA),
    }
    (shifted,) = [value for row in found.differences if row.key == {"id": "5"} for value in row.values]
    assert (shifted.source, shifted.stores) == (str(NOON), {"kudu": str(NOON + 3_600_000_000), "hbase": str(NOON)})

    repaired = command(run, worker, "--table", "things", "--repair", "--json")
    assert (repaired.returncode, repaired.stderr) == (0, "")
    answer = json.loads(repaired.stdout)
    assert (answer["verdict"], answer["repaired"], answer["not_repaired"]) == ("equal", 19, [])
    again = command(run, worker, "--table", f"{run.name}.things")
    assert again.returncode == 0, again.stdout
    assert "44" in again.stdout
    assert "column gap: no form is documented for interval" in again.stdout
    follow_shapes(run, verify)


def follow_shapes(run: Pipeline, verify: Verify) -> None:
    """After a change of type rows are read where they are written now, after one of the key in the new table."""
    run.sql("alter table things alter column small type text using small::text")
    run.sql("update things set name = 'of the new shape' where id = 30")

    def placed() -> bool:
        report = verify()
        reasons = {store.reason for row in report.differences for store in row.stores}
        return report.verdict is Verdict.EXPLAINED and reasons == {Reason.OLDER_COLUMN}

    eventually(placed, 120)
    report = verify()
    assert report.tables[0].differences == 42, "all but the new one, and one that has no value there"
    (old,) = [value for row in report.differences if row.key == {"id": "7"} for value in row.values]
    older = "in the older column small"
    assert (old.column, old.source, old.stores) == ("small", "7", {"kudu": older, "hbase": older})

    run.sql("delete from things where id = 104")  # its `big` is null, and no key may be
    run.sql("alter table things drop constraint things_pkey, add primary key (id, big)")
    run.sql("update things set name = 'with another key'")

    def moved() -> bool:
        report = verify()
        return report.verdict is Verdict.EQUAL and report.tables[0].rows == {"source": 43, "kudu": 43, "hbase": 43}

    eventually(moved, 120)
    wrong = WrongWriter(run, "things__g2")
    wrong.hbase(b"6|60000000000", name=b"wrong in the new table")
    wrong.close()
    assert [row.key for row in verify().differences] == [{"id": "6", "big": "60000000000"}]


def command(run: Pipeline, worker: Worker, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`parrot verify` as a user runs it, with the source database in the settings."""
    known = run.addresses.postgres
    database = {"host": known["host"], "port": known["port"], "name": known["dbname"], "user": known["user"]}
    file = run.folder / "verify.yaml"
    text = worker.settings.read_text(encoding="utf-8")
    file.write_text(
        text.replace("source:\n", f"source:\n  database: {json.dumps(database | {'password': '${SHOP_PASSWORD}'})}\n"),
        encoding="utf-8",
    )
    return subprocess.run(
        [PARROT, "verify", *arguments],
        env={**os.environ, "PARROT_CONFIG": str(file), "SHOP_PASSWORD": str(known["password"]), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_bench_compares_what_it_has_filled(local: Local) -> None:
    done = subprocess.run(
        [PARROT, "bench", "verify", "--rows", "60000", "--json"],
        env={**os.environ, "PARROT_STATE": str(local.folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (report,) = json.loads(done.stdout)
    assert report["rows"] == 60_000
    assert set(report["store_seconds"]) == {"source", "kudu", "hbase"}


def test_rows_that_were_held_back_are_explained_and_rows_in_flight_are_neither_equal_nor_different(
    run: Pipeline,
) -> None:
    run.sql("create table items (id int primary key, name text, count int, email text)")
    run.sql("insert into items select n, 'name ' || n, n, n || '@private' from generate_series(1, 200) n")
    run.rules(
        "items",
        """columns:
  count: [{be_between: {min_value: 0}, action: quarantine}]
  name: [{not_be_in_set: [dropped], action: drop}]
""",
    )
    run.sql("create table unmade (id int primary key, name text)")
    run.sql("insert into unmade select n, 'name ' || n from generate_series(-10, 9) n")
    run.capture("items", "unmade")
    hbase = "row_key: binary, salt: 4, families: {other: {columns: ['n*'], compression: gz}}"
    unmade = f"{run.topic('unmade')}: {{kudu: {{create: false}}, hbase: {{{hbase}}}}}"
    masks = f"tables: {{{run.topic('items')}: {{mask: {{email: sha256}}}}, {unmade}}}"
    worker = run.worker(masks)
    with verifying(run, worker, "items") as verify:
        hold_back(run, verify)
        make_by_hand(run, worker)
        fall_behind(run, worker, masks, verify)


def hold_back(run: Pipeline, verify: Verify) -> None:
    eventually(lambda: verify().verdict is Verdict.EQUAL, 120)
    run.sql("update items set count = -1 where id = 1")
    run.sql("insert into items values (301, 'held', -5, null)")
    run.sql("update items set name = 'dropped' where id = 2")
    run.sql("update items set name = repeat('x', 70000) where id = 3")  # more than a cell of Kudu
    run.sql("delete from items where id = 4")

    def decided() -> bool:
        return verify().tables[0].differences == 4

    eventually(decided, 120)
    report = verify()
    assert report.verdict is Verdict.EXPLAINED, [(row.key, row.stores) for row in report.differences]
    reasons = {
        int(row.key["id"]): {store.store: (store.kind, store.reason) for store in row.stores}
        for row in report.differences
    }
    quarantined, dropped = (Kind.DIFFERS, Reason.QUARANTINED), (Kind.DIFFERS, Reason.DROPPED)
    assert reasons == {
        1: {"kudu": quarantined, "hbase": quarantined},
        301: {"kudu": (Kind.MISSING, Reason.QUARANTINED), "hbase": (Kind.MISSING, Reason.QUARANTINED)},
        2: {"kudu": dropped, "hbase": dropped},
        3: {"kudu": (Kind.DIFFERS, Reason.DEAD_LETTER)},
    }
    details = {store.detail for row in report.differences if row.key["id"] == "1" for store in row.stores}
    assert all("count" in detail and f"{run.app}.quarantine.{run.topic('items')}" in detail for detail in details)

    wrong = WrongWriter(run, "items")
    wrong.kudu(50, name="behind its back", email="51@private")
    wrong.close()
    found = verify()
    assert found.verdict is Verdict.UNEXPLAINED
    (email,) = [value for row in found.differences for value in row.values if value.column == "email"]
    assert email.source == hashlib.sha256(b"50@private").hexdigest()  # as the stores are to have it
    assert verify(repair="unexplained").verdict is Verdict.EXPLAINED

    # A row that was held back and then came right is superseded, and no reason any more.
    run.sql("update items set count = 1 where id in (1, 301)")
    run.sql("update items set name = 'fine' where id in (2, 3)")
    eventually(lambda: verify().verdict is Verdict.EQUAL, 120)


def make_by_hand(run: Pipeline, worker: Worker) -> None:
    """A table that is not to be made waits, while others go on, until somebody makes it."""
    topic = run.topic("unmade")
    (reason,) = worker.stats()["held_tables"][topic]
    statement = f"create table {run.name}.unmade (id int32 not null, name string, primary key (id))"
    assert reason.startswith(f"kudu has no table {run.name}.unmade, and `create: false` leaves making it to you: ")
    assert statement in reason
    host, port = run.addresses.kudu_masters[0].rsplit(":", 1)
    client = kudu.connect(host, int(port))
    assert not client.table_exists(f"{run.name}.unmade")
    builder = kudu.schema_builder()
    builder.add_column("id", nullable=False).type("int32")
    builder.add_column("name", nullable=True).type("string")
    builder.set_primary_keys(["id"])
    partitioning = Partitioning().set_range_partition_columns([])
    client.create_table(f"{run.name}.unmade", builder.build(), partitioning, n_replicas=1)
    assert run.equal("unmade", "id") == {(n,): (n, f"name {n}") for n in range(-10, 10)}
    eventually(lambda: topic not in worker.stats()["held_tables"], 60)

    # Its row keys in HBase are salted bytes, and a column lies in a family of its own: they are read all the same.
    wrong = WrongWriter(run, "unmade")
    keys = [key for key, _ in wrong.table.scan()]
    number = struct.unpack(">I", keys[0][1:])[0] - 2**31
    with verifying(run, worker, "unmade") as verify:
        eventually(lambda: verify().verdict is Verdict.EQUAL, 60)
        assert verify().tables[0].rows == {"source": 20, "kudu": 20, "hbase": 20}
        wrong.table.put(keys[0], {b"other:name": b"wrong"}, timestamp=time.time_ns() // 1000)
        wrong.table.put(b"\x09" + keys[1][1:], {b"other:name": b"of no part"}, timestamp=time.time_ns() // 1000)
        found = {
            tuple(row.key.items()): [value.stores.get("hbase") for value in row.values] for row in verify().differences
        }
        assert found.pop((("id", str(number)),)) == ["wrong"]
        ((kind, shown),) = next(iter(found))
        assert (kind, shown) == ("row key", f"row key in hexadecimal 09{keys[1][1:].hex()}")
    wrong.close()


def fall_behind(run: Pipeline, worker: Worker, masks: str, verify: Verify) -> None:
    # No worker: what the source has got meanwhile is in flight.
    assert worker.stop() == 0
    run.sql("update items set count = count + 1 where id between 100 and 119")
    waiting = verify(wait_s=3)
    assert waiting.verdict is Verdict.UNDECIDED
    assert (waiting.tables[0].differences, waiting.tables[0].in_flight) == (0, 20)
    assert "workers did not reach the end of the source topics" in waiting.tables[0].undecided

    # Under load, whatever is read when, nothing is called different.
    worker = run.worker(masks)
    ending = threading.Event()

    def work() -> None:
        with run.database.__class__.connect(**run.addresses.postgres, autocommit=True) as database:
            number = 0
            while not ending.is_set():
                number += 1
                key = number * 7 % 200 + 1
                database.execute(f"update {run.name}.items set count = count + 1 where id = {key}")
                if number % 5 == 0:
                    database.execute(f"delete from {run.name}.items where id = {500 + number % 3}")
                    database.execute(
                        f"insert into {run.name}.items values ({500 + number % 3}, 'again', {number}, 'x')"
                    )

    worker_of_the_source = threading.Thread(target=work)
    worker_of_the_source.start()
    try:
        reports = [verify() for _ in range(3)]
    finally:
        ending.set()
        worker_of_the_source.join()
    assert sum(report.tables[0].caught_up + report.tables[0].in_flight for report in reports) > 0
    assert [report.differences for report in reports] == [(), (), ()]
    eventually(lambda: verify().verdict is Verdict.EQUAL, 120)
    published: list[bytes] = []
    broker_of(load(worker.settings, {})).read(f"{run.app}.verifications", lambda r: published.append(r.key or b""))
    assert set(published) == {run.topic(name).encode() for name in ("items", "unmade")}

"""The HBase sink against a real HBase: what only versions, families and Thrift servers can show."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Iterator
from typing import Any

import happybase
import pytest
from hbase_servers import IDLE_S, ThriftServer, running

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.creation import HBaseFamily
from parrot_faust.delivery.versions import VersionClock
from parrot_faust.demo.stores import hbase_rows
from parrot_faust.distribution import Addresses, Local
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.simulation.shapes import NEW
from parrot_faust.simulation.stores import VersionedStore
from parrot_faust.sinks.hbase import HBaseSettings, HBaseSink, HBaseTableSettings
from parrot_faust.sinks.hbase.cells import CELL_LIMIT

pytestmark = pytest.mark.integration

ID = Column("id", Kind.INT64, False)
TEXT = Column("text", Kind.STRING)
NUMBER = Column("number", Kind.INT32)
DATA = Column("data", Kind.BYTES)
NOON = 1_700_000_000_000_000  # microseconds, a source's commit time


@pytest.fixture
def sink(distribution: Addresses) -> Iterator[HBaseSink]:
    opened = HBaseSink(HBaseSettings(thrift=distribution.hbase_thrift, thrift2=distribution.hbase_thrift2))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def tables(distribution: Addresses) -> Iterator[happybase.Connection]:
    """A connection that is not the sink's."""
    host, port = distribution.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port))
    yield connection
    connection.close()


@pytest.fixture
def name(distribution: Addresses) -> Iterator[str]:
    """A relation of this test's own, whose table is deleted afterwards."""
    made = f"t{uuid.uuid4().hex[:12]}"
    yield made
    host, port = distribution.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port))
    for table in connection.tables():
        if made in table.decode():
            connection.delete_table(table, disable=connection.is_table_enabled(table))
    connection.close()


def schema(name: str, *columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    return TableSchema.of(f"shop.public.{name}", columns, key, database="shop", namespace="public", relation=name)


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def upsert(version: int, *values: Any, unset: tuple[int, ...] = ()) -> Row:
    return Row(0, version, RowOp.UPSERT, values, unset)


def delete(version: int, *key: Any) -> Row:
    return Row(0, version, RowOp.DELETE, key)


def write(sink: HBaseSink, shape: TableSchema, *rows: Row) -> None:
    sink.ensure(shape, soon())
    result = sink.write(shape, rows, soon())
    assert (result.rows, result.failures) == (len(rows), ())


def rows(sink: HBaseSink, shape: TableSchema) -> list[tuple[Any, ...]]:
    return sorted(sink.read(shape))


# -- tables and families ----------------------------------------------------------------------------------------------


def test_table_is_made_with_its_family_and_one_version(
    sink: HBaseSink, tables: happybase.Connection, name: str
) -> None:
    (made,) = sink.ensure(schema(name, ID), soon())
    assert (made.target, made.change, made.detail) == (f"public.{name}", "CreateTable", "family d")
    families = tables.table(f"public.{name}").families()
    assert {family: options["max_versions"] for family, options in families.items()} == {b"d": 1}


def test_table_that_another_one_made_meanwhile_is_no_error(
    sink: HBaseSink, tables: happybase.Connection, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables.create_table(f"public.{name}", {"d": {}})
    monkeypatch.setattr(happybase.Connection, "tables", lambda _: [])  # the sink looked before it was there
    assert list(sink.ensure(schema(name, ID, TEXT), soon())) == []
    monkeypatch.undo()
    write(sink, schema(name, ID, TEXT), upsert(1, 1, "a"))
    assert rows(sink, schema(name, ID, TEXT)) == [(1, "a")]


def test_own_name_and_family_of_a_table_are_used(distribution: Addresses, tables: Any, name: str) -> None:
    own = HBaseTableSettings(table=f"own_{name}_{{table}}", family="wide")
    sink = HBaseSink(
        HBaseSettings(
            thrift=distribution.hbase_thrift, thrift2=distribution.hbase_thrift2, tables={f"shop.public.{name}": own}
        )
    )
    shape = schema(name, ID, TEXT)
    write(sink, shape, upsert(1, 1, "a"))
    assert tables.table(f"own_{name}_{name}").row(b"1") == {b"wide:id": b"\0" * 7 + b"\x01", b"wide:text": b"a"}
    assert rows(sink, shape) == [(1, "a")]


def test_family_that_a_table_of_others_lacks_is_added_beside_theirs(
    sink: HBaseSink, tables: happybase.Connection, name: str
) -> None:
    tables.create_table(f"public.{name}", {"theirs": {}})
    tables.table(f"public.{name}").put(b"1", {b"theirs:x": b"kept"})
    shape = schema(name, ID, TEXT)
    (made,) = sink.ensure(shape, soon())
    assert (made.change, made.detail) == ("AddColumn", "family d")
    write(sink, shape, upsert(1, 1, "a"))
    assert tables.table(f"public.{name}").row(b"1", [b"theirs", b"d:text"]) == {b"theirs:x": b"kept", b"d:text": b"a"}


def test_added_column_has_cells_in_new_rows_only(sink: HBaseSink, tables: happybase.Connection, name: str) -> None:
    before, after = schema(name, ID, TEXT), schema(name, ID, TEXT, NUMBER)
    write(sink, before, upsert(1, 1, "a"))
    (added,) = sink.ensure(after, soon())
    assert (added.change, added.detail) == ("AddColumn", "number")
    write(sink, after, upsert(2, 2, "b", 7))
    assert set(tables.table(f"public.{name}").row(b"1")) == {b"d:id", b"d:text"}
    assert tables.table(f"public.{name}").row(b"2")[b"d:number"] == b"\0\0\0\x07"


def test_table_dropped_by_others_is_made_again(sink: HBaseSink, tables: happybase.Connection, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, upsert(1, 1, "a"))
    tables.delete_table(f"public.{name}", disable=True)
    with pytest.raises(SinkUnavailable):
        sink.write(shape, [upsert(2, 2, "b")], soon())
    result = sink.write(shape, [upsert(2, 2, "b")], soon())
    assert [change.change for change in result.ddl] == ["CreateTable"]
    assert rows(sink, shape) == [(2, "b")]


def test_family_that_is_gone_is_no_rows_fault_and_is_added_again(
    sink: HBaseSink, tables: happybase.Connection, name: str
) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, upsert(1, 1, "a"))
    tables.delete_table(f"public.{name}", disable=True)
    tables.create_table(f"public.{name}", {"theirs": {}})
    batch = [upsert(2, 2, "b"), upsert(3, 3, "c")]
    with pytest.raises(SinkUnavailable):
        sink.write(shape, batch, soon())
    write(sink, shape, *batch)
    assert rows(sink, shape) == [(2, "b"), (3, "c")]


# -- versions ---------------------------------------------------------------------------------------------------------


def test_null_deletes_the_cell_and_unset_leaves_it(sink: HBaseSink, tables: happybase.Connection, name: str) -> None:
    shape = schema(name, ID, TEXT, NUMBER)
    write(sink, shape, upsert(10, 1, "long text", 1), upsert(10, 2, "long text", 2))
    write(sink, shape, upsert(20, 1, None, 10), upsert(20, 2, None, 20, unset=(1,)))
    assert set(tables.table(f"public.{name}").row(b"1")) == {b"d:id", b"d:number"}
    assert rows(sink, shape) == [(1, None, 10), (2, "long text", 20)]


def test_deleted_row_has_no_cell_left_not_even_of_dropped_columns(
    sink: HBaseSink, tables: happybase.Connection, name: str
) -> None:
    wide, narrow = schema(name, ID, TEXT, NUMBER), schema(name, ID)
    write(sink, wide, upsert(10, 1, "a", 1))
    write(sink, narrow, upsert(11, 1), delete(12, 404))
    write(sink, narrow, delete(12, 1))
    assert tables.table(f"public.{name}").row(b"1") == {}


def test_delete_and_insert_of_one_transaction_leave_the_inserted_row(sink: HBaseSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    clock = VersionClock()
    inserted, deleted, again = clock.advance([NOON] * 3)  # one transaction: all its changes share one commit time
    write(sink, shape, upsert(inserted, 1, "first"))
    write(sink, shape, delete(deleted, 1))
    write(sink, shape, upsert(again, 1, None))
    assert rows(sink, shape) == [(1, None)]
    for row in (delete(deleted, 1), upsert(inserted, 1, "first"), upsert(again, 1, None)):
        write(sink, shape, row)
        assert rows(sink, shape) == [(1, None)]


def test_old_chunk_replayed_after_newer_ones_changes_nothing(sink: HBaseSink, name: str) -> None:
    shape = schema(name, ID, TEXT, NUMBER)
    chunks = [
        [upsert(10, 1, "a", 1), upsert(11, 2, "b", 2), upsert(12, 3, "c", 3), upsert(13, 4, "d", 4)],
        [upsert(20, 1, None, 10), delete(21, 2), upsert(22, 3, None, 30, unset=(1,))],
        [upsert(31, 2, "b again", None), delete(32, 4)],
    ]
    for chunk in chunks:
        write(sink, shape, *chunk)
    now = [(1, None, 10), (2, "b again", None), (3, "c", 30)]
    assert rows(sink, shape) == now
    for order in ([0], [1], [1, 0], [2, 0, 1], [0, 1, 2]):
        for index in order:
            write(sink, shape, *chunks[index])
            assert rows(sink, shape) == now


def test_recreated_source_whose_clock_is_behind_is_never_swallowed_by_old_tombstones(
    sink: HBaseSink, name: str
) -> None:
    shape = schema(name, ID, TEXT)
    old = VersionClock()
    inserted, deleted = old.advance([2 * NOON, 2 * NOON])  # the old server's clock was far ahead
    write(sink, shape, upsert(inserted, 1, "old"), upsert(inserted, 2, "old"))
    write(sink, shape, delete(deleted, 1), delete(deleted, 2))
    write(sink, shape, upsert(NOON, 1, "its own time is below the tombstone"))
    assert rows(sink, shape) == []  # which is why a version is never a bare time
    (version,) = VersionClock(old.last).advance([NOON])
    write(sink, shape, upsert(version, 2, "live"))
    assert rows(sink, shape) == [(2, "live")]


@pytest.mark.parametrize("seed", range(3))
def test_writes_of_any_version_in_any_order_end_as_in_the_store_of_the_simulation(
    sink: HBaseSink, name: str, seed: int
) -> None:
    rng = random.Random(seed)
    shape = schema(name, *NEW.columns, key=NEW.key)
    simulated = VersionedStore("versioned", rng, refuse=(), poison=False)
    for _ in range(25):
        batch = []
        for key in rng.sample(range(6), rng.randrange(1, 5)):
            version = rng.randrange(1, 30)  # so few that many are equal
            if rng.random() < 0.3:
                batch.append(delete(version, key, 0))
                continue
            unset = (0,) if rng.random() < 0.3 else ()
            note = None if unset or rng.random() < 0.3 else f"note {rng.random()}"
            batch.append(upsert(version, note, 0, key, rng.choice((None, version)), None, unset=unset))
        write(sink, shape, *batch)
        simulated.write(shape, batch)
        assert sorted(sink.read(shape), key=str) == sorted(simulated.rows().values(), key=str)


# -- rows that are too large ------------------------------------------------------------------------------------------


def test_row_too_large_fails_alone_for_good_and_its_neighbours_are_there(sink: HBaseSink, name: str) -> None:
    shape = schema(name, ID, DATA)
    sink.ensure(shape, soon())
    batch = [upsert(1, 1, b"a"), upsert(2, 2, bytes(CELL_LIMIT)), upsert(3, 3, b"c"), delete(4, 4)]
    result = sink.write(shape, batch, soon())
    assert [(failure.index, failure.transient, failure.error) for failure in result.failures] == [
        (1, False, "RowTooLarge")
    ]
    assert rows(sink, shape) == [(1, b"a"), (3, b"c")]


def test_row_that_only_hbase_refuses_is_found_among_its_neighbours(
    sink: HBaseSink, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = schema(name, ID, DATA)
    monkeypatch.setattr("parrot_faust.sinks.hbase.shape.CELL_OVERHEAD", 20)  # four bytes more than HBase's own limit
    sink.ensure(shape, soon())
    room = CELL_LIMIT - 20 - len(b"d") - len(b"data") - len(b"1")
    batch = [upsert(9, number, b"x") for number in range(9)]
    batch[2], batch[5], batch[7] = upsert(9, 2, bytes(room)), upsert(9, 5, None), upsert(9, 7, "text")
    result = sink.write(shape, batch, soon())
    assert [(failure.index, failure.transient, failure.error) for failure in result.failures] == [
        (2, False, "RowRefused"),
        (7, False, "ValueRefused"),
    ]
    assert "exceeds limit" in result.failures[0].message
    assert [key for key, _ in rows(sink, shape)] == [0, 1, 3, 4, 5, 6, 8]


def test_largest_cell_and_longest_key_that_are_not_refused_are_taken(sink: HBaseSink, name: str) -> None:
    text = Column("k", Kind.STRING, False)
    shape = schema(name, text, DATA, key=("k",))
    room = 32_767 - 16 - len(f"public.{name}")
    longest = ["x" * room, "y" * (room - 1)]
    for key in longest:  # each looks up its region anew: nothing is known of the table yet
        write(sink, shape, upsert(1, key, b""))
    data = bytes(CELL_LIMIT - 24 - len(b"d") - len(b"data") - len(b"z"))
    write(sink, shape, upsert(1, "z", data))
    result = sink.write(shape, [upsert(1, "z" * (room + 1), b""), upsert(1, "z", data + b"x")], soon())
    assert [(failure.index, failure.error) for failure in result.failures] == [(0, "RowTooLarge"), (1, "RowTooLarge")]
    assert [key for key, _ in rows(sink, shape)] == [*longest, "z"]


# -- servers that die, hang or hang up --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(local: Local, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ThriftServer, ThriftServer]]:
    with running(local, tmp_path_factory.mktemp("thrift")) as started:
        yield started


@pytest.fixture
def own(servers: tuple[ThriftServer, ThriftServer]) -> Iterator[HBaseSink]:
    """A sink at the servers that may be ended."""
    opened = HBaseSink(HBaseSettings(thrift=servers[0].address, thrift2=servers[1].address, timeout_s=20.0))
    opened.open()
    yield opened
    opened.close()


def test_frozen_server_is_told_before_the_deadline_and_works_again(
    own: HBaseSink, servers: tuple[ThriftServer, ThriftServer], name: str
) -> None:
    shape = schema(name, ID, TEXT)
    write(own, shape, upsert(1, 1, "a"), upsert(1, 2, "b"))
    batch = [upsert(2, 1, None), upsert(2, 3, "x" * 2_000_000)]  # more than lies in a socket
    deadline = soon(2)
    with servers[1].frozen():
        with pytest.raises(SinkUnavailable, match="timed out"):
            own.write(shape, batch, deadline)
        assert time.monotonic() < deadline
    write(own, shape, *batch)
    assert [(key, text and len(text)) for key, text in rows(own, shape)] == [(1, None), (2, 1), (3, 2_000_000)]


def test_frozen_server_of_the_tables_is_told_before_the_deadline_and_works_again(
    own: HBaseSink, servers: tuple[ThriftServer, ThriftServer], name: str
) -> None:
    shape = schema(name, ID, TEXT)
    deadline = soon(2)
    with servers[0].frozen():
        with pytest.raises(SinkUnavailable):
            own.ensure(shape, deadline)
        assert time.monotonic() < deadline
    write(own, shape, upsert(1, 1, "a"))


def test_killed_server_is_a_transient_error_until_it_is_back(
    own: HBaseSink, servers: tuple[ThriftServer, ThriftServer], name: str
) -> None:
    shape = schema(name, ID, TEXT)
    write(own, shape, upsert(1, 1, "a"))
    for server in servers:
        server.kill()
    for _ in range(2):
        with pytest.raises(SinkUnavailable):
            own.write(shape, [upsert(2, 2, "b")], soon())
        with pytest.raises(SinkUnavailable):
            own.ensure(schema(name, ID, TEXT, NUMBER), soon())
        with pytest.raises(SinkUnavailable):
            list(own.read(shape))
    for server in servers:
        server.start()
    for server in servers:
        server.wait()
    write(own, shape, upsert(2, 2, "b"))
    assert rows(own, shape) == [(1, "a"), (2, "b")]


def test_server_started_again_between_two_calls_is_not_noticed(
    own: HBaseSink, servers: tuple[ThriftServer, ThriftServer], name: str
) -> None:
    shape = schema(name, ID, TEXT)
    write(own, shape, upsert(1, 1, "a"))
    servers[1].kill()
    servers[1].start()
    servers[1].wait()
    write(own, shape, upsert(2, 2, "b"), delete(2, 1))
    assert rows(own, shape) == [(2, "b")]


def test_connection_that_the_server_ended_because_it_was_idle_is_not_noticed(own: HBaseSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(own, shape, upsert(1, 1, "a"))
    kept = own._servers._socket
    time.sleep(IDLE_S + 1)
    write(own, shape, upsert(2, 2, "b"))
    assert own._servers._socket is not kept  # so the server had ended it
    write(own, schema(name, ID, TEXT, NUMBER), upsert(3, 3, "c", 3))
    assert rows(own, shape) == [(1, "a"), (2, "b"), (3, "c")]


# -- how tables are made ----------------------------------------------------------------------------------------------


def settings_of(distribution: Addresses, **chosen: Any) -> HBaseSettings:
    return HBaseSettings(thrift=distribution.hbase_thrift, thrift2=distribution.hbase_thrift2, **chosen)


def test_table_has_its_families_parts_and_form_of_row_keys_and_is_refused_under_others(
    distribution: Addresses, tables: happybase.Connection, name: str
) -> None:
    families = {"big": HBaseFamily(columns=("da*",), compression="gz", versions=3)}
    own = HBaseTableSettings(families=families, row_key="binary", salt=4)
    sink = HBaseSink(settings_of(distribution, patterns={"shop.public.*": own}))
    shape = schema(name, ID, TEXT, DATA)
    (planned,) = sink.plan(shape)
    (made,) = sink.ensure(shape, soon())
    assert (made.change, made.detail) == ("CreateTable", "family d, big")
    table = tables.table(f"public.{name}")
    found = {family: (options["compression"], options["max_versions"]) for family, options in table.families().items()}
    assert found == {b"d": (b"NONE", 1), b"big": (b"GZ", 3)}
    assert [region["start_key"] for region in table.regions()] == [b"", b"\1", b"\2", b"\3"]
    assert planned.statement == (
        f"create 'public.{name}', {{NAME => 'd', VERSIONS => 1}}, "
        "{NAME => 'big', VERSIONS => 3, COMPRESSION => 'GZ'}, "
        r'SPLITS => ["\x01", "\x02", "\x03"], '
        "METADATA => {'parrot.row_key' => 'binary', 'parrot.salt' => '4'}"
    )
    write(sink, shape, *(upsert(1, number, "a", b"z") for number in range(-8, 8)))
    write(sink, shape, upsert(2, 5, None, None), delete(2, -8))
    keys = [key for key, _ in table.scan()]
    assert {key[0] for key in keys} == {0, 1, 2, 3}, "spread over the parts"
    assert [key[1:] for key in keys if key[0] == 0] == sorted(key[1:] for key in keys if key[0] == 0)
    assert set(next(cells for key, cells in table.scan() if key.endswith(b"\x07"))) == {b"d:id", b"d:text", b"big:data"}
    assert rows(sink, shape) == [
        (number, "a" if number != 5 else None, b"z" if number != 5 else None) for number in range(-7, 8)
    ]
    shown = hbase_rows(distribution, f"public.{name}", {"id": "bigint", "data": "text"}, ("id",))
    assert shown == {(number,): (number, "z" if number != 5 else None) for number in range(-7, 8)}
    other = HBaseSink(settings_of(distribution))
    with pytest.raises(TableRefused) as refused:
        other.ensure(shape, soon())
    assert str(refused.value).endswith(
        "does not fit: its row keys are binary there and text here (`row_key`); "
        "its row keys have a salt of 4 there and 1 here (`salt`)"
    )


def test_missing_table_family_and_compression_are_named(distribution: Addresses, tables: Any, name: str) -> None:
    shape = schema(name, ID, TEXT)
    unmade = HBaseSink(settings_of(distribution, create=False))
    with pytest.raises(SinkUnavailable, match=rf"no table public.{name}, and `create: false` .*: create 'public"):
        unmade.ensure(shape, soon())
    packed = HBaseSink(settings_of(distribution, families={"d": HBaseFamily(compression="lzo")}))
    with pytest.raises(TableRefused, match="does not offer the compression lzo"):
        packed.ensure(shape, soon())
    tables.create_table(f"public.{name}", {"theirs": {}})
    with pytest.raises(TableRefused, match="has no family d, and `create: false` leaves making it to you"):
        unmade.ensure(shape, soon())

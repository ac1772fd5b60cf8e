"""The Kudu sink against a real Kudu."""

from __future__ import annotations

import math
import signal
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kudu_servers import Servers, running

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.creation import KuduColumn, KuduRange
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.kudu import KuduSettings, KuduSink, KuduTableSettings
from parrot_faust.sinks.kudu.encodings import ENCODINGS, SHORT_DECIMAL

pytestmark = pytest.mark.integration

ID = Column("id", Kind.INT64, False)
TEXT = Column("text", Kind.STRING)
NUMBER = Column("number", Kind.INT32)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with running(tmp_path_factory.mktemp("kudu")) as started:
        yield started


@pytest.fixture
def sink(servers: Servers) -> Iterator[KuduSink]:
    opened = KuduSink(KuduSettings(masters=servers.masters, buckets=2))
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def name() -> str:
    return f"t{uuid.uuid4().hex[:12]}"


def schema(name: str, *columns: Column, key: tuple[str, ...] = ("id",)) -> TableSchema:
    return TableSchema.of(f"shop.public.{name}", columns, key, database="shop", namespace="public", relation=name)


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


def upserts(*records: tuple[Any, ...], unset: tuple[int, ...] = ()) -> list[Row]:
    return [Row(offset, offset, RowOp.UPSERT, record, unset) for offset, record in enumerate(records)]


def deletes(*keys: tuple[Any, ...]) -> list[Row]:
    return [Row(offset, offset, RowOp.DELETE, key) for offset, key in enumerate(keys)]


def write(sink: KuduSink, shape: TableSchema, rows: Sequence[Row]) -> None:
    sink.ensure(shape, soon())
    result = sink.write(shape, rows, soon())
    assert (result.rows, result.failures) == (len(rows), ())


def raw_table(sink: KuduSink, shape: TableSchema) -> Any:
    return sink._client.table(sink.settings.target(shape))


def alter(sink: KuduSink, shape: TableSchema) -> Any:
    return sink._client.new_table_alterer(raw_table(sink, shape))


DAY_US = 86_400_000_000
EDGES: dict[str, tuple[Column, list[Any]]] = {
    "bool": (Column("v", Kind.BOOL), [True, False, None]),
    "int8": (Column("v", Kind.INT8), [-128, 127]),
    "int16": (Column("v", Kind.INT16), [-32768, 32767]),
    "int32": (Column("v", Kind.INT32), [-(2**31), 2**31 - 1]),
    "int64": (Column("v", Kind.INT64), [-(2**63), 2**63 - 1, 0]),
    "float32": (Column("v", Kind.FLOAT32), [0.5, -1.25, math.inf, -math.inf]),
    "float64": (Column("v", Kind.FLOAT64), [0.1, 1e308, 5e-324, math.inf]),
    "decimal 38": (Column("v", Kind.DECIMAL, True, 38, 0), ["9" * 38, "-" + "9" * 38, "0"]),
    "decimal 38,38": (Column("v", Kind.DECIMAL, True, 38, 38), ["0." + "9" * 38, "-0." + "0" * 37 + "1"]),
    "decimal 12,2": (Column("v", Kind.DECIMAL, True, 12, 2), ["0.15", "-0.05", "9999999999.99", "1.50"]),
    "decimal 18,4": (Column("v", Kind.DECIMAL, True, 18, 4), ["-99999999999999.9999"]),
    "decimal as text": (Column("v", Kind.DECIMAL), ["1" + "0" * 500, "-0.1", "9" * 60]),
    "string": (Column("v", Kind.STRING), ["", "ü☃𝄞", "a\0b", "x" * 65536]),
    "bytes": (Column("v", Kind.BYTES), [b"", b"\0\xff\0", bytes(65536)]),
    "date": (Column("v", Kind.DATE), [-719_162, -1, 0, 19_000, 2_932_896]),
    "time": (Column("v", Kind.TIME), [0, DAY_US - 1]),
    "timestamp": (
        Column("v", Kind.TIMESTAMP),
        # before 1970, the edges of datetime, and far beyond them
        [-1, 0, 1_700_000_000_123_457, -62_135_596_800_000_001, 253_402_300_800_000_000, 2**63 - 1, -(2**63)],
    ),
}


@pytest.mark.parametrize("case", sorted(EDGES))
def test_every_value_comes_back_as_it_went(sink: KuduSink, name: str, case: str) -> None:
    column, values = EDGES[case]
    shape = schema(name, ID, column)
    rows = list(enumerate([*values, None]))
    write(sink, shape, upserts(*rows))
    assert sorted(sink.read(shape)) == rows


def test_not_a_number_comes_back(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, Column("v", Kind.FLOAT64))
    write(sink, shape, upserts((1, math.nan)))
    ((_, found),) = sink.read(shape)
    assert math.isnan(found)


@pytest.mark.parametrize(
    "case", ["int8", "int64", "decimal 38", "decimal 12,2", "string", "bytes", "date", "timestamp"]
)
def test_every_allowed_type_can_be_a_key(sink: KuduSink, name: str, case: str) -> None:
    column, values = EDGES[case]
    values = [
        value for value in values if value is not None and not (isinstance(value, str | bytes) and len(value) > 1000)
    ]
    key = Column("v", column.kind, False, column.precision, column.scale)
    shape = schema(name, TEXT, key, NUMBER, key=("v",))
    write(sink, shape, upserts(*[("row", value, 1) for value in values]))
    assert {row[1] for row in sink.read(shape)} == set(values)
    write(sink, shape, deletes(*[(value,) for value in values]))
    assert list(sink.read(shape)) == []


def test_composite_key_in_another_order_than_the_columns(sink: KuduSink, name: str) -> None:
    line = Column("line", Kind.INT32, False)
    shape = schema(name, NUMBER, ID, TEXT, line, key=("line", "id"))
    write(sink, shape, upserts((1, 10, "a", 1), (2, 10, "b", 2), (3, 20, "c", 1)))
    write(sink, shape, deletes((1, 10)))
    assert sorted(sink.read(shape)) == [(2, 10, "b", 2), (3, 20, "c", 1)]


def test_upsert_replaces_and_null_is_written(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT, NUMBER)
    write(sink, shape, upserts((1, "old", 1)))
    write(sink, shape, upserts((1, None, 2)))
    assert list(sink.read(shape)) == [(1, None, 2)]


def test_unset_value_stays_as_it_is(sink: KuduSink, name: str) -> None:
    shape = schema(name, TEXT, ID, NUMBER)
    write(sink, shape, upserts(("long text", 1, 1)))
    write(sink, shape, upserts((None, 1, 2), unset=(0,)))
    assert list(sink.read(shape)) == [("long text", 1, 2)]


def test_writing_again_changes_nothing(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    rows = [*upserts((1, "a"), (2, "b")), *deletes((3,))]
    write(sink, shape, rows)
    write(sink, shape, rows)
    assert sorted(sink.read(shape)) == [(1, "a"), (2, "b")]


def test_delete_of_an_absent_row_succeeds(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, deletes((404,)))


def test_many_rows_and_a_large_batch_are_all_there(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, upserts(*[(number, "x") for number in range(12_000)]))
    write(sink, shape, upserts(*[(number, "y" * 60_000) for number in range(700)]))  # more than one buffer holds
    found = dict(sink.read(shape))
    assert len(found) == 12_000
    assert sum(value == "y" * 60_000 for value in found.values()) == 700


def test_bad_rows_fail_alone_and_the_others_are_durable(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT, Column("price", Kind.DECIMAL, True, 5, 2))
    sink.ensure(shape, soon())
    rows = upserts(
        (1, "a", "1.00"),
        (2, "x" * 65537, "1.00"),
        (3, "c", "1.005"),
        (4, "d", "1000.00"),
        (5, "e", "NaN"),
        (6, "f", None),
    )
    result = sink.write(shape, rows, soon())
    assert [(failure.index, failure.transient, failure.error) for failure in result.failures] == [
        (index, False, "ValueRefused") for index in (1, 2, 3, 4)
    ]
    assert sorted(row[0] for row in sink.read(shape)) == [1, 6]


def test_rows_that_only_kudu_can_refuse_are_found_among_their_neighbours(sink: KuduSink, name: str) -> None:
    import kudu
    from kudu.client import Partitioning

    shape = schema(name, ID, TEXT)
    builder = kudu.schema_builder()
    builder.add_column("id", kudu.int64, nullable=False)
    builder.add_column("text", kudu.string)
    builder.set_primary_keys(["id"])
    ranges = Partitioning().set_range_partition_columns(["id"])
    ranges.add_range_partition(lower_bound={"id": 0}, upper_bound={"id": 100})
    sink._client.create_table(sink.settings.target(shape), builder.build(), ranges, n_replicas=1)
    sink.ensure(shape, soon())
    result = sink.write(shape, upserts((1, "a"), (200, "b"), (3, "c"), (400, "d"), (5, "e")), soon())
    assert [(failure.index, failure.transient) for failure in result.failures] == [(1, False), (3, False)]
    assert "partition" in result.failures[0].message
    assert sorted(row[0] for row in sink.read(shape)) == [1, 3, 5]
    all_bad = sink.write(shape, upserts(*[(number, "x") for number in range(1000, 1500)]), soon())
    assert len(all_bad.failures) == 500


def test_ensure_creates_once_and_tells_what_it_did(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    (made,) = sink.ensure(shape, soon())
    assert (made.table, made.target, made.change) == (shape.table, f"public.{name}", "CreateTable")
    assert sink.ensure(shape, soon()) == ()


def test_added_column_reaches_kudu_and_old_rows_have_null(sink: KuduSink, name: str) -> None:
    before = schema(name, ID, TEXT)
    write(sink, before, upserts((1, "a")))
    price = Column("price", Kind.DECIMAL, False, 10, 2)  # NOT NULL in the source: old rows have no value all the same
    after = schema(name, ID, price, TEXT, NUMBER)
    done = sink.ensure(after, soon())
    assert [(change.change, change.detail) for change in done] == [
        ("AddColumn", "price decimal(10,2)"),
        ("AddColumn", "number int32"),
    ]
    write(sink, after, upserts((2, "1.00", "b", 7)))
    assert sorted(sink.read(after)) == [(1, None, "a", None), (2, "1.00", "b", 7)]
    write(sink, before, upserts((3, "rows of the old shape are still taken")))


def test_dropped_column_stays_and_becomes_null(sink: KuduSink, name: str) -> None:
    before, after = schema(name, ID, TEXT, NUMBER), schema(name, ID, NUMBER)
    write(sink, before, upserts((1, "a", 1), (2, "b", 2)))
    write(sink, after, upserts((1, 10)))
    assert sorted(sink.read(before)) == [(1, None, 10), (2, "b", 2)]


def test_column_of_another_type_is_refused_with_its_difference(sink: KuduSink, name: str) -> None:
    sink.ensure(schema(name, ID, NUMBER), soon())
    with pytest.raises(TableRefused, match="column number is int32 there and string here"):
        sink.ensure(schema(name, ID, Column("number", Kind.STRING)), soon())


def test_sinks_that_make_the_same_table_at_once_agree(servers: Servers, name: str) -> None:
    shape = schema(name, ID, TEXT)
    wider = schema(name, ID, TEXT, *(Column(f"c{number}", Kind.INT32) for number in range(5)))
    sinks = [KuduSink(KuduSettings(masters=servers.masters, buckets=2)) for _ in range(4)]
    for one in sinks:
        one.open()
    with ThreadPoolExecutor(len(sinks)) as pool:
        created = list(pool.map(lambda one: one.ensure(shape, soon()), sinks))
        added = list(pool.map(lambda one: one.ensure(wider, soon()), sinks))
    assert [change.change for done in created for change in done] == ["CreateTable"]
    assert sorted(change.detail for done in added for change in done) == [f"c{number} int32" for number in range(5)]
    for number, one in enumerate(sinks):
        write(one, wider, upserts((number, "x", 1, 2, 3, 4, 5)))
    assert len(list(sinks[0].read(wider))) == len(sinks)


def test_table_dropped_by_others_is_made_again(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, upserts((1, "a")))
    sink._client.delete_table(sink.settings.target(shape))
    result = sink.write(shape, upserts((2, "b")), soon())
    assert result.failures == ()
    assert [change.change for change in result.ddl] == ["CreateTable"]
    assert list(sink.read(shape)) == [(2, "b")]


def test_column_dropped_by_others_is_added_again(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, upserts((1, "a")))
    alter(sink, shape).drop_column("text").alter()
    result = sink.write(shape, upserts((2, "b")), soon())
    assert (result.failures, [change.change for change in result.ddl]) == ((), ["AddColumn"])
    assert sorted(sink.read(shape)) == [(1, None), (2, "b")]


def test_own_settings_of_a_table_are_used(servers: Servers, name: str) -> None:
    own = {f"shop.public.{name}": KuduTableSettings(buckets=1, table=f"own_{name}_{{table}}")}
    sink = KuduSink(KuduSettings(masters=servers.masters, tables=own))
    sink.open()
    shape = schema(name, ID, TEXT)
    write(sink, shape, upserts((1, "a")))
    assert sink._client.table_exists(f"own_{name}_{name}")
    assert list(sink.read(shape)) == [(1, "a")]


def test_table_that_was_never_made_has_no_rows(sink: KuduSink, name: str) -> None:
    assert list(sink.read(schema(name, ID))) == []


def test_server_that_does_not_answer_is_told_before_the_deadline(sink: KuduSink, servers: Servers, name: str) -> None:
    shape = schema(name, ID, TEXT)
    write(sink, shape, upserts((1, "a")))
    deadline = soon(3)
    with servers.frozen(), pytest.raises(SinkUnavailable):
        sink.write(shape, upserts((2, "b")), deadline)
    assert time.monotonic() < deadline
    write(sink, shape, upserts((2, "b")))
    assert sorted(sink.read(shape)) == [(1, "a"), (2, "b")]


def test_master_that_does_not_answer_is_told_before_the_deadline(sink: KuduSink, servers: Servers, name: str) -> None:
    shape = schema(name, ID, TEXT)
    deadline = soon(2)
    servers.master.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(SinkUnavailable):
            sink.ensure(shape, deadline)
        assert time.monotonic() < deadline
    finally:
        servers.master.send_signal(signal.SIGCONT)
    write(sink, shape, upserts((1, "a")))


def test_passed_deadline_sends_nothing(sink: KuduSink, name: str) -> None:
    shape = schema(name, ID, TEXT)
    sink.ensure(shape, soon())
    with pytest.raises(SinkUnavailable, match="deadline"):
        sink.write(shape, upserts((1, "a")), time.monotonic() - 1)
    assert list(sink.read(shape)) == []


def test_master_that_is_away_is_unavailable_not_an_error_of_its_own() -> None:
    sink = KuduSink(KuduSettings(masters=("127.0.0.1:1",), timeout_s=0.5))
    with pytest.raises(SinkUnavailable):
        sink.open()


def test_sink_that_is_not_open_says_so(servers: Servers, name: str, tmp_path: Path) -> None:
    sink = KuduSink(KuduSettings(masters=servers.masters))
    with pytest.raises(SinkUnavailable, match="not open"):
        sink.ensure(schema(name, ID), soon())


# -- how tables are made ----------------------------------------------------------------------------------------------


def test_kudu_has_exactly_the_encodings_that_are_documented(sink: KuduSink, name: str) -> None:
    """Each that is in the table is taken, each that is not is refused by Kudu when a table is made."""
    import kudu
    from kudu.client import Partitioning

    def make(*pairs: tuple[str, str]) -> None:
        builder = kudu.schema_builder()
        builder.add_column("id", nullable=False).type("int64")
        for kind, word in pairs:
            column = (
                builder.add_column(f"{kind}_{word}".replace(" ", "_"), nullable=True)
                .type(kind.split()[0])
                .encoding(word)
            )
            if kind.startswith("decimal"):
                column.precision(18 if kind == SHORT_DECIMAL else 19).scale(2)
        builder.set_primary_keys(["id"])
        sink._client.create_table(name, builder.build(), Partitioning().set_range_partition_columns([]), n_replicas=1)

    words = ("auto", "plain", "bitshuffle", "rle", "dict", "prefix")
    pairs = [(kind, word) for kind in ENCODINGS for word in words]
    known = [(kind, word) for kind, word in pairs if word in ENCODINGS[kind] or word == "auto"]
    for pair in pairs:
        if pair not in known:
            with pytest.raises(kudu.KuduException, match="invalid encoding"):
                make(pair)
    make(*known)


def test_columns_are_laid_out_as_the_settings_say(servers: Servers, name: str) -> None:
    columns = {"text": KuduColumn(encoding="prefix"), "*": KuduColumn(encoding="bitshuffle", compression="lz4")}
    sink = KuduSink(
        KuduSettings(
            masters=servers.masters, patterns={"shop.*": KuduTableSettings(buckets=3, columns=columns)}, buckets=2
        )
    )
    sink.open()
    shape = schema(name, ID, TEXT)
    (planned,) = sink.plan(shape)
    assert "text string encoding prefix compression lz4, primary key (id)" in planned.statement.replace("\n", " ")
    (made,) = sink.ensure(shape, soon())
    assert made.detail == "3 hash partitions on id"
    (added,) = sink.ensure(schema(name, ID, TEXT, NUMBER), soon())
    assert added.change == "AddColumn"
    write(sink, schema(name, ID, TEXT, NUMBER), upserts((1, "a", 5)))
    assert list(sink.read(schema(name, ID, TEXT, NUMBER))) == [(1, "a", 5)]
    wrong = KuduSettings(masters=servers.masters, columns={"number": KuduColumn(encoding="dict")})
    other = KuduSink(wrong)
    other.open()
    with pytest.raises(TableRefused, match="number is int32, which Kudu has no encoding dict for: take one of"):
        other.ensure(schema(f"{name}x", ID, NUMBER), soon())


def test_table_that_is_not_to_be_made_is_waited_for(servers: Servers, sink: KuduSink, name: str) -> None:
    waiting = KuduSink(
        KuduSettings(masters=servers.masters, tables={f"shop.public.{name}": KuduTableSettings(create=False)})
    )
    waiting.open()
    shape = schema(name, ID, TEXT)
    with pytest.raises(SinkUnavailable, match=rf"no table public.{name}, and `create: false` .*: create table public"):
        waiting.ensure(shape, soon())
    sink.ensure(shape, soon())  # someone makes it
    write(waiting, shape, upserts((1, "a")))


AT = Column("at", Kind.TIMESTAMP, False)
DAY_S = 86_400


def ranged(servers: Servers, name: str, day: float, keep: int | None = None) -> KuduSink:
    """A sink to whose clock it is noon of a day, and whose table has a range for every day."""
    wanted = KuduRange(column="at", every="1 day", ahead=2, keep=keep)
    own = {f"shop.public.{name}": KuduTableSettings(range=wanted)}
    sink = KuduSink(KuduSettings(masters=servers.masters, buckets=2, tables=own), now=lambda: (day + 0.5) * DAY_S)
    sink.open()
    return sink


def test_ranges_are_made_ahead_of_the_clock_and_for_rows_outside_and_dropped_when_old(
    servers: Servers, name: str
) -> None:
    shape = schema(name, ID, AT, key=("id", "at"))
    sink = ranged(servers, name, 100)
    (made,) = sink.ensure(shape, soon())
    assert made.detail.endswith("on id, ranges of at 1 day from 1970-04-11, 1970-04-12, 1970-04-13")
    result = sink.write(shape, upserts(*((n, day * DAY_US) for n, day in enumerate((100, 102, 103, 98, 7)))), soon())
    assert (result.failures, [change.change for change in result.ddl]) == ((), ["AddRange"])
    assert "1970-01-08, 1970-04-09, 1970-04-14" in result.ddl[0].detail
    other = ranged(servers, name, 100)  # knows nothing of what is there
    last = 2**63 - 1
    result = other.write(shape, upserts((8, 7 * DAY_US + 1), (9, -1), (10, last), (11, -last)), soon())
    assert result.failures == ()
    assert result.ddl[0].detail.startswith("at 1 day from -92233721"), "the one that was there is not told"
    result = other.write(shape, deletes((8, 7 * DAY_US + 1), (5, 50 * DAY_US)), soon())
    assert result.failures == ()
    kept = [(n, day * DAY_US) for n, day in enumerate((100, 102, 103))]
    assert sorted(sink.read(shape)) == [*kept, (3, 98 * DAY_US), (4, 7 * DAY_US), (9, -1), (10, last), (11, -last)]

    keeping = ranged(servers, name, 101, keep=1)
    result = keeping.write(shape, upserts((20, 100 * DAY_US)), soon())
    assert [change.change for change in result.ddl] == ["DropRange"]
    assert sorted(keeping.read(shape)) == [*kept, (10, last), (20, 100 * DAY_US)]
    result = sink.write(shape, upserts((3, 98 * DAY_US)), soon())  # its client still knows the range that is gone
    assert (result.failures, [change.change for change in result.ddl]) == ((), ["AddRange"])
    assert (3, 98 * DAY_US) in list(sink.read(shape))


def test_table_that_was_made_without_ranges_takes_rows_as_before_and_says_so(
    sink: KuduSink, servers: Servers, name: str
) -> None:
    shape = schema(name, ID, AT, key=("id", "at"))
    sink.ensure(shape, soon())
    other = ranged(servers, name, 100, keep=1)
    result = other.write(shape, upserts((1, 5 * DAY_US), (2, 500 * DAY_US)), soon())
    assert (result.failures, {change.change for change in result.ddl}) == ((), {"KeepRange"})
    assert sorted(other.read(shape)) == [(1, 5 * DAY_US), (2, 500 * DAY_US)]


def test_comments_of_columns_are_kept(sink: KuduSink, name: str) -> None:
    noted = Column("text", Kind.STRING, comment="what it's for: " + "é" * 200)
    sink.ensure(schema(name, Column("id", Kind.INT64, False, comment="the key")), soon())
    sink.ensure(schema(name, ID, noted), soon())
    found = raw_table(sink, schema(name, ID)).schema
    assert (found[0].comment, found[1].comment) == ("the key", "what it's for: " + "é" * 120)

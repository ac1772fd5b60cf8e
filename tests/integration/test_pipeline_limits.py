"""What is at a store's limit is applied, what is above it is dead-lettered by name, and the partition goes on.

One pipeline for all of it: every table has rows within the limits, rows beyond those of one store or of both, and a row
after them in the same partition.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import stored
from pipelines import STORES, Pipeline, eventually, pipeline
from sources import make_topic

from models import Kind
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.distribution import Addresses

CELL = 64 * 1024  # Kudu's, in bytes
KEY = 16 * 1024  # Kudu's, in bytes
LAST = 9_999  # the row after all others
PARTS = 18  # columns of the table whose rows are large as a whole

KINDS = {"id": Kind.INT32}
CELLS = KINDS | {"t": Kind.STRING, "b": Kind.BYTES}
FAR = KINDS | {"d": Kind.DATE, "ts": Kind.TIMESTAMP, "n": Kind.DECIMAL}
LARGE = KINDS | {f"c{number}": Kind.STRING for number in range(PARTS)}
RAW = {"id": Kind.INT64, "t": Kind.STRING, "n": Kind.DECIMAL, "i": Kind.INT64, "f": Kind.FLOAT64}


@pytest.fixture(scope="module")
def run(distribution: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path_factory.mktemp("limits")) as made:
        _cells(made)
        _far(made)
        _keys(made)
        _large(made)
        tables = ("cells", "far", "keys", "large")
        options = {"topic.creation.default.partitions": "1", "producer.override.max.request.size": str(15 << 20)}
        made.capture(*tables, **options)
        _raw(made)
        columns = json.dumps({"n": "decimal(38,2)", "f": "float64", "i": "int64", "t": "string", "id": "int64"})
        made.worker(f"tables: {{{made.topic('raw')}: {{key: [id], columns: {columns}}}}}")
        yield made
    drop_targets(distribution, {f"{made.name}.raw"})


def _cells(run: Pipeline) -> None:
    run.sql("create table cells (id int primary key, t text, b bytea)")
    for number, size in enumerate((CELL - 1, CELL, CELL + 1)):
        run.sql("insert into cells values (%s, %s, null)", number, "ø" + "x" * (size - 2))
        run.sql("insert into cells values (%s, null, %s)", 10 + number, b"\xff" * size)
    run.sql("insert into cells values (%s, 'last', null)", LAST)


def _far(run: Pipeline) -> None:
    run.sql("create table far (id int primary key, d date, ts timestamp, n numeric(39,0))")
    days = ("0001-01-01", "9999-12-31", "10000-01-01", "5874897-12-31", "infinity", "-infinity")
    for number, day in enumerate(days):
        run.sql("insert into far (id, d) values (%s, %s::date)", number, day)
    run.sql("insert into far (id, ts) values (20, '294246-12-31 23:59:59.999999'), (21, '294276-12-31 23:59:59')")
    run.sql("insert into far (id, n) values (30, 10::numeric ^ 39 - 1), (31, 10::numeric ^ 38 - 1)")
    run.sql("insert into far (id) values (%s)", LAST)


def _keys(run: Pipeline) -> None:
    run.sql("create table keys (k text primary key, size int)")
    for size in (KEY - 1, KEY, KEY + 1, 30_000):
        run.sql("insert into keys values (%s, %s)", "k" * size, size)
    run.sql("insert into keys values ('', 0), ('last', %s)", LAST)


def _large(run: Pipeline) -> None:
    names = [f"c{number}" for number in range(PARTS)]
    run.sql(f"create table large (id int primary key, {', '.join(f'{name} text' for name in names)})")
    for number, size in ((1, 49_000), (2, 61_000), (3, 580_000)):  # 0.9, 1.1 and 10 MB
        values = [chr(97 + place) * size for place in range(PARTS)]
        run.sql(f"insert into large values (%s{', %s' * PARTS})", number, *values)
    run.sql("insert into large (id) values (%s)", LAST)


#: JSON without schema, which can say what PostgreSQL can't: the row's fields, and the stores that take it.
RAW_ROWS: list[tuple[str, tuple[str, ...]]] = [
    (r'"t": "a\u0000b"', STORES),
    (r'"t": "\u202eרתל 🦜\u200d"', STORES),
    (r'"t": "\ud800"', ()),
    (r'"t": "\ude00\ud83d"', ()),
    (r'"t": "\ud83e\udd9c"', STORES),
    ('"n": 999999999999999999999999999999999999.99', STORES),
    ('"n": 9999999999999999999999999999999999999.99', ("hbase",)),
    ('"n": -0.01', STORES),
    ('"n": 0.001', ("hbase",)),
    ('"n": "NaN"', ()),
    ('"i": 9223372036854775807', STORES),
    ('"i": -9223372036854775808', STORES),
    ('"i": 9223372036854775808', ()),
    ('"i": 1.5', ()),
    ('"f": -0.0', STORES),
    ('"f": 1.7976931348623157e308', STORES),
    ('"f": 1e400', ()),
    ('"f": "NaN"', STORES),
    ('"f": "-Infinity"', STORES),
]


def _raw(run: Pipeline) -> None:
    """A topic that no connector writes, with events as one would."""
    make_topic(run.addresses.kafka, run.topic("raw"))
    for number, (fields, _) in enumerate([*RAW_ROWS, ('"t": "last"', STORES)]):
        name = fields.split(":")[0]
        row = f'"id": {number}, "t": null, "n": null, "i": null, "f": null'.replace(f"{name}: null", fields)
        run.broker.produce(run.topic("raw"), f'{{"op": "c", "before": null, "after": {{{row}}}}}'.encode())


def rows(run: Pipeline, store: str, table: str, kinds: dict[str, Kind], key: str = "id") -> dict[Any, dict[str, Any]]:
    read = stored.kudu_rows if store == "kudu" else stored.hbase_rows
    return read(run.addresses, f"{run.name}.{table}", kinds, key)


def wait_for(run: Pipeline, table: str, kinds: dict[str, Kind], last: Any = LAST, key: str = "id") -> tuple[Any, Any]:
    """The rows in both stores, once the last one is there: the partition went on."""

    def there() -> bool:
        return all(last in rows(run, store, table, kinds, key) for store in ("kudu", "hbase"))

    eventually(there)
    return rows(run, "kudu", table, kinds, key), rows(run, "hbase", table, kinds, key)


def letters(run: Pipeline, table: str, count: int) -> dict[tuple[str, str], str]:
    """The messages of a table's dead letters, by sink and the key that each names."""

    def filed() -> bool:
        return run.dead(table).records >= count

    eventually(filed)
    found, places = {}, set()
    for headers, _, _ in run.dead(table).contents:
        message = headers["parrot.message"]
        assert run.topic(table) in message, message
        places.add(headers["parrot.offset"])  # the same record may be filed twice: at least once is the promise
        found[headers.get("parrot.sink", ""), message.partition("key (")[2].partition(")")[0]] = message
    assert len(found) == len(places) == count, sorted(found)
    return found


def test_a_cell_of_64_kib_is_applied_and_a_longer_one_is_kudu_s_dead_letter_alone(run: Pipeline) -> None:
    kudu, hbase = wait_for(run, "cells", CELLS)
    assert set(hbase) == {0, 1, 2, 10, 11, 12, LAST}
    assert set(kudu) == {0, 1, 10, 11, LAST}
    for found in (kudu, hbase):
        assert (found[1]["t"], found[11]["b"]) == ("ø" + "x" * (CELL - 2), b"\xff" * CELL)
    assert hbase[12]["b"] == b"\xff" * (CELL + 1)
    filed = letters(run, "cells", 2)
    assert set(filed) == {("kudu", "id=2"), ("kudu", "id=12")}
    for key, column in (("id=2", "column t (string)"), ("id=12", "column b (binary)")):
        message = filed["kudu", key]
        assert column in message
        assert "65537" in message
        assert "65536" in message


def test_days_and_digits_beyond_kudu_are_its_dead_letters_and_moments_beyond_64_bits_nobody_s(run: Pipeline) -> None:
    kudu, hbase = wait_for(run, "far", FAR)
    micros = "select (extract(epoch from ts) * 1000000)::int8 from far where id = 20"
    (last,) = run.database.execute(micros).fetchone() or ()
    assert {key: row["d"] for key, row in kudu.items() if row["d"] is not None} == {0: -719_162, 1: 2_932_896}
    assert {key: row["d"] for key, row in hbase.items() if "d" in row} == {
        0: -719_162,
        1: 2_932_896,
        2: 2_932_897,
        3: 2_145_042_905,
        4: 2**31 - 1,
        5: -(2**31),
    }
    for found in (kudu, hbase):
        assert found[20]["ts"] == last
        assert (found[30]["n"], found[31]["n"]) == (10**39 - 1, 10**38 - 1)
        assert 21 not in found
    filed = letters(run, "far", 5)
    assert set(filed) == {("kudu", f"id={number}") for number in (2, 3, 4, 5)} | {("", "id=21")}
    assert "column d (date): 2932897 is not within -719162 and 2932896" in filed["kudu", "id=2"]
    assert "after.ts" in filed["", "id=21"]
    assert "64 bits" in filed["", "id=21"]


def test_a_key_of_16_kib_is_applied_and_a_longer_one_is_kudu_s_dead_letter_alone(run: Pipeline) -> None:
    kudu, hbase = wait_for(run, "keys", {"k": Kind.STRING, "size": Kind.INT32}, "last", "k")
    assert {row["size"] for row in kudu.values()} == {0, KEY - 1, KEY, LAST}
    assert {row["size"] for row in hbase.values()} == {0, KEY - 1, KEY, KEY + 1, 30_000, LAST}
    assert all(len(key) == row["size"] for key, row in hbase.items() if row["size"] != LAST)

    def filed() -> bool:
        return run.dead("keys").records >= 2

    eventually(filed)
    assert len({headers["parrot.offset"] for headers, _, _ in run.dead("keys").contents}) == 2
    for headers, _, _ in run.dead("keys").contents:
        assert headers["parrot.sink"] == "kudu"
        assert "key (k='kkk" in headers["parrot.message"]
        assert headers["parrot.message"].endswith("the limit is 16384")
        assert len(headers["parrot.message"]) < 300


def test_a_row_below_a_chunk_s_size_is_applied_and_larger_ones_are_dead_letters_whole(run: Pipeline) -> None:
    kudu, hbase = wait_for(run, "large", LARGE)
    for found in (kudu, hbase):
        assert set(found) == {1, LAST}
        assert [found[1][f"c{place}"] for place in range(PARTS)] == [chr(97 + place) * 49_000 for place in range(PARTS)]
    filed = letters(run, "large", 2)
    assert set(filed) == {("", "id=2"), ("", "id=3")}
    assert all("the limit is 900000" in message for message in filed.values())
    sizes = sorted({len(value or b"") for _, _, value in run.dead("large").contents})
    assert sizes[0] > PARTS * 61_000
    assert sizes[1] > PARTS * 580_000


def test_what_json_can_say_and_postgresql_can_t_is_exact_or_a_dead_letter(run: Pipeline) -> None:
    kudu, hbase = wait_for(run, "raw", RAW, len(RAW_ROWS))
    for store, found in (("kudu", kudu), ("hbase", hbase)):
        applied = {number for number, (_, stores) in enumerate(RAW_ROWS) if store in stores}
        assert set(found) == applied | {len(RAW_ROWS)}
        for number in applied:
            ((name, wanted),) = json.loads(f"{{{RAW_ROWS[number][0]}}}", parse_float=str).items()
            got = found[number][name]
            assert repr(got) == repr(float(wanted)) if name == "f" else str(got) == str(wanted), (store, number, got)

    def filed() -> bool:
        return run.dead("raw").records >= sum(stores != STORES for _, stores in RAW_ROWS)

    eventually(filed)
    letters = {headers["parrot.offset"]: headers["parrot.message"] for headers, _, _ in run.dead("raw").contents}
    messages = list(letters.values())
    assert len(messages) == sum(stores != STORES for _, stores in RAW_ROWS)
    assert sum("has more" in message and "(decimal(38,2))" in message for message in messages) == 2
    assert sum(f"{run.topic('raw')}: after." in message for message in messages) == len(messages) - 4

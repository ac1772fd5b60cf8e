"""Values at the edges of their types: each arrives exactly, or is a dead letter that says why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import stored
from durable import Watched
from pipelines import STORES, eventually
from report import Result
from world import Scene, World

from faults import Fault
from models import Kind

NOWHERE: tuple[str, ...] = ()
HBASE = ("hbase",)
LONG = "".join(chr(33 + (position * 7919) % 90) for position in range(12_000))  # PostgreSQL stores it apart (TOAST)
TOUCHES = 20  # updates that leave the long value as it is

EDGES: Mapping[str, Kind] = {
    "id": Kind.INT32, "f": Kind.FLOAT64, "d": Kind.DECIMAL, "e": Kind.DECIMAL, "i": Kind.INT64, "t": Kind.STRING,
    "day": Kind.DATE, "ts": Kind.TIMESTAMP,
}  # fmt: skip
#: What PostgreSQL can say: the column, the value in SQL, and the stores that take it.
IN_SQL: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("f", "'NaN'", STORES),
    ("f", "'Infinity'", STORES),
    ("f", "'-Infinity'", STORES),
    ("f", "'-0.0'", STORES),
    ("f", "5e-324", STORES),
    ("f", "-1.7976931348623157e308", STORES),
    ("d", "9999999999999999999999999999999999.9999", STORES),  # 38 digits
    ("d", "-0.0001", STORES),
    ("e", "999999999999999999999999999999999999999", STORES),  # 39 digits: text in Kudu
    ("i", "9223372036854775807", STORES),
    ("i", "-9223372036854775808", STORES),
    ("t", "''", STORES),
    ("t", "'🦜👩‍👩‍👧‍👦'", STORES),
    ("t", "e'\\u202eרתל\\u200f'", STORES),
    ("day", "'0001-01-01'", STORES),
    ("day", "'9999-12-31'", STORES),
    ("day", "'1969-12-31'", STORES),
    ("day", "'0001-12-31 BC'", HBASE),  # the year 0
    ("day", "'10000-01-01'", HBASE),
    ("ts", "'1969-12-31 23:59:59.999999'", STORES),
    ("ts", "'0001-12-31 12:00:00 BC'", STORES),
    ("ts", "'9999-12-31 23:59:59.999999'", STORES),
)
RAW: Mapping[str, Kind] = {"id": Kind.INT64, "t": Kind.STRING, "n": Kind.DECIMAL, "i": Kind.INT64, "f": Kind.FLOAT64}
#: What only JSON without schema can say.
IN_JSON: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r'"t": "a\u0000b"', STORES),
    (r'"t": "\ud800"', NOWHERE),
    (r'"t": "\ude00\ud83d"', NOWHERE),
    (r'"t": "\ud83e\udd9c"', STORES),
    ('"n": 999999999999999999999999999999999999.99', STORES),
    ('"n": 9999999999999999999999999999999999999.99', HBASE),
    ('"n": "NaN"', NOWHERE),
    ('"i": 9223372036854775808', NOWHERE),
    ('"i": 1.5', NOWHERE),
    ('"f": -0.0', STORES),
    ('"f": 1e400', NOWHERE),
    ('"f": "NaN"', STORES),
    ('"f": "-Infinity"', STORES),
)
COLUMNS = {"n": "decimal(38,2)", "f": "float64", "i": "int64", "t": "string", "id": "int64"}
DEAD = sum(stores != STORES for *_, stores in (*IN_SQL, *IN_JSON))


@dataclass(frozen=True)
class Put:
    """A value that was put: its row's id, column, what a store must show, and the stores that take it."""

    key: int
    column: str
    value: Any
    stores: tuple[str, ...]


def run(world: World, fault: Fault) -> Result:
    """Under load: every value in a row of its own, and rows whose long value an update leaves out, again and again."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        run = scene.run
        types = "f double precision, d numeric(38,4), e numeric(39,0), i bigint, t text, day date, ts timestamp"
        run.sql(f"create table edges (id int primary key, {types})")
        run.sql("create table toasted (id int primary key, body text, hits int)")
        run.sql("alter table toasted alter column body set storage external")
        scene.oracle.tables += [Watched(name, ("id",), n=None, rows=False) for name in ("edges", "raw")]
        scene.oracle.tables.append(Watched("toasted", ("id",), n=None))
        scene.oracle.tapes.make(run.topic("raw"), 4)
        columns = json.dumps(COLUMNS)
        scene.begin(more=f"tables: {{{run.topic('raw')}: {{key: [id], columns: {columns}}}}}")
        edges, raw = in_sql(scene), in_json(scene)
        toast(scene)
        scene.healed()
        for store in STORES:
            compare(scene, store, "edges", EDGES, edges)
            compare(scene, store, "raw", RAW, raw)
        scene.judge(dead=DEAD)
        typed_letters(scene)
    return scene.result


def in_sql(scene: Scene) -> list[Put]:
    """Put what PostgreSQL can say, and read back from it what the stores must show."""
    found = []
    for number, (column, literal, takers) in enumerate(IN_SQL):
        scene.run.sql(f"insert into edges (id, {column}) values ({number}, {literal})")
        shown = {
            "day": "day - date '1970-01-01'",
            "ts": "(extract(epoch from ts) * 1000000)::bigint",
        }.get(column, column)
        ((value,),) = scene.run.database.execute(f"select {shown} from edges where id = {number}").fetchall()
        found.append(Put(number, column, value, takers))
        scene.fired()
        scene.wait_made(10)
    return found


def in_json(scene: Scene) -> list[Put]:
    """Put events that no connector for PostgreSQL would send into a topic of their own."""
    found = []
    for number, (fields, takers) in enumerate(IN_JSON):
        column = fields.split('"')[1]
        row = f'"id": {number}, "t": null, "n": null, "i": null, "f": null'.replace(f'"{column}": null', fields)
        event = f'{{"op": "c", "before": null, "after": {{{row}}}}}'
        scene.oracle.tapes.produce(scene.run.topic("raw"), event.encode(), json.dumps({"id": number}).encode())
        value = json.loads(f"{{{fields}}}", parse_float=str)[column]
        found.append(Put(number, column, float(value) if column == "f" else value, takers))
        scene.fired()
        scene.wait_made(10)
    return found


def toast(scene: Scene) -> None:
    """An update that does not touch a long value comes without it, and must not overwrite it."""
    run = scene.run
    run.sql("insert into toasted select n, %s || n, 0 from generate_series(1, 10) n", LONG)
    for _ in range(TOUCHES):
        run.sql("update toasted set hits = hits + 1")
        scene.wait_made(10)
        scene.fired()
    events = [
        scene.oracle.decode(entry.value) for entry in scene.oracle.tapes.read([run.topic("toasted")]) if entry.value
    ]

    def left_out() -> int:
        return sum(event["after"]["body"] == "__debezium_unavailable_value" for event in events)

    eventually(left_out)
    scene.note(f"{left_out()} updates came without the long value")


def compare(scene: Scene, store: str, table: str, kinds: Mapping[str, Kind], puts: list[Put]) -> None:
    """The store has exactly the rows that it takes, each with exactly its value."""
    read = stored.kudu_rows if store == "kudu" else stored.hbase_rows
    found = read(scene.run.addresses, f"{scene.run.name}.{table}", kinds)
    wanted = {put.key: put for put in puts if store in put.stores}
    for key in wanted.keys() | found.keys():
        put, row = wanted.get(key), found.get(key, {})
        shown = {column: value for column, value in row.items() if column != "id" and value is not None}
        if put is None or shown.keys() != {put.column} or not _same(shown[put.column], put.value):
            scene.problem(f"P1: {table} {key} is {shown} in {store}, not {put}")
            scene.result.differences += 1
    scene.result.rows += len(wanted)


def _same(one: Any, other: Any) -> bool:
    """NaN is itself, and minus zero is not zero."""
    return repr(one) == repr(other) if isinstance(other, float) else str(one) == str(other)


def typed_letters(scene: Scene) -> None:
    """Every dead letter names its table and has a type and a reason."""
    for table in ("edges", "raw"):
        topic = scene.run.topic(table)
        for headers, _, _ in scene.run.dead(table).contents:
            scene.check(bool(headers["parrot.error"]), f"a dead letter of {table} has no type")
            scene.check(topic in headers["parrot.message"], f"{headers['parrot.message']} does not name {topic}")


FAULT = Fault(
    14, "values at the edges of their types", planned=len(IN_SQL) + len(IN_JSON) + TOUCHES, quick=None, run=run
)

"""Every type of PostgreSQL that Debezium emits comes back as SQL has it, under every mode and in every form.

Eight connectors capture one wide table, each with other options, and one worker takes all of them into both stores: 90
columns, a row for each of their literals, half of them read by a snapshot and half from the log.
"""

from __future__ import annotations

import base64
import json
import math
import re
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stored
from pipelines import STORES, Pipeline, eventually, pipeline
from psycopg import sql
from types_spec import COLUMNS, EXTENSIONS, TYPES, WHEN, Column, Modes, View, view

from models import Kind
from parrot_faust.demo import connector
from parrot_faust.demo.leftovers import drop_capture, drop_targets
from parrot_faust.distribution import Addresses
from parrot_faust.schema.losses import LOSSES
from parrot_faust.schema.types import STORES as STORED_AS

LOGGED = 1_000  # rows from here on come from the log, those before from a snapshot
NULLS = 999  # a row of nothing but nulls


class Capture(NamedTuple):
    """A connector: its form and its modes."""

    letter: str
    form: str
    modes: Modes


CAPTURES = (
    Capture("a", "avro", Modes(unknown=True)),
    Capture("b", "json-schema", Modes(unknown=True)),
    Capture("c", "json", Modes()),
    Capture("d", "avro", Modes("double", "adaptive_time_microseconds", "base64", "map", "string", unknown=True)),
    Capture("e", "json-schema", Modes("string", "connect", "base64-url-safe", unknown=True)),
    Capture("f", "avro", Modes(time="isostring", binary="hex")),
    Capture("g", "json-schema", Modes("double", "microseconds", "hex", "map", "string")),
    Capture("h", "avro", Modes("string", "nanoseconds", "base64-url-safe")),
)


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        try:
            yield made
        finally:
            for worker in made.workers:
                worker.stop()
            for capture in CAPTURES:
                connector.remove(distribution.connect, f"{made.name}{capture.letter}")
            drop_capture(made.database, f"{made.name}_")
            made.broker.remove((made.name,))
            drop_targets(distribution, {f"{made.name}{capture.letter}.wide" for capture in CAPTURES})


def _fill(run: Pipeline, first: int) -> None:
    rows = max(len(column.literals) for column in COLUMNS)
    for place in range(rows):
        present = [column for column in COLUMNS if place < len(column.literals)]
        names = ", ".join(f'"{column.name}"' for column in present)
        values = ", ".join(column.literals[place] for column in present)
        run.sql(f"insert into wide (id, {names}) values ({first + place}, {values})")
    run.sql(f"insert into wide (id) values ({first + NULLS})")


def _settings(run: Pipeline) -> str:
    tables = []
    for capture in CAPTURES:
        name = f"{run.name}{capture.letter}"
        own: dict[str, Any] = {store: {"table": "{prefix}.{table}"} for store in STORES}
        if capture.form == "json":
            views = {column.name: view(column, capture.modes) for column in COLUMNS}
            own["columns"] = {"id": "int32"} | {key: one.declared for key, one in views.items() if one.declared}
        tables.append(f"  {name}.{run.name}.wide: {json.dumps(own)}")
    return "tables:\n" + "\n".join(tables)


def test_every_value_of_every_type_comes_back_as_sql_has_it(run: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.monotonic()
    for extension in EXTENSIONS:
        run.sql(f"create extension if not exists {extension} schema public")
    run.sql(f"set search_path to {run.name}, public")
    for statement in TYPES:
        run.sql(statement)
    run.sql("create table wide (id int primary key, " + ", ".join(f'"{c.name}" {c.type}' for c in COLUMNS) + ")")
    _fill(run, 0)
    for capture in CAPTURES:
        name = f"{run.name}{capture.letter}"
        config = connector.config(run.addresses, name, [f"{run.name}.wide"], capture.form, prefix=name)
        connector.create(run.addresses.connect, name, config | capture.modes.options())
    (rows,) = run.database.execute("select count(*) from wide").fetchone() or (0,)
    topics = [f"{run.name}{capture.letter}.{run.name}.wide" for capture in CAPTURES]

    def snapshots() -> bool:
        return run.broker.count(topics) == rows * len(CAPTURES)

    eventually(snapshots)
    worker = run.worker(_settings(run), topics=rf"{run.name}[a-h]\..*")
    _fill(run, LOGGED)

    def applied() -> Any:
        tables = [sink["tables"] for sink in worker.stats()["sinks"].values()]
        done = [table.get(topic, {}).get("applied", 0) for table in tables for topic in topics]
        return done == [2 * rows] * len(topics) * len(STORES)

    try:
        eventually(applied, 90)
    except AssertionError:
        letters = {text for line in run.log().splitlines() for text in line.split("dead letter: ")[1:]}
        raise AssertionError("\n".join(sorted(letters)) or run.log()[-3_000:]) from None

    found = [_compare(run, capture) for capture in CAPTURES]
    wrong = [line for one in found for line in one.wrong]
    present = sum(one.present for one in found)
    with capsys.disabled():
        print(  # noqa: T201 - the figures belong to the proof
            f"\n{len(COLUMNS)} types, {len(CAPTURES)} connectors: {sum(one.values for one in found)} values compared, "
            f"{present} of them not null; {sum(one.lost for one in found)} lost as documented, {len(wrong)} other "
            f"differences; {time.monotonic() - began:.0f} s"
        )
    assert not wrong, "\n".join(wrong)
    assert present > 5_000  # that it compared, and not nothing


def test_every_loss_of_the_literals_is_documented() -> None:
    documented = {loss.name for loss in LOSSES}
    for column in COLUMNS:
        for loss in column.lost.values():
            assert loss.split()[0] in documented
            assert loss in WHEN


class Found(NamedTuple):
    """`values` were compared, `present` of them not null; `lost` differ as documented, `wrong` has a line for every
    other difference.
    """

    values: int
    present: int
    lost: int
    wrong: list[str]


def _compare(run: Pipeline, capture: Capture) -> Found:
    views = {column.name: view(column, capture.modes) for column in COLUMNS if _sent(column, capture)}
    if capture.form == "json":
        views = {name: one for name, one in views.items() if one.declared}
    kinds = {"id": Kind.INT32} | {name: one.kind for name, one in views.items()}
    source = _source(run, views)
    target = f"{run.name}{capture.letter}.wide"
    wrong = _types(stored.kudu_types(run.addresses, target), views, capture)
    values = present = lost = 0
    for store, read in (("kudu", stored.kudu_rows), ("hbase", stored.hbase_rows)):
        rows = read(run.addresses, target, kinds)
        if odd := set(rows) ^ set(source):
            wrong.append(f"{capture.letter} {store} has rows {sorted(odd)} more or less")
        for column in (column for column in COLUMNS if column.name in views):
            same = COMPARE[views[column.name].compare]
            for key in source.keys() & rows.keys():
                got, wanted = rows[key].get(column.name), source[key][column.name]
                equal = got is wanted if got is None or wanted is None else same(got, wanted)
                may_differ = _lost(column, capture, key)
                values, present, lost = values + 1, present + (wanted is not None), lost + may_differ
                if equal == may_differ:
                    says = "is documented as lost and is not" if equal else f"{wanted!r} at the source is {got!r}"
                    wrong.append(f"{capture.letter} {store} {column.name} {column.type} row {key}: {says}")
    return Found(values, present, lost, wrong)


def _lost(column: Column, capture: Capture, key: int) -> bool:
    place = key % LOGGED
    literal = column.literals[place] if place < len(column.literals) else ""
    return literal in column.lost and WHEN[column.lost[literal]](capture.modes, key < LOGGED)


def _sent(column: Column, capture: Capture) -> bool:
    return capture.modes.unknown or column.group != "unknown"


def _source(run: Pipeline, views: Mapping[str, View]) -> dict[int, dict[str, Any]]:
    names = ["id", *views]
    parts = ["id", *(one.sql for one in views.values())]
    rows = run.database.execute(sql.SQL(f"select {', '.join(parts)} from wide")).fetchall()  # type: ignore[arg-type]
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def _types(found: Mapping[str, str], views: Mapping[str, View], capture: Capture) -> list[str]:
    """Columns whose type in Kudu is not the documented one, and those that should not be there."""
    wrong = []
    for name, one in views.items():
        there, wanted = found.get(name, "no column"), STORED_AS[one.kind].kudu
        if there != wanted and not (one.kind is Kind.DECIMAL and there.startswith(("decimal(", "string"))):
            wrong.append(f"{capture.letter} {name} is {there} in Kudu, not {wanted}")
    absent = {column.name for column in COLUMNS if not _sent(column, capture)}
    return wrong + [f"{capture.letter} {name} is in Kudu" for name in absent & set(found)]


def _exact(got: Any, wanted: Any) -> bool:
    if isinstance(got, float) and isinstance(wanted, float):
        return struct.pack("d", got) == struct.pack("d", wanted) or (math.isnan(got) and math.isnan(wanted))
    return type(got) is type(wanted) and bool(got == wanted)


def _numerals(text: str) -> str:
    return re.sub(r"\.0(?!\d)", "", text)


def _unbase64(text: str) -> str:
    return base64.b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True).decode()


COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "exact": _exact,
    "number": lambda got, wanted: Decimal(got) == Decimal(wanted),
    "json": lambda got, wanted: json.loads(got) == json.loads(wanted),
    "bits": lambda got, wanted: int.from_bytes(got, "little") == int(wanted or "0", 2),
    "point": lambda got, wanted: [json.loads(got)["x"], json.loads(got)["y"]] == wanted,
    "numerals": lambda got, wanted: _numerals(got.decode()) == wanted.decode(),
    "base64 numerals": lambda got, wanted: _numerals(_unbase64(got)) == _unbase64(wanted),
}

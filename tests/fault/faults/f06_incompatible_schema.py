"""Tables change in ways that a store can't follow, under load: what is configured happens, and only to them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durable import Watched
from pipelines import STORES, Pipeline, eventually
from report import Result
from world import Scene, World

from faults import Fault
from parrot_faust.demo import stores
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.demo.worker import Worker

KUDUS_COLUMNS = 300
FILLERS = tuple(f"c{number}" for number in range(KUDUS_COLUMNS - 2))
Shape = dict[str, str]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Case:
    """A change of shape. `after` is what a store has then: the table's name there, its columns and its rows of those of
    the source. `waits`: even under `lenient` it must be approved.
    """

    columns: str
    initial: str
    change: str
    insert: str
    after: Callable[[str], Shape]
    key: tuple[str, ...] = ("id",)
    source: str = "*"
    target: str = "{}"
    waits: bool = False


ID: Shape = {"id": "integer"}
CASES: Mapping[str, Case] = {
    "int to string": Case(
        "id int primary key, price int", "n, n * 10", "alter {} alter column price type text using 'many ' || price",
        "(id, price) values (6, 'lots')", lambda _store: ID | {"price": "integer", "price__string": "text"},
        source="id, null::int, price",
    ),
    "not null dropped": Case(
        "id int primary key, note text not null", "n, 'note ' || n", "alter {} alter column note drop not null",
        "(id, note) values (6, null)", lambda _store: ID | {"note": "text"},
    ),
    "key changed": Case(
        "id int primary key, part int not null", "n, n * 10",
        "alter {0} drop constraint {1}_pkey, add primary key (id, part)",
        "(id, part) values (5, 60)", lambda _store: ID | {"part": "integer"}, key=("id", "part"), target="{}__g2",
    ),
    "column 301": Case(
        f"id int primary key, note text, {', '.join(f'{name} int' for name in FILLERS)}", "n, 'note'",
        "alter {} add column more text", "(id, more) values (6, 'six')",
        lambda store: ID | {"note": "text"} | ({"more": "text"} if store == "hbase" else {}), waits=True,
    ),
    "rename": Case(
        "id int primary key, label text", "n, 'label ' || n", "alter {} rename column label to title",
        "(id, title) values (6, 'six')", lambda _store: ID | {"label": "text", "title": "text"},
        source="id, null::text, title",
    ),
}  # fmt: skip
BEHAVIOURS = ("lenient", "exception")


@dataclass(frozen=True)
class Table:
    """A table with the change that it will see."""

    name: str
    case: Case
    behaviour: str

    @property
    def held(self) -> bool:
        """Whether the change must wait for a person."""
        return self.case.waits or self.behaviour == "exception"


TABLES = tuple(
    Table(f"{what.replace(' ', '_')}_{behaviour}", case, behaviour)
    for what, case in CASES.items()
    for behaviour in BEHAVIOURS
)


def run(world: World, fault: Fault) -> Result:
    """Ten tables change under load. Those that wait get nothing until they are approved; the others go on."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        run = scene.run
        try:
            prepare(scene)
            chosen = ", ".join(f"{run.topic(table.name)}: {{schema_change: {table.behaviour}}}" for table in TABLES)
            worker, *_ = scene.begin(more=f"tables: {{{chosen}}}")
            before = {(store, table.name): old_rows(run, store, table) for table in TABLES for store in STORES}
            for (store, name), rows in before.items():
                scene.check(len(rows) == 5, f"{name} in {store} has {len(rows)} rows before the change")
            scene.wait_made(100)
            for table in TABLES:
                change(scene, table)
            held_back(scene, worker, before)
            for table in TABLES:
                if table.held:
                    approve(scene, worker, run.topic(table.name))
            scene.healed()
            for table in TABLES:
                as_configured(scene, table)
            scene.judge()
        finally:
            drop_targets(run.addresses, {f"{run.name}.{table.name}__g2" for table in TABLES})
    return scene.result


def prepare(scene: Scene) -> None:
    """Make the tables with five rows each."""
    for table in TABLES:
        scene.run.sql(f"create table {table.name} ({table.case.columns})")
        scene.run.sql(f"insert into {table.name} select {table.case.initial} from generate_series(1, 5) n")
        scene.oracle.tables.append(Watched(table.name, table.case.key, n=None, rows=False))


def change(scene: Scene, table: Table) -> None:
    """Change the shape, then a row of every kind: all are updated, one is new, one goes."""
    run, case = scene.run, table.case
    run.sql(f"alter table {table.name} replica identity full")
    run.sql(case.change.format(f"table {table.name}", table.name))
    run.sql(f"update {table.name} set id = id")
    run.sql(f"insert into {table.name} {case.insert}")
    run.sql(f"delete from {table.name} where id = 2")
    scene.fired()


def held_back(scene: Scene, worker: Worker, before: Mapping[tuple[str, str], stores.Rows]) -> None:
    """Exactly those tables wait that must, nothing of their changes is in a store, and all others go on."""
    run, wanted = scene.run, {scene.run.topic(table.name) for table in TABLES if table.held}

    def waiting() -> bool:
        return set(worker.stats()["held_tables"]) == wanted

    eventually(waiting, 90)
    for table in TABLES:
        if not table.held:
            as_configured(scene, table)
    scene.wait_made(300)
    for store in STORES:
        scene.caught_up_in(store, 60)
    for table in TABLES:
        if table.held:
            for store in STORES:
                kept = old_rows(run, store, table) == before[store, table.name]
                scene.check(kept, f"{table.name} in {store} was written to before anyone approved its change")
    scene.durable(f"while {len(wanted)} tables wait")


def approve(scene: Scene, worker: Worker, topic: str) -> None:
    """Let a held change pass, as a person would."""
    command = [Path(sys.executable).with_name("parrot"), "schema", "approve", topic, "--json"]
    done = subprocess.run(
        [*command, "--config", str(worker.settings)], capture_output=True, text=True, timeout=120, check=False
    )
    scene.check(done.returncode == 0 and bool(json.loads(done.stdout)), f"{topic} is not approved: {done.stderr}")


def old_rows(run: Pipeline, store: str, table: Table) -> stores.Rows:
    """A table's rows in a store with the columns that it began with."""
    columns = [part.split()[:2] for part in table.case.columns.split(", ")]
    types = {name: {"int": "integer"}.get(kind, kind) for name, kind in columns[:2]}
    return _read(run, store, f"{run.name}.{table.name}", types, ("id",))


def as_configured(scene: Scene, table: Table) -> None:
    """Both stores have the changed rows where the behaviour puts them."""
    run, case = scene.run, table.case
    name = f"{run.name}.{case.target.format(table.name)}"
    for store in STORES:
        types = case.after(store)
        query = case.source if case.source != "*" else ", ".join(types)
        rows = run.database.execute(f"select {query} from {table.name}").fetchall()
        places = [list(types).index(column) for column in case.key]
        wanted = {tuple(row[place] for place in places): row for row in rows}

        def there(store: str = store, types: Shape = types, wanted: stores.Rows = wanted) -> bool:
            return _read(run, store, name, types, case.key) == wanted

        try:
            eventually(there, 60)
        except AssertionError:
            scene.problem(f"{table.name} in {store}: {_read(run, store, name, types, case.key)}, not {wanted}")
            scene.result.differences += 1
        scene.result.rows += len(wanted)


def _read(run: Pipeline, store: str, name: str, types: Shape, key: tuple[str, ...]) -> stores.Rows:
    import kudu
    from Hbase_thrift import IOError as HBaseError

    read = stores.kudu_rows if store == "kudu" else stores.hbase_rows
    try:
        return read(run.addresses, name, types, key)
    except (kudu.KuduException, KeyError, HBaseError):
        return {}


FAULT = Fault(6, "shapes that a store can't follow", planned=len(TABLES), quick=None, run=run)

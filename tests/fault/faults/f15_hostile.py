"""Hostile names and values, planted secrets and masked columns, under load: escaped, and nowhere to be found."""

from __future__ import annotations

import hashlib
import hmac
import re
import urllib.request
from ipaddress import ip_address

import psutil
from durable import Watched
from pipelines import STORES, eventually
from psycopg import sql
from report import Result
from world import Scene, World

from faults import Fault
from models import TableSchema
from parrot_faust.demo import stores
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.demo.worker import Worker
from parrot_faust.sinks.hbase import HBaseSettings

NAMES = (
    "../../../etc/passwd",
    'bobby"; drop table accounts; --',
    "name:space",
    "<script>alert(1)</script>",
    "white space",
)
COLUMN = "<b onload='x'>../:%s{}; --"
VALUE = "<script>alert(2)</script>'; drop table accounts; --"
TYPES = {"id": "integer", COLUMN: "text"}
PAGES = ("/", "/stats", "/health", "/metrics")
MASK_KEY = "planted-mask-key-0123456789"
PASSWORD = "planted-registry-password"
EMAIL = "planted{}@example.org"
PEOPLE = 20


def run(world: World, fault: Fault) -> Result:
    """Tables with hostile names, a masked table whose rows also break a rule, and secrets in the environment."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        run, names = scene.run, [(name, f"{scene.run.name}.{name}") for name in NAMES]
        run.sql("create table people (id int primary key, email text, age int)")
        run.rules("people", "columns:\n  age: [{be_between: {min_value: 0}}]\n")
        scene.oracle.tables.append(Watched("people", ("id",), n=None, rows=False))
        for name in NAMES:
            make(scene, name)
        environment = {
            "PLANTED_KEY": MASK_KEY, "PARROT_SOURCE__REGISTRY_USER": "parrot",
            "PARROT_SOURCE__REGISTRY_PASSWORD": PASSWORD,
        }  # fmt: skip
        more = f"tables: {{{run.topic('people')}: {{mask: {{email: sha256}}}}}}\nmasking: {{key: '${{PLANTED_KEY}}'}}"
        try:
            (worker,) = scene.begin(form="json-schema", more=more, environment=environment)
            for number in range(PEOPLE):
                run.sql("insert into people values (%s, %s, %s)", number, EMAIL.format(number), number % 4 - 1)
                scene.fired()
            for name in NAMES:
                table = sql.Identifier(run.name, name)
                run.database.execute(sql.SQL("insert into {} values (3, {})").format(table, VALUE))
            scene.healed()
            names_are_data(scene)
            masked(scene)
            page(scene, worker)
            loopback(scene, worker)
            scene.judge()
            unsaid(scene, worker)
        finally:
            drop_targets(run.addresses, {full for _, full in names} | {hbase_name(scene, name) for name in NAMES})
    return scene.result


def make(scene: Scene, name: str) -> None:
    """A table of this name, with a hostile column and value."""
    table = sql.Identifier(scene.run.name, name)
    database = scene.run.database
    database.execute(sql.SQL("create table {} (id int primary key, {} text)").format(table, sql.Identifier(COLUMN)))
    database.execute(sql.SQL("insert into {} values (1, {}), (2, null)").format(table, VALUE))
    topic = re.sub(r"[^\w.-]", "_", name, flags=re.ASCII)  # as Debezium names it
    scene.oracle.tables.append(Watched(topic, ("id",), n=None, rows=False))
    scene.fired()


def hbase_name(scene: Scene, name: str) -> str:
    """The name of a table in HBase, where some signs become their codes."""
    shape = TableSchema.of("t", (), (), namespace=scene.run.name, relation=name)
    return HBaseSettings(thrift="h:1", thrift2="h:2").target(shape)


def names_are_data(scene: Scene) -> None:
    """Each table is in both stores under its name, with its rows."""
    wanted = {(1,): (1, VALUE), (2,): (2, None), (3,): (3, VALUE)}
    for name in NAMES:
        kudu = stores.kudu_rows(scene.run.addresses, f"{scene.run.name}.{name}", TYPES, ("id",))
        hbase = stores.hbase_rows(scene.run.addresses, hbase_name(scene, name), TYPES, ("id",))
        for store, found in (("kudu", kudu), ("hbase", hbase)):
            scene.check(found == wanted, f"P1: {name!r} is {found} in {store}")
            scene.result.differences += found != wanted
            scene.result.rows += len(wanted)


def masked(scene: Scene) -> None:
    """The masked column holds hashes under the key, and rows that break a rule are in quarantine."""

    def digest(number: int) -> str:
        return hmac.new(MASK_KEY.encode(), EMAIL.format(number).encode(), hashlib.sha256).hexdigest()

    wanted = {(n,): (n, digest(n), n % 4 - 1) for n in range(PEOPLE) if n % 4}
    for store in STORES:
        found = scene.run.store(store, "people", "id")
        scene.check(found == wanted, f"P1: people in {store} is {found}, not {wanted}")
        scene.result.differences += found != wanted
        scene.result.rows += len(wanted)

    def held() -> bool:
        return scene.run.quarantine("people").records >= PEOPLE // 4

    eventually(held)


def page(scene: Scene, worker: Worker) -> None:
    """Names and values on the page are text."""
    body = urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/", timeout=30).read().decode()
    scene.check("script" in body, "the page does not show the names")
    scene.check(not re.search(r"<script>alert|<b onload", body), "the page has a script of a table's name in it")


def loopback(scene: Scene, worker: Worker) -> None:
    """A worker with its sinks' processes listens on loopback alone."""
    main = psutil.Process(worker.pid)
    listening = [
        connection.laddr
        for process in (main, *main.children(recursive=True))
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    scene.check(bool(listening), "the worker does not listen at all")
    outside = [address for address in listening if not ip_address(address.ip).is_loopback]
    scene.check(not outside, f"the worker listens on {outside}")


def unsaid(scene: Scene, worker: Worker) -> None:
    """No secret and no masked value is in a log, a page, a file of the worker's, or a topic of the app's."""
    places = {
        path: urllib.request.urlopen(f"http://127.0.0.1:{worker.port}{path}", timeout=30).read() for path in PAGES
    }
    places |= {str(file): file.read_bytes() for file in scene.run.folder.rglob("*") if file.is_file()}
    for topic in scene.oracle.tapes.topics(scene.run.app):
        entries = scene.oracle.tapes.read([topic])
        places[topic] = b"\n".join(
            part for entry in entries for part in (entry.key, entry.value, *entry.headers.values()) if part
        )
    found = [
        f"{planted} is in {where}"
        for where, data in places.items()
        for planted in (MASK_KEY, PASSWORD, EMAIL.partition("{")[0] + "0@", EMAIL.format(5))
        if planted.encode() in data
    ]
    scene.check(not found, "; ".join(found))
    scene.note(f"{len(places)} pages, files and topics of {sum(map(len, places.values())):,} bytes hold no secret")


FAULT = Fault(15, "hostile names and values, planted secrets", planned=len(NAMES) + PEOPLE, quick=None, run=run)

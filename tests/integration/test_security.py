"""Fault 15: what hostile names, files, patterns and values do. Each is refused or escaped.

Where each promise is held:

=====================================  ===============================================================================
tags, anchors, alias bombs in YAML     unit/test_settings.py, unit/quality/test_quality_loading.py
nothing of a rule file runs as code    unit/quality/test_quality_conditions.py, test_quality_compiling.py
catastrophic patterns                  unit/quality/test_quality_regexes.py
hostile names of tables and columns    here; unit/sinks/test_hbase_settings.py and test_kudu_settings.py
archives that leave their folder       unit/distribution/test_unpacking.py
a wrong hash                           unit/distribution/test_fetching.py
script in names and values, web view   here; unit/web/test_web_pages.py and test_web_server.py
listeners on loopback alone            here (worker); test_distribution.py (servers); unit/test_compose_file.py
secrets in logs, pages, topics, files  test_secured_worker.py; unit/test_settings.py
masked columns                         test_secured_worker.py; unit/agents/test_changes_masked.py, unit/masking/
TLS and logins                         test_secured_kafka.py, test_secured_registry.py, test_secured_stores.py
=====================================  ===============================================================================
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import happybase  # noqa: F401 - it makes the module Hbase_thrift when it is imported
import psutil
import pytest
from pipelines import Pipeline, eventually, pipeline
from psycopg import sql

from models import TableSchema
from parrot_faust.demo import stores
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.distribution import Addresses
from parrot_faust.sinks.hbase import HBaseSettings

pytestmark = pytest.mark.integration

NAMES = (
    "../../../etc/passwd",
    'bobby"; drop table innocent; --',
    "name:space",
    "<script>alert(1)</script>",
    "white space and Ünïcödé 🦜",
    "innocent",
)
COLUMN = "<b onload='x'>../:%s{}; --"
QUOTED = 'a "quoted" column'  # JSON's reader takes no such name: it is refused by it
VALUE = "<script>alert(2)</script>'; drop table innocent; --"
TYPES = {"id": "integer", COLUMN: "text"}


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


def hbase_name(run: Pipeline, name: str) -> str:
    """The name of a table in HBase, where some signs become their codes."""
    shape = TableSchema.of("t", (), (), namespace=run.name, relation=name)
    return HBaseSettings(thrift="h:1", thrift2="h:2").target(shape)


def test_hostile_names_reach_both_stores_as_names_and_do_nothing_else(run: Pipeline, distribution: Addresses) -> None:
    for name in NAMES:
        table = sql.Identifier(run.name, name)
        create = sql.SQL("create table {} (id int primary key, {} text)").format(table, sql.Identifier(COLUMN))
        run.database.execute(create)
        run.database.execute(sql.SQL("insert into {} values (1, {}), (2, null)").format(table, VALUE))
    refused = sql.Identifier(run.name, "refused")
    create = sql.SQL("create table {} (id int primary key, {} text)").format(refused, sql.Identifier(QUOTED))
    run.database.execute(create)
    run.database.execute(sql.SQL("insert into {} values (1, {})").format(refused, VALUE))
    run.capture(form="json-schema")
    worker = run.worker()
    expected = {(1,): (1, VALUE), (2,): (2, None)}
    try:
        for name in NAMES:

            def equal(name: str = name) -> bool:
                found = [
                    read()
                    for read in (
                        lambda: stores.kudu_rows(distribution, f"{run.name}.{name}", TYPES, ("id",)),
                        lambda: stores.hbase_rows(distribution, hbase_name(run, name), TYPES, ("id",)),
                    )
                ]
                return found == [expected, expected]

            eventually(lambda equal=equal: quietly(equal))
        page = urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/", timeout=30).read().decode()
        assert "script" in page, "the names are shown"
        assert not re.search(r"<script>alert|<b onload", page)
        sources = worker.stats()["sources"]
        assert {topic: counts["dead_lettered"] for topic, counts in sources.items() if counts["dead_lettered"]} == {
            run.topic("refused"): 1
        }
        assert QUOTED in run.log()
        kept = run.database.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(run.name, "innocent")))
        assert kept.fetchone() == (2,)
        assert worker.pid is not None
        outside = [
            connection.laddr
            for process in (psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and not ip_address(connection.laddr.ip).is_loopback
        ]
        assert outside == []
    finally:
        worker.stop()
        drop_targets(distribution, {f"{run.name}.{name}" for name in NAMES} | {hbase_name(run, name) for name in NAMES})


def quietly(check: object) -> bool:
    """Whether a check holds; a table that is not there yet is none that does."""
    import kudu
    from Hbase_thrift import IOError as HBaseError

    try:
        return bool(check())  # type: ignore[operator]
    except (kudu.KuduException, KeyError, HBaseError):
        return False

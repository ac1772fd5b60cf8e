"""Removing what a run has left in PostgreSQL and in the stores."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import happybase
import psycopg

from parrot_faust.distribution import Addresses
from parrot_faust.errors import DistributionError

RELEASE_TIMEOUT_S = 30.0
RELEASE_POLL_S = 0.1


def drop_capture(database: psycopg.Connection[Any], pattern: str) -> None:
    """Drop the replication slots and publications with names like `pattern`; a slot in use is taken from its user."""
    found = database.execute(
        "select slot_name, active_pid from pg_replication_slots where slot_name like %s", (pattern,)
    ).fetchall()
    for slot, pid in found:
        if pid is not None:
            database.execute("select pg_terminate_backend(%s)", (pid,))
        _drop_slot(database, slot)
    names = database.execute("select pubname from pg_publication where pubname like %s", (pattern,)).fetchall()
    for (name,) in names:
        database.execute(f'drop publication "{name}"')


def _drop_slot(database: psycopg.Connection[Any], slot: str) -> None:
    deadline = time.monotonic() + RELEASE_TIMEOUT_S
    while True:
        try:
            database.execute("select pg_drop_replication_slot(%s)", (slot,))
        except psycopg.errors.UndefinedObject:
            return
        except psycopg.errors.ObjectInUse:
            if time.monotonic() > deadline:
                raise DistributionError(f"the replication slot {slot} is still in use") from None
            time.sleep(RELEASE_POLL_S)
        else:
            return


def drop_targets(addresses: Addresses, targets: Iterable[str]) -> None:
    """Drop tables of these names from Kudu and HBase; one that is not there is no error."""
    import kudu  # loads 20 MB of libraries, needed only here

    wanted = set(targets)
    host, port = addresses.kudu_masters[0].rsplit(":", 1)
    client = kudu.connect(host, int(port))
    for target in wanted & set(client.list_tables()):
        client.delete_table(target)
    host, port = addresses.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port), timeout=60_000)
    try:
        for target in wanted & {name.decode() for name in connection.tables()}:
            connection.delete_table(target, disable=True)
    finally:
        connection.close()

"""Making HBase's tables and families. Columns need no making."""

from __future__ import annotations

import time

import happybase

from models import AppliedDdl, PlannedDdl, TableSchema
from parrot_faust.sinks.hbase.servers import AlreadyExists, HBaseIOError, Servers, unavailable
from parrot_faust.sinks.hbase.shape import api


def fit(servers: Servers, schema: TableSchema, target: str, family: str, deadline: float) -> list[AppliedDdl]:
    """Make the table, or the family it lacks; return what was done, nothing when another one did it meanwhile."""
    began = time.monotonic()

    def done(change: str) -> list[AppliedDdl]:
        return [AppliedDdl(schema.table, target, change, f"family {family}", time.monotonic() - began)]

    with servers.tables(deadline) as connection:
        missing = target.encode() not in connection.tables()
    if missing:
        with servers.tables(deadline) as connection:
            if _create(connection, target, family):
                return done("CreateTable")
    with servers.tables(deadline) as connection:
        families = connection.table(target).families()
    if family.encode() not in families and _add_family(servers, target, family, deadline):
        return done("AddColumn")
    return []


def planned(servers: Servers, schema: TableSchema, target: str, family: str, deadline: float) -> list[PlannedDdl]:
    """What `fit` would do, in the words of HBase's shell."""
    with servers.tables(deadline) as connection:
        if target.encode() not in connection.tables():
            text = f"create '{target}', {{NAME => '{family}', VERSIONS => 1}}"
            return [PlannedDdl(schema.table, target, "CreateTable", text)]
        families = connection.table(target).families()
    if family.encode() in families:
        return []
    text = f"alter '{target}', {{NAME => '{family}', VERSIONS => 1}}"
    return [PlannedDdl(schema.table, target, "AddColumn", text)]


def _create(connection: happybase.Connection, target: str, family: str) -> bool:
    """Whether it was made here."""
    try:
        connection.create_table(target, {family: {"max_versions": 1}})
    except AlreadyExists:
        return False
    except HBaseIOError as error:
        if b"TableExistsException" in bytes(error.message or b""):  # made between the server's own look and its making
            return False
        raise
    return True


def _add_family(servers: Servers, target: str, family: str, deadline: float) -> bool:
    name = api.TTableName(qualifier=target.encode())
    column = api.TColumnFamilyDescriptor(name=family.encode(), maxVersions=1)
    try:
        servers.write("addColumnFamily", deadline, name, column)
    except api.TIOError as error:
        if "already exist" in (error.message or ""):
            return False
        raise unavailable(error) from None
    return True

"""What a PostgreSQL database says of itself that matters for capturing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg

from parrot_faust.errors import SettingsError, SourceUnavailable

CONNECT_TIMEOUT_S = 10

_TABLES = """
select n.nspname, c.relname,
       coalesce((select array_agg(a.attname::text order by array_position(i.indkey::int[], a.attnum::int))
                 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                 where i.indrelid = c.oid and i.indisprimary), '{}'),
       c.relreplident::text,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
               and a.attstorage in ('x', 'e') and a.atttypid not in ('numeric'::regtype)),
       greatest(c.reltuples, 0)::bigint,
       has_table_privilege(c.oid, 'select')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any(%s)
order by 1, 2
"""
_SCHEMAS = """
select nspname from pg_namespace
where nspname not in ('information_schema', 'pg_catalog') and nspname not like 'pg\\_%' order by 1
"""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table: its primary key in order, its replica identity (PostgreSQL's letter: d, f, i or n), whether it has
    columns that may be stored out of line (long values), about how many rows, and whether this user may read it.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    identity: str
    long_values: bool
    rows: int
    readable: bool

    @property
    def problem(self) -> str:
        """What stands in the way of following it, empty when nothing does."""
        if not self.readable:
            return f"this user may not read it: grant select on {self.schema}.{self.name}"
        if not self.key:
            return "has no primary key: name one with `key` in parrot.yaml, and set replica identity full or an index"
        if self.identity == "n":
            return "replica identity is nothing: updates and deletes can't be captured"
        return ""

    @property
    def remark(self) -> str:
        """What is worth knowing of it."""
        if self.long_values and self.identity == "d":
            return "a changed key loses long values unless replica identity is full"
        return ""


@dataclass(frozen=True, slots=True)
class Source:
    """A database with its tables. `problems` keep any connector from running; each says what to do."""

    host: str
    port: int
    user: str
    database: str
    version: str
    tables: tuple[SourceTable, ...]
    problems: tuple[str, ...]


def look_at(address: str, schemas: tuple[str, ...] = ()) -> Source:
    """Read a database's own tables, of all its schemas if none is named. `address` is a URL or a libpq string.

    Raise SourceUnavailable when it does not answer or refuses, SettingsError when it has no such schema.
    """
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True) as connection:
            known = [name for (name,) in connection.execute(_SCHEMAS).fetchall()]
            if unknown := [name for name in schemas if name not in known]:
                raise SettingsError(f"there is no schema {', '.join(unknown)}; there is {', '.join(known) or 'none'}")
            rows = connection.execute(_TABLES, (list(schemas or known),)).fetchall()
            tables = tuple(SourceTable(schema, name, tuple(key), *more) for schema, name, key, *more in rows)
            info = connection.info
            return Source(
                info.host, info.port, info.user, info.dbname, _setting(connection, "server_version"), tables,
                tuple(_problems(connection)),
            )  # fmt: skip
    except psycopg.Error as error:
        raise SourceUnavailable(" ".join(str(error).split())) from None


def _problems(connection: psycopg.Connection[Any]) -> list[str]:
    found = []
    if (level := _setting(connection, "wal_level")) != "logical":
        found.append(f"wal_level is {level}: set it to logical in postgresql.conf and start PostgreSQL again")
    row = connection.execute("select rolreplication or rolsuper from pg_roles where rolname = current_user").fetchone()
    if not (row and row[0]):
        found.append(
            f"the user {connection.info.user} may not replicate: alter role {connection.info.user} replication"
        )
    slots = int(_setting(connection, "max_replication_slots"))
    used = connection.execute("select count(*) from pg_replication_slots").fetchone()
    if used and used[0] >= slots:
        found.append(
            f"all {slots} replication slots are used: raise max_replication_slots, or drop one that is left over"
        )
    return found


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])

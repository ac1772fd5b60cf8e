"""What a PostgreSQL database says of itself that matters for capturing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parrot_faust.errors import SettingsError, SourceUnavailable
from parrot_faust.names import avro_name

CONNECT_TIMEOUT_S = 10

_TABLES = """
select n.nspname, c.relname,
       coalesce((select array_agg(a.attname::text order by array_position(i.indkey::int[], a.attnum::int))
                 from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                 where i.indrelid = c.oid and i.indisprimary), '{}'),
       array(select a.attname::text from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped order by a.attnum),
       c.relreplident::text,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
               and a.attstorage in ('x', 'e') and a.atttypid not in ('numeric'::regtype)),
       nullif(c.reltuples, -1)::bigint,
       has_table_privilege(c.oid, 'select'),
       has_schema_privilege(n.oid, 'usage'),
       pg_has_role(c.relowner, 'usage')
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
    """A table: its primary key in order, its columns, its replica identity (PostgreSQL's letter: d, f, i or n), whether
    it has columns that may be stored out of line (long values), about how many rows (None before it was analysed),
    whether this user may read it, use its schema, and do what its owner may.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    identity: str
    long_values: bool
    rows: int | None
    readable: bool
    reachable: bool = True
    owned: bool = True

    @property
    def quoted(self) -> str:
        """Its name as SQL has it."""
        return quoted(self.schema, self.name)

    @property
    def problem(self) -> str:
        """What stands in the way of following it, empty when nothing does."""
        if not self.reachable:
            return "this user may not use its schema"
        return self.unfit or ("" if self.readable else "this user may not read it")

    @property
    def unfit(self) -> str:
        """What of that is the table's own, whatever this user may."""
        alike = Counter(map(avro_name, self.columns))
        if clash := [name for name in self.columns if alike[avro_name(name)] > 1]:
            return f"columns {' and '.join(clash)} would have the same name in Avro: the connector ends at them"
        if not self.key:
            return "has no primary key: parrot.yaml says what to do"
        if self.identity == "n":
            return f"replica identity is nothing: alter table {self.quoted} replica identity default"
        return ""

    @property
    def remark(self) -> str:
        """What is worth knowing of it."""
        if self.long_values and self.identity == "d":
            return "a changed key loses long values unless replica identity is full"
        return ""


@dataclass(frozen=True, slots=True)
class Source:
    """A database with its tables. `problems` keep any connector from running; each says what to do, `cures` are the
    statements for it. `sslmode` is the address's own, empty when it names none.
    """

    host: str
    port: int
    user: str
    database: str
    version: str
    tables: tuple[SourceTable, ...]
    problems: tuple[str, ...]
    cures: tuple[str, ...] = ()
    sslmode: str = ""

    @property
    def followed(self) -> tuple[SourceTable, ...]:
        """The tables that nothing stands in the way of."""
        return tuple(table for table in self.tables if not table.problem)

    @property
    def hindered(self) -> tuple[str, ...]:
        """Everything that keeps a connector from running."""
        return self.problems if self.followed else (*self.problems, "no table can be followed as it is")


def look_at(address: str, schemas: tuple[str, ...] = (), *, publication: str = "", password: str = "") -> Source:
    """Read a database's own tables, of all its schemas if none is named. `address` is a URL or a libpq string,
    `password` for one that names none. `publication` is the one that the connector will use, or make.

    Raise SourceUnavailable when it does not answer or refuses, SettingsError when it has no such schema.
    """
    try:
        given = conninfo_to_dict(address)
        if password and not given.get("password"):
            address = make_conninfo(address, password=password)
        with psycopg.connect(address, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True) as connection:
            known = [name for (name,) in connection.execute(_SCHEMAS).fetchall()]
            if unknown := [name for name in schemas if name not in known]:
                raise SettingsError(f"there is no schema {', '.join(unknown)}; there is {', '.join(known) or 'none'}")
            rows = connection.execute(_TABLES, (list(schemas or known),)).fetchall()
            tables = tuple(
                SourceTable(schema, name, tuple(key), tuple(names), *more) for schema, name, key, names, *more in rows
            )
            info = connection.info
            problems, cures = _problems(connection)
            rights = _rights(tables, info.user)
            lacking, published = _publication(connection, tables, publication)
            return Source(
                info.host, info.port, info.user, info.dbname, _setting(connection, "server_version"), tables,
                (*problems, *lacking), (*cures, *rights, *published), str(given.get("sslmode") or ""),
            )  # fmt: skip
    except psycopg.Error as error:
        raise SourceUnavailable(" ".join(str(error).split())) from None


def _problems(connection: psycopg.Connection[Any]) -> tuple[list[str], list[str]]:
    found, cures = [], []
    if (level := _setting(connection, "wal_level")) != "logical":
        found.append(f"wal_level is {level}: set it to logical in postgresql.conf and start PostgreSQL again")
    row = connection.execute("select rolreplication or rolsuper from pg_roles where rolname = current_user").fetchone()
    if not (row and row[0]):
        found.append(f"the user {connection.info.user} may not replicate")
        cures.append(f"alter role {quoted(connection.info.user)} replication")
    slots = int(_setting(connection, "max_replication_slots"))
    used = connection.execute("select count(*) from pg_replication_slots").fetchone()
    if used and used[0] >= slots:
        found.append(
            f"all {slots} replication slots are used: raise max_replication_slots, or drop one that is left over"
        )
    return found, cures


def _rights(tables: Sequence[SourceTable], user: str) -> list[str]:
    """What lets the user read the tables that it can't."""
    schemas = dict.fromkeys(quoted(table.schema) for table in tables if not table.reachable)
    unread = [table.quoted for table in tables if not table.readable]
    grants = [f"grant usage on schema {', '.join(schemas)} to {quoted(user)}"] if schemas else []
    return grants + ([f"grant select on {', '.join(unread)} to {quoted(user)}"] if unread else [])


def _publication(
    connection: psycopg.Connection[Any], found: Sequence[SourceTable], name: str
) -> tuple[list[str], list[str]]:
    """What keeps a connector of these tables from its publication, which it makes, or alters to have just these."""
    tables = [table for table in found if not table.unfit]
    if not name or not tables:
        return [], []
    owner, user = all(table.owned for table in tables), connection.info.user
    names = ", ".join(table.quoted for table in tables)
    row = connection.execute(
        "select pg_has_role(pubowner, 'usage'), array(select format('%%I.%%I', schemaname, tablename)"
        " from pg_publication_tables t where t.pubname = p.pubname) from pg_publication p where pubname = %s",
        (name,),
    ).fetchone()
    if row is None:
        may = connection.execute("select has_database_privilege(current_database(), 'create')").fetchone()
        if owner and may and may[0]:
            return [], []
        why = "may make none in this database" if owner else "does not own all of its tables"
        # Without the option, what is written to a partition is published as the partition's.
        return (
            [f"the publication {name} is not there, and the user {user} can't make it: it {why}"],
            [f"create publication {quoted(name)} for table {names} with (publish_via_partition_root = true)"],
        )
    ours, published = row
    wanted = connection.execute(
        "select array(select format('%%I.%%I', s, t) from unnest(%s::text[], %s::text[]) each(s, t))",
        ([one.schema for one in tables if not one.problem], [one.name for one in tables if not one.problem]),
    ).fetchone()
    if (ours and owner) or (wanted and set(wanted[0]) == set(published)):
        return [], []
    return (
        [f"the publication {name} is not of just the tables to follow, and the user {user} can't change it"],
        [f"alter publication {quoted(name)} set table {names}"],
    )


def quoted(*names: str) -> str:
    """An identifier, or several with dots between them, as SQL takes it."""
    return sql.Identifier(*names).as_string(None)


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("select current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])

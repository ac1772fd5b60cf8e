"""Reading the source: PostgreSQL's catalogue, its rows, and where its log stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.types.numeric import Int4BinaryLoader, Int8BinaryLoader

from parrot_faust.errors import SourceUnavailable
from parrot_faust.masking import way_of
from parrot_faust.verify.hashing import Batch
from parrot_faust.verify.plan import ColumnPlan, SourceColumn, TablePlan
from parrot_faust.verify.scope import Scope
from parrot_faust.verify.stored import NAN, Column, Logical, array_text, each, without_zeros

FETCH_ROWS = 20_000
FETCH_BYTES = 8 << 20
LOOKUP_KEYS = 500
CONNECT_TIMEOUT_S = 10
#: PostgreSQL counts from 2000-01-01, everything else here from 1970-01-01.
_DAYS, _MICROS = 10_957, 946_684_800_000_000
# What the source's infinities are in the stores: the moments that Debezium sends for them.
_INFINITY = {2**63 - 1: 9_223_372_036_825_200_000, -(2**63): -9_223_372_036_832_400_000}

_COLUMNS = """
select a.attname, coalesce(e.typname, b.typname), coalesce(e.typtype, b.typtype)::text, b.typcategory = 'A',
  case when t.typtype = 'd' and a.atttypmod < 0 then t.typtypmod else a.atttypmod end,
  format_type(a.atttypid, a.atttypmod), a.attgenerated <> ''
from pg_attribute a
join pg_type t on t.oid = a.atttypid
join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
left join pg_type e on b.typcategory = 'A' and e.oid = b.typelem
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_KEY = """
select a.attname from pg_index i, unnest(i.indkey::int2[]) with ordinality k(number, place)
join pg_attribute a on a.attnum = k.number
where i.indrelid = %(table)s::regclass and i.indisprimary and a.attrelid = %(table)s::regclass order by k.place
"""
_TABLES = """
select n.nspname, c.relname, greatest(c.reltuples, 0)::bigint, pg_relation_size(c.oid), pg_table_size(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not like 'pg\\_%%'
  and n.nspname <> 'information_schema'
order by 1, 2
"""


class Source:
    """A connection to the source database. Reads only, but for `mark`."""

    def __init__(self, parameters: dict[str, Any], mask_key: str = "") -> None:
        self._mask_key = mask_key.encode()
        try:
            self._connection: psycopg.Connection[Any] = psycopg.connect(
                **{"connect_timeout": CONNECT_TIMEOUT_S, **parameters}, autocommit=True
            )
        except psycopg.Error as error:
            raise SourceUnavailable(_first_line(error)) from None
        # The server's own numbers for moments and days: exact, beyond the years that Python's types end at, and fast.
        for name, loader in (
            ("timestamptz", Int8BinaryLoader),
            ("timestamp", Int8BinaryLoader),
            ("time", Int8BinaryLoader),
            ("date", Int4BinaryLoader),
        ):
            self._connection.adapters.register_loader(name, loader)
        self._database = self._connection.info.dbname

    @property
    def database(self) -> str:
        """The database's name."""
        return self._database

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    # -- the catalogue -----------------------------------------------------------------------------------------------

    def tables(self) -> list[tuple[str, str, int, int]]:
        """Every table: schema, name, about how many rows it has, and how many bytes a row."""
        with _errors():
            found = self._connection.execute(_TABLES).fetchall()
        # A table that was never analysed has no estimate; 60 bytes are a short row.
        estimated = [(schema, name, rows or size // 60, whole) for schema, name, rows, size, whole in found]
        return [(schema, name, rows, whole // rows if rows else 100) for schema, name, rows, whole in estimated]

    def columns(self, schema: str, table: str) -> list[SourceColumn]:
        """A table's columns in their order."""
        with _errors():
            return [SourceColumn(*row) for row in self._connection.execute(_COLUMNS, (_quoted(schema, table),))]

    def key(self, schema: str, table: str) -> tuple[str, ...]:
        """The primary key's columns in key order, none when there is no such key."""
        with _errors():
            found = self._connection.execute(_KEY, {"table": _quoted(schema, table)}).fetchall()
        return tuple(name for (name,) in found)

    def unlike(self, _plan: TablePlan) -> dict[str, str]:
        """Columns that the source holds in another form: none, it is what the others are held against."""
        return {}

    # -- rows --------------------------------------------------------------------------------------------------------

    def scan(self, plan: TablePlan, scope: Scope) -> Iterator[Batch]:
        """All rows in scope, as of one moment."""
        columns = sql.SQL(", ").join(_selected(column) for column in plan.columns)
        sample: sql.Composable = sql.SQL("")
        if scope.sample is not None:
            # Pages of a large table, rows of a small one, in which a page is too much of it.
            method = "system" if plan.rows > 1_000_000 else "bernoulli"
            sample = sql.SQL(f" tablesample {method} ({{}})").format(sql.Literal(scope.sample * 100))
        where = _since(plan, scope)
        query = sql.SQL("select {} from {}.{}{}{}").format(
            columns, sql.Identifier(plan.schema), sql.Identifier(plan.relation), sample, where
        )
        with _errors(), self._connection.transaction():
            self._connection.execute("set transaction isolation level repeatable read, read only")
            with self._connection.cursor(f"parrot_verify_{uuid4().hex[:8]}", binary=True) as cursor:
                cursor.execute(query)
                convert = _converter(plan.columns, self._mask_key)
                while rows := cursor.fetchmany(plan.batch(FETCH_ROWS, FETCH_BYTES)):
                    yield _keyed(plan, convert(rows))

    def fetch(self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """The rows of these keys that exist."""
        return {key: row for key, (row, _) in self.fetch_marked(plan, keys).items()}

    def fetch_marked(
        self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], tuple[tuple[Any, ...], str]]:
        """The rows of these keys, each with the transaction and place that tell it from another of the same values."""
        found: dict[tuple[Any, ...], tuple[tuple[Any, ...], str]] = {}
        columns = sql.SQL(", ").join(_selected(column) for column in plan.columns)
        convert = _converter(plan.columns, self._mask_key)
        usable = [key for key in keys if len(key) == plan.keys and not any(isinstance(part, tuple) for part in key)]
        for first in range(0, len(usable), LOOKUP_KEYS):
            part = usable[first : first + LOOKUP_KEYS]
            query = sql.SQL("select {}, xmin::text || ctid::text from {}.{} where {}").format(
                columns, sql.Identifier(plan.schema), sql.Identifier(plan.relation), keys_condition(plan, part)
            )
            with _errors(), self._connection.cursor(binary=True) as cursor:
                raw = cursor.execute(query).fetchall()
            rows = convert([row[:-1] for row in raw])
            for row, (*_, mark) in zip(rows, raw, strict=True):
                found[row[: plan.keys]] = (row, mark)
        return found

    def condition(self, plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> str:
        """SQL that is true for exactly these keys."""
        return keys_condition(plan, keys).as_string(self._connection)

    # -- the log -----------------------------------------------------------------------------------------------------

    def position(self) -> int:
        """Where the log ends now: every commit that a read has seen is before it."""
        with _errors():
            found = self._connection.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        return int(found[0]) if found else 0

    def mark(self, prefix: str, text: str) -> int:
        """Write a message into the log, which a connector passes on in order, and return its position."""
        with _errors():
            found = self._connection.execute(
                "select pg_logical_emit_message(true, %s, %s) - '0/0'::pg_lsn", (prefix, text)
            ).fetchone()
        return int(found[0]) if found else 0

    def confirmed(self, slot: str) -> int | None:
        """Up to which position a slot's reader has confirmed what it got, None when there is no such slot."""
        with _errors():
            found = self._connection.execute(
                "select confirmed_flush_lsn - '0/0'::pg_lsn from pg_replication_slots where slot_name = %s", (slot,)
            ).fetchone()
        return None if found is None or found[0] is None else int(found[0])


def _selected(column: ColumnPlan) -> sql.Composable:
    name = _identifier(column)
    if column.type in ("uuid", "json", "jsonb", "xml", "enum", "citext") and column.logical is Logical.TEXT:
        return sql.SQL("{}::text").format(name)
    if column.logical is Logical.DECIMAL:
        return sql.SQL("{}::text").format(name)
    if column.element in (Logical.DECIMAL, Logical.TEXT):
        return sql.SQL("{}::text[]").format(name)
    return name


def _identifier(column: ColumnPlan) -> sql.Identifier:
    return sql.Identifier(column.at_source or column.name)


def _converter(columns: Sequence[ColumnPlan], mask_key: bytes) -> Any:
    """What turns the driver's rows into rows of values; only the columns that need it are touched."""
    found: list[tuple[int, Column]] = []
    for position, column in enumerate(columns):
        if column.logical is Logical.ARRAY:
            found.append((position, each(_array(column.element))))
        elif column.logical is Logical.DECIMAL:
            if column.scale is None:
                found.append((position, each(_unscaled)))
        elif column.logical in _CONVERT:
            found.append((position, each(_CONVERT[column.logical])))
        if column.mask:
            found.append((position, each(_mask(column, mask_key))))
    if not found:
        return lambda rows: rows

    def convert(rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        if not rows:
            return rows
        by_column: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for position, change in found:
            by_column[position] = change(by_column[position])
        return list(zip(*by_column, strict=True))

    return convert


def _unscaled(text: str) -> str | None:
    """A number without a declared scale as the connector sends it: what is no finite number arrives as null."""
    return without_zeros(text) if text[-1].isdigit() else None


def _mask(column: ColumnPlan, key: bytes) -> Callable[[Any], Any]:
    mask = way_of(column.mask, key).mask
    if column.logical is Logical.DECIMAL:
        return lambda value: mask(Decimal(value))  # is masked as the text that its digits and its exponent make
    return mask


def _array(element: Logical | None) -> Any:
    convert = _CONVERT.get(element) if element else None

    def text(values: list[Any]) -> str:
        if convert is not None:
            values = [None if value is None else convert(value) for value in values]
        return array_text(values, element)

    return text


_CONVERT: dict[Logical, Any] = {
    Logical.DATE: lambda value: value + _DAYS,
    Logical.MOMENT: lambda value: _INFINITY.get(value) or value + _MICROS,
    Logical.FLOAT32: lambda value: NAN if value != value else value,
    Logical.FLOAT64: lambda value: NAN if value != value else value,
}


def _keyed(plan: TablePlan, rows: Sequence[tuple[Any, ...]]) -> Batch:
    return [row[: plan.keys] for row in rows], rows


# -- keys in SQL -------------------------------------------------------------------------------------------------------


def keys_condition(plan: TablePlan, keys: Sequence[tuple[Any, ...]]) -> sql.Composed:
    """SQL that is true for exactly these keys, with the values in it: what a connector's condition is made of too."""
    names = [_identifier(column) for column in plan.key]
    rows = [
        sql.SQL("({})").format(
            sql.SQL(", ").join(_value(column, value) for column, value in zip(plan.key, key, strict=True))
        )
        for key in keys
    ]
    return sql.SQL("({}) in ({})").format(sql.SQL(", ").join(names), sql.SQL(", ").join(rows))


def _value(column: ColumnPlan, value: Any) -> sql.Composable:
    if column.logical is Logical.DATE:
        return sql.SQL("(date '1970-01-01' + {})").format(sql.Literal(value))
    if column.logical is Logical.MOMENT:
        # Multiplied in two parts: an interval takes a float, which has no place for all the digits.
        zone = "timestamptz '1970-01-01 00:00:00Z'" if column.type == "timestamptz" else "timestamp '1970-01-01'"
        seconds, micros = divmod(value, 1_000_000)
        return sql.SQL(f"({zone} + {{}} * interval '1 second' + {{}} * interval '1 microsecond')").format(
            sql.Literal(seconds), sql.Literal(micros)
        )
    if column.logical is Logical.TIME:
        return sql.SQL("(time '00:00' + {} * interval '1 microsecond')").format(sql.Literal(value))
    if column.logical is Logical.DECIMAL:
        return sql.SQL("{}::numeric").format(sql.Literal(Decimal(value)))
    if column.logical is Logical.TEXT:
        # Without the type's length, which would cut what is too long instead of finding nothing.
        kind = {"uuid": "uuid", "bpchar": "bpchar", "citext": "citext", "enum": column.sql}.get(column.type, "text")
        return sql.Composed([sql.Literal(value), sql.SQL("::"), sql.SQL(kind)])
    return sql.Literal(value)


def _since(plan: TablePlan, scope: Scope) -> sql.Composable:
    if scope.since is None:
        return sql.SQL("")
    first = plan.key[0]
    name: sql.Composable = _identifier(first)
    if first.logical is Logical.TEXT:
        # As bytes sort, which is how the stores compare texts.
        condition = sql.SQL('{}::text collate "C" >= {}').format(name, sql.Literal(scope.since))
    else:
        condition = sql.SQL("{} >= {}").format(name, _value(first, scope.since))
    return sql.SQL(" where {}").format(condition)


def _quoted(schema: str, table: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise SourceUnavailable(_first_line(error)) from None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__

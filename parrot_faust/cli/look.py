"""`parrot sql` and `parrot rows`: looking at the source and at the stores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import happybase
import psycopg

from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import json_option
from parrot_faust.cli.lying import history_in, lying
from parrot_faust.cli.progress import Waiting
from parrot_faust.demo import stores
from parrot_faust.demo.broker import Broker
from parrot_faust.distribution import Addresses, Local
from parrot_faust.errors import DistributionError


@click.command()
@click.argument("statement", required=False)
@json_option("a list of rows")
def sql(statement: str | None, as_json: bool) -> None:
    """Run a STATEMENT on the local PostgreSQL, or ask for statements until an empty line."""
    addresses = Local.here().addresses()
    try:
        with psycopg.connect(**addresses.postgres, autocommit=True, connect_timeout=5) as connection:
            if statement:
                _run(connection, statement, as_json)
                return
            while text := click.prompt("shop", default="", show_default=False, prompt_suffix="> "):
                try:
                    _run(connection, text, as_json)
                except psycopg.Error as error:
                    terminal.fail(str(error).strip())
    except psycopg.OperationalError as error:
        raise DistributionError(f"PostgreSQL does not answer ({error}); start it with `parrot up postgres`") from None
    except psycopg.Error as error:
        raise DistributionError(str(error).strip()) from None


def _run(connection: psycopg.Connection[Any], statement: str, as_json: bool) -> None:
    cursor = connection.execute(statement)
    if cursor.description is None:
        if as_json:
            terminal.print_json({"status": cursor.statusmessage})
        else:
            terminal.done(cursor.statusmessage or "")
        return
    _show([column.name for column in cursor.description], cursor.fetchall(), as_json)


@click.command()
@click.argument("store", type=click.Choice(["kudu", "hbase"]))
@click.argument("table")
@click.option("--key", help="Only the row with this key; several key columns are joined with |.")
@click.option("--limit", default=20, show_default=True, help="How many rows to show.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="The settings file, else PARROT_CONFIG."
)
@json_option("a list of rows")
def rows(store: str, table: str, key: str | None, limit: int, config: Path | None, as_json: bool) -> None:
    """Show rows of a TABLE in a store: its topic (shop.public.orders), or the end of that (public.orders).

    The store is that of the settings; where there are none, the local distribution's, with the demo's tables. Rows are
    those of the newest generation of the table; a value that lies in a column of an earlier type names it.
    """
    with Waiting(f"reading {table} in {store}"):
        if config is not None or os.environ.get("PARROT_CONFIG") or Path("parrot.yaml").exists():
            from parrot_faust.cli.stored_rows import rows_in  # loads Faust
            from parrot_faust.settings import load

            names, chosen = rows_in(load(config), store, table, key, limit)
        else:
            names, found = _rows(Local.here(), store, table)
            chosen = [row for identity, row in found if key is None or "|".join(map(str, identity)) == key]
    _show(names, chosen[:limit], as_json)


def _rows(local: Local, store: str, table: str) -> tuple[list[str], list[tuple[tuple[Any, ...], tuple[Any, ...]]]]:
    """The columns of a table as the source has them, and the rows of the store with their keys, in order."""
    addresses = local.addresses()
    schema, relation = ["public", *table.split(".")][-2:]
    name = f"{schema}.{relation}"
    with psycopg.connect(**addresses.postgres, autocommit=True, connect_timeout=5) as connection:
        types = stores.columns(connection, relation, schema)
        keys = _key_columns(connection, f'"{schema}"."{relation}"')
        there = [] if types else _tables(connection)
    if not types:
        raise DistributionError(f"the source has no table {name}; it has {', '.join(there) or 'none'}")
    history = history_in(Broker(addresses.kafka), name) if "kafka" in local.running() else None
    places = lying(history, store, types)
    target = places.target(name)
    read = stores.kudu_rows if store == "kudu" else stores.hbase_rows
    if store == "hbase":
        _check_exists(addresses, target)
    found = read(addresses, target, places.types, keys)
    return list(types), [(identity, places.row(row)) for identity, row in sorted(found.items())]


def _check_exists(addresses: Addresses, target: str) -> None:
    host, port = addresses.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port), timeout=10_000)
    try:
        names = [name.decode() for name in connection.tables()]
    finally:
        connection.close()
    if target not in names:
        raise DistributionError(f"HBase has no table {target}; it has {', '.join(names) or 'none'}")


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute(
        "select schemaname || '.' || tablename from pg_tables "
        "where schemaname not in ('pg_catalog', 'information_schema') order by 1"
    )
    return [name for (name,) in found.fetchall()]


def _key_columns(connection: psycopg.Connection[Any], table: str) -> list[str]:
    found = connection.execute(
        "select a.attname from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey) "
        "where i.indrelid = to_regclass(%s) and i.indisprimary order by array_position(i.indkey, a.attnum)",
        (table,),
    )
    return [name for (name,) in found.fetchall()]


def _show(names: list[str], found: list[tuple[Any, ...]], as_json: bool) -> None:
    if as_json:
        rows = [dict(zip(names, row, strict=True)) for row in found]
        terminal.print_json(rows)
        return
    table = terminal.Table(*names)
    for row in found:
        table.add_row(*("[dim]null[/]" if value is None else _short(value) for value in row))
    terminal.result().print(table)


def _short(value: Any) -> str:
    text = str(value).replace("[", "\\[")
    return text if len(text) <= 60 else f"{text[:57]}..."

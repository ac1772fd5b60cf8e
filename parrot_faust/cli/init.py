"""`parrot init`: settings to begin with, from the database and the servers that are there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from parrot_faust.beginning import Places, Source, connector_json, look_at, parrot_yaml
from parrot_faust.beginning.files import PASSWORD, slot_of
from parrot_faust.cli import terminal
from parrot_faust.cli.conventions import end, ends_with, json_option
from parrot_faust.cli.progress import Waiting
from parrot_faust.connect import Connect
from parrot_faust.distribution import Local
from parrot_faust.errors import DistributionError, SettingsError
from parrot_faust.names import table_topic

UNFIT = 2  # exit status when the files are written but the database is not ready to be captured


@click.command()
@click.option("--postgres", help="The database, as URL or libpq string; without it only parrot.yaml is written.")
@click.option("--schema", "schemas", multiple=True, help="Only tables of this schema; may be given more than once.")
@click.option("--prefix", default="source", show_default=True, help="What the topics' names begin with.")
@click.option("--app", default="parrot", show_default=True, help="Names the consumer group and the own topics.")
@click.option("--brokers", help="Kafka, host:port with commas.")
@click.option("--registry", help="Schema registry, Confluent's API.")
@click.option("--connect", "connect", envvar="PARROT_CONNECT", help="Kafka Connect, asked for its converters.")
@click.option("--kudu", help="Kudu's master, host:port.")
@click.option("--hbase", help="HBase's Thrift servers: host:port,host:port for the first and the second API.")
@click.option("--local", "use_local", is_flag=True, help="Take what is not named from the local distribution.")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder to write to."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@json_option("the files, the tables, what hinders, and what to do next")
@ends_with({UNFIT: "the files are written, and the database is not ready to be captured"})
def init(
    postgres: str | None,
    schemas: tuple[str, ...],
    prefix: str,
    app: str,
    brokers: str | None,
    registry: str | None,
    connect: str | None,
    kudu: str | None,
    hbase: str | None,
    use_local: bool,
    folder: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Write a parrot.yaml with its reasons and, for a PostgreSQL database, the connector that captures it.

    No password is written: the connector takes it from the environment variable PARROT_SOURCE_PASSWORD, and so does
    this command if the address has none.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,50}", prefix):
        raise SettingsError(f"{prefix!r} can't begin topics' names: use letters, digits, _ and -")
    places = _places(brokers, registry, kudu, hbase, use_local)
    with Waiting("looking at the database"):
        password = os.environ.get(PASSWORD, "")
        source = look_at(postgres, schemas, publication=slot_of(prefix), password=password) if postgres else None
    files = {"parrot.yaml": parrot_yaml(app, _pattern(prefix, source, schemas), places, source, prefix)}
    if source is not None and source.followed:  # a connector without a list would take every table
        where = connect or (Local.here().addresses().connect if use_local else None)
        converters = Connect(where).converters() if where else ()
        files["connector.json"] = connector_json(source, prefix, places, converters)
    if not force and (there := [name for name in files if (folder / name).exists()]):
        raise SettingsError(
            f"{' and '.join(there)} exist in {folder.resolve()}: name another folder with --to, or --force"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    if as_json:
        terminal.print_json(_view(folder, files, prefix, source))
    else:
        _say(folder, files, prefix, source)
    if source is not None and source.hindered:
        end(UNFIT)


def _places(brokers: str | None, registry: str | None, kudu: str | None, hbase: str | None, use_local: bool) -> Places:
    thrift, _, thrift2 = (hbase or "").partition(",")
    if hbase and not thrift2:
        raise SettingsError("--hbase needs both Thrift servers: host:port,host:port")
    if use_local:
        there = Local.here().addresses()
        own = registry is None
        return Places(
            brokers=brokers or there.kafka,
            registry=there.registry if registry is None else registry,
            native=there.registry_native if own else _native(registry or ""),
            kudu=kudu or there.kudu_masters[0],
            replicas=3 if kudu else 1,  # the distribution has one tablet server
            hbase=thrift or there.hbase_thrift,
            hbase2=thrift2 or there.hbase_thrift2,
        )
    if not brokers:
        raise DistributionError("name Kafka with --brokers, or take the local distribution's with --local")
    if not (kudu or hbase):
        raise DistributionError("name a store with --kudu or --hbase, or take the local distribution's with --local")
    return Places(brokers, registry or "", _native(registry or ""), kudu or "", 3, thrift, thrift2)


def _native(registry: str) -> str:
    """An Apicurio registry's own API, where the address is that of its Confluent one."""
    base, found, _ = registry.partition("/apis/ccompat/")
    return f"{base}/apis/registry/v2" if found else ""


def _pattern(prefix: str, source: Source | None, schemas: tuple[str, ...]) -> str:
    schemas = schemas or tuple({table.schema for table in source.tables} if source else ())
    named = sorted({table_topic(prefix, name, "").split(".")[1] for name in schemas})
    begin = re.escape(prefix).replace("\\-", "-")
    if not named:
        return rf"{begin}\..*"
    alternatives = "|".join(re.escape(name) for name in named)
    return rf"{begin}\.{alternatives}\..*" if len(named) == 1 else rf"{begin}\.({alternatives})\..*"


def _view(folder: Path, files: dict[str, str], prefix: str, source: Source | None) -> dict[str, Any]:
    tables = [
        {"schema": one.schema, "name": one.name, "key": one.key, "rows": one.rows, "problem": one.problem}
        for one in (source.tables if source else ())
    ]
    return {
        "written": [str(folder / name) for name in files],
        "tables": tables,
        "problems": list(source.hindered) if source else [],
        "statements": list(source.cures) if source else [],
        "next": _steps(folder, prefix, source),
    }


def _say(folder: Path, files: dict[str, str], prefix: str, source: Source | None) -> None:
    console = terminal.result()
    terminal.done(f"written: {', '.join(str(folder / name) for name in files)}")
    if source is not None:
        table = terminal.Table("table", "key", "rows", "remark")
        for one in source.tables:
            note = f"[red]{escape(one.problem)}[/]" if one.problem else f"[dim]{escape(one.remark)}[/]"
            rows = "?" if one.rows is None else f"{one.rows:,}"
            table.add_row(escape(f"{one.schema}.{one.name}"), escape(", ".join(one.key)), rows, note)
        terminal.done(f"PostgreSQL {source.version}, database {source.database}:")
        console.print(table)
        for problem in source.hindered:
            console.print(f"[red]✗[/] {escape(problem)}")
        if source.cures:
            statements = (f"  {one};" for one in source.cures)
            terminal.done("\n".join(("Let who may do it run, in this database:", *statements)))
    terminal.done("\n".join(("Next:", *(f"  {step}" for step in _steps(folder, prefix, source)))))


def _steps(folder: Path, prefix: str, source: Source | None) -> list[str]:
    """What to run next."""
    steps = [f"PARROT_CONFIG={folder / 'parrot.yaml'} faust -A parrot_faust worker"]
    if source is None:
        return steps
    if source.hindered:
        return ["the same command again with --force, when this is put right"]
    return [
        f"export {PASSWORD}=...",
        f"parrot connector create {prefix} {folder / 'connector.json'}",
        f"parrot check --config {folder / 'parrot.yaml'}",
        *steps,
    ]

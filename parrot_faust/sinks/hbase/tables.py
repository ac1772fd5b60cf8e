"""Making HBase's tables and families, and telling when one that is there does not fit. Columns need no making.

What row keys look like can't be seen in a table: it is noted on the table when it is made, as ``parrot.row_key`` and
``parrot.salt``. A table without the notes is taken to have text keys without salt, as all had before there were any.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import AppliedDdl, PlannedDdl, TableSchema
from parrot_faust.creation import HBaseFamily, RowKeyForm
from parrot_faust.errors import SinkUnavailable, TableRefused
from parrot_faust.sinks.hbase.rowkeys import cuts
from parrot_faust.sinks.hbase.servers import NAME, Servers, unavailable
from parrot_faust.sinks.hbase.settings import HBaseSettings
from parrot_faust.sinks.hbase.shape import api
from parrot_faust.sinks.naming import not_made

ROW_KEY, SALT = b"parrot.row_key", b"parrot.salt"
EXISTS = "TableExistsException"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a table is to be. `families` are those that its columns go to."""

    families: Mapping[str, HBaseFamily]
    form: RowKeyForm
    salt: int
    splits: tuple[bytes, ...]
    create: bool

    @property
    def notes(self) -> dict[bytes, bytes]:
        """What is noted on the table; nothing where a reader would take it to be so."""
        plain = self.form == "text" and self.salt == 1
        return {} if plain else {ROW_KEY: self.form.encode(), SALT: b"%d" % self.salt}


def wanted_of(settings: HBaseSettings, schema: TableSchema) -> Wanted:
    """What the settings say of the table of `schema`. Raise TableRefused when settings of several places do not fit."""
    table, family_of = settings.of(schema.table), settings.families_of(schema)
    form, salt = table.row_key or "text", table.salt or 1
    binary = form == "binary"
    try:
        splits = [bytes.fromhex(text) if binary else text.encode() for text in table.splits]
    except ValueError as error:
        raise TableRefused(schema.table, f"`splits` are no binary row keys in hexadecimal: {error}") from None
    names = dict.fromkeys(
        [settings.family_of(schema.table), *(family_of(each.name).decode() for each in schema.columns)]
    )
    return Wanted(
        {name: table.families.get(name, HBaseFamily()) for name in names},
        form,
        salt,
        tuple(cuts(salt, binary=binary) or sorted(set(splits))),
        table.create is not False,
    )


def fit(servers: Servers, schema: TableSchema, target: str, wanted: Wanted, deadline: float) -> list[AppliedDdl]:
    """Make the table, or the families it lacks; return what was done, nothing when another one did it meanwhile.

    Raise TableRefused when the table is there and its row keys are others, SinkUnavailable when it is missing and not
    to be made.
    """
    began = time.monotonic()

    def done(change: str, names: list[str]) -> AppliedDdl:
        return AppliedDdl(schema.table, target, change, f"family {', '.join(names)}", time.monotonic() - began)

    with servers.tables(deadline) as connection:
        missing = target.encode() not in connection.tables()
    if missing:
        if not wanted.create:
            raise SinkUnavailable(NAME, not_made(_creation(schema, target, wanted)))
        if _create(servers, schema, target, wanted, deadline):
            return [done("CreateTable", list(wanted.families))]
    lacking = _lacking(servers, schema, target, wanted, deadline)
    return [done("AddColumn", [name]) for name in lacking if _add_family(servers, target, name, wanted, deadline)]


def planned(servers: Servers, schema: TableSchema, target: str, wanted: Wanted, deadline: float) -> list[PlannedDdl]:
    """What `fit` would do, in the words of HBase's shell."""
    with servers.tables(deadline) as connection:
        missing = target.encode() not in connection.tables()
    if missing:
        return [_creation(schema, target, wanted)]
    return [
        PlannedDdl(schema.table, target, "AddColumn", f"alter '{target}', {_family_text(name, wanted)}")
        for name in _lacking(servers, schema, target, wanted, deadline)
    ]


def _creation(schema: TableSchema, target: str, wanted: Wanted) -> PlannedDdl:
    parts = [f"create '{target}'", *(_family_text(name, wanted) for name in wanted.families)]
    if wanted.splits:
        parts.append(f"SPLITS => [{', '.join(_shell(key) for key in wanted.splits)}]")
    if wanted.notes:
        notes = ", ".join(f"'{name.decode()}' => '{value.decode()}'" for name, value in wanted.notes.items())
        parts.append(f"METADATA => {{{notes}}}")
    return PlannedDdl(schema.table, target, "CreateTable", ", ".join(parts))


def _family_text(name: str, wanted: Wanted) -> str:
    family = wanted.families[name]
    more = "" if family.compression == "none" else f", COMPRESSION => '{family.compression.upper()}'"
    return f"{{NAME => '{name}', VERSIONS => {family.versions}{more}}}"


def _shell(key: bytes) -> str:
    plain = key.isascii() and key.decode().isprintable() and not set(key) & set(b'"\\#')
    return '"' + (key.decode() if plain else "".join(f"\\x{byte:02x}" for byte in key)) + '"'


def _lacking(servers: Servers, schema: TableSchema, target: str, wanted: Wanted, deadline: float) -> list[str]:
    """The families that a table lacks. Raise TableRefused when it does not fit, with every difference."""
    try:
        there = servers.write("getTableDescriptor", deadline, api.TTableName(qualifier=target.encode()))
    except api.TIOError as error:
        raise unavailable(error) from None
    notes = there.attributes or {}
    form, salt = notes.get(ROW_KEY, b"text").decode(), notes.get(SALT, b"1").decode()
    lacking = [name for name in wanted.families if name.encode() not in {each.name for each in there.columns or ()}]
    reasons = []
    if form != wanted.form:
        reasons.append(f"its row keys are {form} there and {wanted.form} here (`row_key`)")
    if salt != str(wanted.salt):
        reasons.append(f"its row keys have a salt of {salt} there and {wanted.salt} here (`salt`)")
    if lacking and not wanted.create:
        reasons.append(f"it has no family {', '.join(lacking)}, and `create: false` leaves making it to you")
    if reasons:
        raise TableRefused(schema.table, f"HBase's table {target} does not fit: {'; '.join(reasons)}")
    return lacking


def _create(servers: Servers, schema: TableSchema, target: str, wanted: Wanted, deadline: float) -> bool:
    """Whether it was made here. Raise TableRefused when HBase does not take what was asked for."""
    described = api.TTableDescriptor(
        tableName=api.TTableName(qualifier=target.encode()),
        columns=[_descriptor(name, wanted) for name in wanted.families],
        attributes=wanted.notes,
    )
    try:
        servers.write("createTable", deadline, described, list(wanted.splits) or None)
    except api.TIOError as error:
        if EXISTS in (error.message or ""):
            return False
        raise _not_taken(schema, error, wanted) from None
    return True


def _not_taken(schema: TableSchema, error: Any, wanted: Wanted) -> TableRefused | SinkUnavailable:
    """Why a table could not be made: a compression that the cluster lacks stays lacking, all else may pass."""
    used = sorted({each.compression for each in wanted.families.values()} - {"none"})
    if used and "sanity checks" in (error.message or ""):
        first = error.message.splitlines()[0].partition(" Set hbase.table")[0]
        return TableRefused(schema.table, f"this HBase does not offer the compression {', '.join(used)}: {first}")
    return unavailable(error)


def _add_family(servers: Servers, target: str, family: str, wanted: Wanted, deadline: float) -> bool:
    name = api.TTableName(qualifier=target.encode())
    try:
        servers.write("addColumnFamily", deadline, name, _descriptor(family, wanted))
    except api.TIOError as error:
        if "already exist" in (error.message or ""):
            return False
        raise unavailable(error) from None
    return True


def _descriptor(name: str, wanted: Wanted) -> Any:
    family = wanted.families[name]
    return api.TColumnFamilyDescriptor(
        name=name.encode(),
        compressionType=getattr(api.TCompressionAlgorithm, family.compression.upper()),
        maxVersions=family.versions,
    )

"""Where one row is: in each store, held back and by what, on its way, deleted, or never seen.

Looks at the newest records of the source topic only, within a bound, and at the key's columns of the stores only, so
that it costs little. It needs no source database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from models import Kind, TableSchema
from parrot_faust.creation import HBaseTable
from parrot_faust.errors import SettingsError, SinkUnavailable
from parrot_faust.names import Names
from parrot_faust.settings import Settings
from parrot_faust.verify.access import broker_of, schemas_of
from parrot_faust.verify.broker import Broker, Found, Offsets
from parrot_faust.verify.differences import Key
from parrot_faust.verify.hbase import HBase
from parrot_faust.verify.held import Held, Keys, held_of
from parrot_faust.verify.kudu import Kudu
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.readers import Reader, Unreadable
from parrot_faust.verify.stored import Logical

LOOKED_AT = 100_000  # records of the source topic, from its end
READ_TIMEOUT_S = 10.0

LOGICAL = {
    Kind.BOOL: Logical.BOOL,
    Kind.INT16: Logical.INT16,
    Kind.INT32: Logical.INT32,
    Kind.INT64: Logical.INT64,
    Kind.STRING: Logical.TEXT,
}


class Last(NamedTuple):
    """The newest record of a key. `deletes` says that it is a tombstone, which follows a delete."""

    partition: int
    offset: int
    deletes: bool


def key_of(shape: TableSchema, text: str) -> Key:
    """The key that a person has typed: its values with | between them. Raise SettingsError for what is none."""
    kinds = {column.name: column.kind for column in shape.columns}
    parts = text.split("|") if len(shape.key) > 1 else [text]
    if len(parts) != len(shape.key):
        raise SettingsError(f"the key has {len(shape.key)} columns: type {'|'.join(shape.key)}")
    values: list[Any] = []
    for name, part in zip(shape.key, parts, strict=True):
        kind = kinds[name]
        if kind not in LOGICAL:
            raise SettingsError(f"{name} is a {kind.value}, by which rows can't be looked up here")
        if kind is Kind.STRING:
            values.append(part)
        elif kind is Kind.BOOL:
            values.append(part.strip().lower() in ("true", "t", "1"))
        else:
            try:
                values.append(int(part))
            except ValueError:
                raise SettingsError(f"{name} is a whole number, and {part!r} is none") from None
    return tuple(values)


def plan_of(shape: TableSchema, targets: Mapping[str, str], hbase: HBaseTable) -> TablePlan:
    """The table with the columns of its key alone."""
    by_name = {column.name: column for column in shape.columns}
    columns = tuple(
        ColumnPlan(each.name, LOGICAL[each.kind], each.kind.value, each.kind.value, scale=each.scale)
        for each in (by_name[name] for name in shape.key)
    )
    family = hbase.family or "d"
    plan = TablePlan(shape.table, shape.namespace, shape.relation, columns, len(columns), dict(targets), family)
    return msgspec.structs.replace(plan, row_key=hbase.row_key or "text", salt=hbase.salt or 1)


def told(
    there: Mapping[str, bool | str],
    last: Last | None,
    held: Sequence[Held],
    taken: bool,
    written: Mapping[str, bool],
) -> dict[str, dict[str, str]]:
    """What is to be said of each store. `there` says whether it has the row, or why that is not known; `taken` that the
    newest record was read by the workers, `written` that all that waited for a store was applied.
    """
    found = {}
    for store, present in there.items():
        if isinstance(present, str):
            found[store] = {"state": "not known", "words": present}
            continue
        reason = _reason(store, last, held, taken, written.get(store, True))
        if present:
            state = "applied" if reason is None else "older"
            words = "the row is there" if reason is None else f"the row is there as it was before: {reason[1]}"
        elif reason is not None:
            state, words = reason
        elif last is None:
            state, words = "never seen", f"none of the newest {LOOKED_AT:,} records of its topic has this key"
        elif last.deletes:
            state, words = "deleted", "the source has deleted it"
        else:
            state = "missing"
            words = "it was taken, and a rule has dropped it or the source has deleted it; `parrot verify` says more"
        found[store] = {"state": state, "words": words}
    return found


def _reason(store: str, last: Last | None, held: Sequence[Held], taken: bool, written: bool) -> tuple[str, str] | None:
    for record in held:
        if record.sink in ("", store):
            if record.quarantined:
                return "quarantined", f"rule {record.rule} version {record.version} holds it back: {record.place}"
            return "dead letter", f"{record.error}: {record.message} ({record.place})"
    if last is not None and not taken:
        return "in flight", "its newest change was not read by the workers yet"
    if last is not None and not written:
        return "in flight", f"changes wait for {store}, its newest one may be among them"
    return None


def trace(
    settings: Settings,
    shape: TableSchema,
    targets: Mapping[str, str],
    text: str,
    broker: Broker | None = None,
    without: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Find out where the row of a key is. Blocks for some seconds. Raise ParrotError where that can't be found out.

    `targets` are the tables that have the rows now, by store; `without` says of other stores why they have none.
    """
    masked = settings.tables[shape.table].mask if shape.table in settings.tables else {}
    if hidden := [name for name in shape.key if name in masked]:
        raise SettingsError(f"its key column {hidden[0]} is masked")
    key = key_of(shape, text)
    plan = plan_of(shape, targets, settings.hbase_table(shape.table) or HBaseTable())
    broker = broker or broker_of(settings)
    names = Names(settings.app)
    read_key = Keys(schemas_of(settings))
    with ExitStack() as stack:
        # Their processes begin while the topics are read.
        readers = {store: _reader(settings, store) for store in targets}
        for reader in readers.values():
            if reader is not None:
                stack.callback(reader.close)
        last, ends = _last(broker, plan, key, read_key)
        committed = broker.committed(settings.app)
        held = held_of(plan, [key], broker, names, read_key).get(key, [])
        writes = {store: broker.ends([names.writes(store)]) for store in targets}
        after = broker.committed(settings.app)
        there = {store: _there(reader, plan, key) for store, reader in readers.items()}
        there |= {store: f"it has no table for it: {why}" for store, why in without.items()}
    place = (shape.table, last.partition) if last else None
    return {
        "key": text,
        "last": None if last is None else {"partition": last.partition, "offset": last.offset},
        "records": sum(ends.values()),
        "stores": told(
            there,
            last,
            held,
            bool(last is None or (place and committed.get(place, 0) > last.offset)),
            {store: all(after.get(at, 0) >= end for at, end in some.items()) for store, some in writes.items()},
        ),
    }


def _last(
    broker: Broker, plan: TablePlan, key: Key, read_key: Callable[[bytes, tuple[str, ...]], Key | None]
) -> tuple[Last | None, Offsets]:
    names = tuple(column.name for column in plan.key)
    ends = broker.ends([plan.topic])
    each = LOOKED_AT // max(1, len(ends))
    newest: list[Last] = []

    def take(record: Found) -> None:
        if record.key is not None and read_key(record.key, names) == key:
            newest[:] = [Last(record.partition, record.offset, record.value is None)]

    broker.read(plan.topic, take, {partition: max(0, end - each) for (_, partition), end in ends.items()})
    return (newest[0] if newest else None), ends


def _reader(settings: Settings, store: str) -> Reader | None:
    """What reads a store in a process of its own, None where it can't be read."""
    kudu, hbase = settings.sinks.kudu, settings.sinks.hbase
    if store == "kudu" and kudu is not None:
        secured = (kudu.encryption, kudu.require_authentication, kudu.sasl_protocol)
        return Reader("kudu", Kudu, kudu.masters, READ_TIMEOUT_S, *secured)
    if store == "hbase" and hbase is not None and not hbase.http:
        return Reader("hbase", HBase, hbase.thrift, READ_TIMEOUT_S, hbase.tls)
    return None


def _there(reader: Reader | None, plan: TablePlan, key: Key) -> bool | str:
    """Whether a store has the row, or why it can't be said."""
    if reader is None:
        return "it can't be read here: HBase's Thrift servers speak HTTP"
    try:
        return key in reader.fetch(plan, [key])
    except (SinkUnavailable, Unreadable) as error:
        return str(error)

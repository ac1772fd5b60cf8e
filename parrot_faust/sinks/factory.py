"""Which sink a worker's process is to make, as data that travels to it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from models import TableSchema
from parrot_faust.sinks.base import Sink


class SinkSpec(msgspec.Struct, frozen=True):
    """A sink's kind and its settings in plain types."""

    kind: str
    settings: dict[str, Any]


def spec_of(kind: str, section: Any, tables: Mapping[str, Any]) -> SinkSpec:
    """The spec of a configured sink: its section of the settings, and what differs for single tables.

    Raise SettingsError here, in the worker, for what the sink's own process could not begin with.
    """
    plain = _plain(section)
    own = {name: {key: value for key, value in _plain(table).items() if value not in (None, {}, [])}
           for name, table in tables.items()}  # fmt: skip
    plain["tables"] = {name: table for name, table in own.items() if table}
    if kind == "kudu":
        from parrot_faust.sinks.kudu.settings import KuduSettings

        msgspec.convert(plain, KuduSettings)
    elif kind == "hbase":
        from parrot_faust.sinks.hbase.settings import HBaseSettings

        msgspec.convert(plain, HBaseSettings)
    return SinkSpec(kind, plain)


def _plain(section: Any) -> dict[str, Any]:
    """A section as it arrives in the process: lists for tuples."""
    plain: dict[str, Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(section))
    return plain


def namer(spec: SinkSpec) -> Callable[[TableSchema], str]:
    """What gives the name that a source table has in a store. It raises TableRefused when the store can't have such a
    table.
    """
    if spec.kind == "kudu":
        from parrot_faust.sinks.kudu.settings import KuduSettings

        return msgspec.convert(spec.settings, KuduSettings).target
    from parrot_faust.sinks.hbase.settings import HBaseSettings

    return msgspec.convert(spec.settings, HBaseSettings).target


def target_of(spec: SinkSpec, schema: TableSchema) -> str:
    """The name that a source table has in a store. Raise TableRefused when the store can't have such a table."""
    return namer(spec)(schema)


def load(spec: SinkSpec) -> None:
    """Import the sink's client library. It speaks to nobody, and may take longer on a busy machine than a lease."""
    if spec.kind == "kudu":
        importlib.import_module("kudu.client")
    elif spec.kind == "hbase":
        importlib.import_module("parrot_faust.sinks.hbase.sink")


def build(spec: SinkSpec) -> Sink:
    """Make the sink. Its client library is imported here, so only its own process pays for it."""
    if spec.kind == "kudu":
        from parrot_faust.sinks.kudu import KuduSettings, KuduSink

        return KuduSink(msgspec.convert(spec.settings, KuduSettings))
    if spec.kind == "hbase":
        from parrot_faust.sinks.hbase.settings import HBaseSettings
        from parrot_faust.sinks.hbase.sink import HBaseSink

        return HBaseSink(msgspec.convert(spec.settings, HBaseSettings))
    if spec.kind == "memory":
        from parrot_faust.sinks.memory import MemorySink

        return MemorySink()
    raise ValueError(f"there is no sink of kind {spec.kind!r}")

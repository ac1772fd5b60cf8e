"""Which tables of the stores a page looks into for the row of a key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from models import Column, Kind, TableSchema
from parrot_faust.observing import Observing
from parrot_faust.schema import STORES, Behaviour, Policy, SchemaHistory, SchemaSeen, Terms
from parrot_faust.schema.history import fold
from parrot_faust.sinks.factory import SinkSpec

TOPIC = "shop.public.t"
COLUMNS = (Column("id", Kind.INT32, False), Column("part", Kind.INT32, False))
SPECS = {
    "kudu": SinkSpec("kudu", {"masters": ["a:1"], "table": "{schema}.{table}"}),
    "hbase": SinkSpec("hbase", {"thrift": "a:1", "thrift2": "a:2", "table": "t"}),
}


def targets(*keys: tuple[str, ...], **policy: Any) -> tuple[dict[str, str], dict[str, str]]:
    history = SchemaHistory(None, ())
    for key in keys:
        shape = TableSchema.of(TOPIC, COLUMNS, key, namespace="public", relation="t")
        event = SchemaSeen(shape, TOPIC, 0, 0, "", (), 0)
        history = fold(history, event, Terms(Policy(**policy), tuple(STORES.values())))
    made = object.__new__(Observing)  # without the connections that its other answers need
    made._parts = SimpleNamespace(  # type: ignore[assignment]
        schemas=SimpleNamespace(history=lambda _: history),
        sinks_of=lambda _: tuple(SPECS),
        processes={name: SimpleNamespace(spec=spec) for name, spec in SPECS.items()},
    )
    return made.targets(TOPIC)


def test_it_is_the_newest_generation() -> None:
    assert targets() == ({}, {})
    assert targets(("id",)) == ({"kudu": "public.t", "hbase": "t"}, {})
    assert targets(("id",), ("id", "part")) == ({"kudu": "public.t__g2", "hbase": "t__g2"}, {})


def test_a_store_without_a_table_of_the_key_is_told_and_not_looked_into() -> None:
    found, without = targets(("id",), ("id", "part"), all=Behaviour.IGNORE)
    assert (found, set(without)) == ({}, set(SPECS))

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from parrot_faust.errors import SettingsError
from parrot_faust.settings import HBaseSection, HBaseTable, KuduSection, KuduTable
from parrot_faust.sinks.factory import SinkSpec, build, spec_of
from parrot_faust.sinks.hbase import HBaseSink
from parrot_faust.sinks.kudu import KuduSink
from parrot_faust.sinks.memory import MemorySink

KUDU = KuduSection(masters=("a:1", "b:2"), buckets=8, table="{table}")
HBASE = HBaseSection(thrift="h:1", thrift2="h:2", family="f")


def test_every_setting_of_a_section_reaches_its_sink() -> None:
    tables = {"shop.public.orders": KuduTable(buckets=2), "shop.public.plain": KuduTable()}
    sink = build(spec_of("kudu", KUDU, tables))
    assert isinstance(sink, KuduSink)
    assert msgspec.to_builtins(KUDU).items() <= msgspec.to_builtins(sink.settings).items()
    assert sink.settings.of("shop.public.orders").buckets == 2
    assert sink.settings.of("shop.public.plain").buckets == 8
    assert list(sink.settings.tables) == ["shop.public.orders"]  # what has nothing of its own does not travel


def test_own_family_of_a_table_reaches_hbase() -> None:
    sink = build(spec_of("hbase", HBASE, {"shop.public.orders": HBaseTable(family="g")}))
    assert isinstance(sink, HBaseSink)
    assert sink.settings.family_of("shop.public.orders") == "g"
    assert sink.settings.family_of("shop.public.other") == "f"


def test_spec_survives_the_way_to_its_process() -> None:
    spec = spec_of("hbase", HBASE, {"t": HBaseTable(table="x_{table}")})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(spec), type=SinkSpec) == spec


def test_each_spec_makes_a_sink_of_its_own() -> None:
    one, two = build(SinkSpec("memory", {})), build(SinkSpec("memory", {}))
    assert isinstance(one, MemorySink)
    assert one is not two


def test_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="cassandra"):
        build(SinkSpec("cassandra", {}))


def test_wrong_setting_is_told_when_the_sink_is_made() -> None:
    with pytest.raises(SettingsError, match="timeout_s"):
        build(SinkSpec("hbase", {"thrift": "h:1", "thrift2": "h:2", "timeout_s": 0}))
    with pytest.raises(msgspec.ValidationError, match="colour"):
        build(SinkSpec("hbase", {"thrift": "h:1", "thrift2": "h:2", "colour": "red"}))


def test_importing_the_factory_loads_no_client() -> None:
    code = (
        "import sys, parrot_faust.sinks.factory, parrot_faust.sinks.process;"
        "sys.exit(bool({'happybase', 'kudu', 'thriftpy2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""HBase, through its Thrift servers."""

from __future__ import annotations

from parrot_faust.sinks.hbase.settings import HBaseSettings, HBaseTableSettings
from parrot_faust.sinks.hbase.sink import HBaseSink

__all__ = ["HBaseSettings", "HBaseSink", "HBaseTableSettings"]

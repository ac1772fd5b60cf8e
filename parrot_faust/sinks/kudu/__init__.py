"""The Kudu sink. Importing it neither loads Kudu's client nor connects; `KuduSink.open` does both."""

from __future__ import annotations

from parrot_faust.sinks.kudu.settings import KuduSettings, KuduTableSettings
from parrot_faust.sinks.kudu.sink import KuduSink

__all__ = ["KuduSettings", "KuduSink", "KuduTableSettings"]

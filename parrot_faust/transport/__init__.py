"""Faust's aiokafka transport, delivering whole fetched batches of one partition as one event.

Registered as `parrot` under the entry point group `faust.transports`, so that a broker URL such as
``parrot://127.0.0.1:9092`` selects it. Topics for which `App.batch_group` names a group come in batches; all others,
table changelogs and Faust's own topics among them, come record by record exactly as Faust does it.
"""

from __future__ import annotations

from parrot_faust.transport.batch import Batch, BatchLimits, BatchSchema, Record
from parrot_faust.transport.consumer import BatchConsumer
from parrot_faust.transport.driver import Transport

__all__ = ["Batch", "BatchConsumer", "BatchLimits", "BatchSchema", "Record", "Transport"]

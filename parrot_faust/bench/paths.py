"""The three ways from the broker to the application that are compared, each run in a process of its own.

`python -m parrot_faust.bench.paths PATH ADDRESS TOPIC RECORDS` reads a topic from its beginning and prints records a
second. The clock starts when the first records are in the application's hands and counts those that come after, so
that neither starting nor joining a group is measured. Every path does the same with a record: it counts it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer

from parrot_faust.settings import Batch as BatchSettings
from parrot_faust.transport import BatchLimits, BatchSchema
from parrot_faust.transport.heap import settle_heap

FETCH_TIMEOUT_MS = 1_000


class Meter:
    """Counts records from the second arrival on; `done` is set when all have come."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._seen = self._first = 0
        self._began = self._ended = 0.0
        self.done = asyncio.Event()

    def count(self, records: int) -> None:
        """So many records have arrived."""
        if not self._began:
            self._began, self._first = time.perf_counter(), records
        self._seen += records
        if self._seen >= self._records and not self._ended:
            self._ended = time.perf_counter()
            self.done.set()

    @property
    def rate(self) -> float:
        """Records a second."""
        return (self._seen - self._first) / (self._ended - self._began)


async def faust_events(address: str, topic: str, meter: Meter) -> None:
    """(a) Faust as it is out of the box: its own transport, its default settings, one event at a time, raw bytes."""
    with tempfile.TemporaryDirectory() as folder:
        app: Any = faust.App(f"{topic}-{uuid.uuid4().hex}", broker=f"kafka://{address}", datadir=folder)
        app.conf.web_enabled = False

        async def take(stream: Any) -> None:
            async for _ in stream:
                meter.count(1)

        app.agent(app.topic(topic, value_serializer="raw"))(take)
        await _run(app, meter)


async def getmany(address: str, topic: str, meter: Meter) -> None:
    """(b) aiokafka alone, with the fetch size of (c)."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=f"{topic}-{uuid.uuid4().hex}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=BatchSettings().bytes,
    )
    await consumer.start()
    try:
        while not meter.done.is_set():
            for records in (await consumer.getmany(timeout_ms=FETCH_TIMEOUT_MS)).values():
                meter.count(len(records))
    finally:
        await consumer.stop()


async def batches(address: str, topic: str, meter: Meter) -> None:
    """(c) A Faust agent on the batch transport, all set as in the worker; every batch is settled."""
    settings = BatchSettings()
    with tempfile.TemporaryDirectory() as folder:
        app: Any = faust.App(
            f"{topic}-{uuid.uuid4().hex}",
            broker=f"parrot://{address}",
            datadir=folder,
            web_enabled=False,
            topic_disable_leader=True,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=settings.bytes,
        )
        app.batch_limits = BatchLimits(
            settings.records, settings.bytes, settings.partition_batches, settings.group_bytes
        )
        app.batch_group = lambda name: "bench" if name == topic else None

        async def take(stream: Any) -> None:
            async for batch in stream:
                meter.count(len(batch))
                batch.done()

        app.agent(app.topic(topic, schema=BatchSchema()))(take)
        settle_heap()
        await _run(app, meter)


async def _run(app: Any, meter: Meter) -> None:
    try:
        await app.start()
        await meter.done.wait()
    finally:
        await app.stop()


PATHS: dict[str, Callable[[str, str, Meter], Awaitable[None]]] = {
    "faust": faust_events,
    "getmany": getmany,
    "batches": batches,
}


async def measure(path: str, address: str, topic: str, records: int) -> float:
    """Read `records` records of a topic on one path; return records a second."""
    meter = Meter(records)
    await PATHS[path](address, topic, meter)
    return meter.rate


if __name__ == "__main__":
    _, chosen, broker, name, count = sys.argv
    print(asyncio.run(measure(chosen, broker, name, int(count))))  # noqa: T201 - the process's answer

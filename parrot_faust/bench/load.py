"""Records to measure with, in a topic of one partition that lives as long as the measurement."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from parrot_faust.transport.admin import BrokerAdmin, TopicPlan

MESSAGE_BYTES = 900_000  # a producer's batch: below the broker's usual limit of 1 MB
PREFIX = "parrot-bench-"
log = logging.getLogger("parrot.bench")


@asynccontextmanager
async def filled_topic(address: str, records: int, size: int) -> AsyncIterator[str]:
    """Make a topic of one partition that holds `records` values of `size` bytes, without keys; delete it at the end."""
    admin = BrokerAdmin({"bootstrap_servers": [address]}, 1, log)
    await admin.connect(lambda: False)
    name = f"{PREFIX}{uuid.uuid4().hex}"
    try:
        await admin.ensure([TopicPlan(name, 1, {})])
        await _fill(address, name, records, size)
        yield name
    finally:
        own = [topic for topic in await admin.topics() if topic.startswith(name)]  # Faust's own are named after it
        await admin.client.delete_topics(own)
        await admin.close()


async def _fill(address: str, topic: str, records: int, size: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, max_batch_size=MESSAGE_BYTES, acks=-1)
    await producer.start()
    try:
        batch = producer.create_batch()
        for number in range(records):
            value = (b"%d " % number).ljust(size, b".")
            if batch.append(key=None, value=value, timestamp=None) is None:
                await producer.send_batch(batch, topic, partition=0)
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=None)
        await producer.send_batch(batch, topic, partition=0)
        await producer.flush()
    finally:
        await producer.stop()

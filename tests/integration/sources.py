"""A source topic that the test writes itself, beside a table of the same rows to compare with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError
from pipelines import Pipeline

LARGEST = 16 << 20
Header = tuple[str, bytes]


def make_topic(address: str, name: str, partitions: int = 1, **config: str) -> None:
    """Make a topic."""

    async def make() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        try:
            answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
            assert all(error["error_code"] == 0 for error in answer.to_object()["topic_errors"]), answer
        finally:
            await admin.close()

    asyncio.run(make())


def set_topic(address: str, name: str, **config: str) -> None:
    """Give a topic exactly this configuration, and return once it is in force.

    The broker answers before it goes by a change. It goes by changes in their order, so another topic is changed
    afterwards, and shows when that one has come.
    """
    probe = f"probe-{uuid4().hex}"

    async def alter() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(probe, 1, 1)])
            for topic, values in ((name, config), (probe, {"max.message.bytes": "10"})):
                await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=values)])
            async with AIOKafkaProducer(bootstrap_servers=address) as producer, asyncio.timeout(60):
                while True:
                    await producer.send_and_wait(probe, b"more than ten bytes")
        except MessageSizeTooLargeError:
            await admin.delete_topics([probe])
        finally:
            await admin.close()

    asyncio.run(alter())


class Source:
    """Debezium's JSON of one table, in a topic with one partition that takes records of 16 MB."""

    def __init__(self, run: Pipeline, table: str) -> None:
        self.run, self.table, self.topic = run, table, run.topic(table)
        make_topic(run.addresses.kafka, self.topic, **{"max.message.bytes": str(LARGEST)})

    def put(self, *records: tuple[bytes | None, bytes | None], headers: Sequence[Header] = ()) -> list[int]:
        """Write records in order; return their offsets once the broker has them."""

        async def send() -> list[int]:
            producer = AIOKafkaProducer(bootstrap_servers=self.run.addresses.kafka, max_request_size=LARGEST)
            async with producer:
                sent = [
                    await producer.send_and_wait(self.topic, value, key=key, partition=0, headers=headers)
                    for key, value in records
                ]
            return [each.offset for each in sent]

        return asyncio.run(send())

    def change(self, op: str = "c", **row: Any) -> tuple[bytes, bytes]:
        """The record of a change of the row."""
        source = {"db": self.run.name, "schema": self.run.name, "table": self.table, "ts_ms": 1_700_000_000_000}
        before, after = (row, None) if op == "d" else (None, row)
        value = {"before": before, "after": after, "source": source, "op": op}
        return self.key(row["id"]), json.dumps(value).encode()

    @staticmethod
    def key(id: int) -> bytes:
        """The key of a row's records."""
        return json.dumps({"id": id}).encode()

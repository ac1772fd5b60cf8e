"""What the worker asks the broker beside the stream: topics, and single records by their address."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import TopicPartition

from parrot_faust.delivery.retry import delays
from parrot_faust.errors import SettingsError
from parrot_faust.transport.reach import Refused, refused

REQUEST_TIMEOUT_MS = 15_000
READ_ALL_WAIT_MS = 500
CONNECT_RETRY_S = 2.0
FINAL_AFTER = 3  # refusals in a row: a broker that is just starting may not know its users yet
METADATA_POLL_S = 0.1
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0  # between tries to read what an agent can't go on without


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic that must exist, with its partitions and configuration."""

    name: str
    partitions: int
    config: Mapping[str, str]


class BrokerAdmin:
    """One admin connection, made on first use and kept."""

    def __init__(self, options: Mapping[str, Any], replicas: int, log: Any) -> None:
        """`options` are what every client is made with (`parrot_faust.kafka.client_options`)."""
        self._options, self._replicas, self._log = options, replicas, log
        self._client: AIOKafkaAdminClient | None = None

    async def connect(self, should_stop: Callable[[], bool]) -> None:
        """Return when a broker answers; say once that none does and go on trying until then.

        Raise SettingsError when one answers and does not let us in, some times in a row: that is no outage.
        """
        said, refusals = False, 0
        while not should_stop():
            why = await refused(self._options)
            if why is None:
                client = AIOKafkaAdminClient(**self._options, request_timeout_ms=REQUEST_TIMEOUT_MS)
                try:
                    await client.start()
                    self._client = client
                    return
                except (KafkaError, OSError) as error:
                    with suppress(KafkaError, OSError):
                        await client.close()
                    why = Refused(False, str(error))
            refusals = refusals + 1 if why.final else 0
            if refusals == FINAL_AFTER:
                raise SettingsError(why.reason)
            if not said:
                brokers = ", ".join(self._options["bootstrap_servers"])
                self._log.warning("no Kafka broker at %s yet (%s); waiting for it", brokers, why.reason)
                said = True
            await asyncio.sleep(CONNECT_RETRY_S)

    async def connect_within(self, seconds: float) -> bool:
        """As `connect`, but give up after so long; whether a broker has answered."""
        deadline = time.monotonic() + seconds
        await self.connect(lambda: time.monotonic() > deadline)
        return self._client is not None

    @property
    def client(self) -> AIOKafkaAdminClient:
        """The connected client."""
        if self._client is None:
            raise RuntimeError("the admin client is not connected")
        return self._client

    async def topics(self) -> dict[str, int]:
        """Every topic with its number of partitions."""
        described = await self.client.describe_topics()
        return {topic["topic"]: len(topic["partitions"]) for topic in described}

    async def ensure(self, plans: list[TopicPlan]) -> dict[str, int]:
        """Create the topics that do not exist; return the partitions that each has once all are known."""
        existing = await self.topics()
        missing = [plan for plan in plans if plan.name not in existing]
        if missing:
            new = [
                NewTopic(plan.name, plan.partitions, self._replicas, topic_configs=dict(plan.config))
                for plan in missing
            ]
            answer = (await self.client.create_topics(new)).to_object()
            for error in answer["topic_errors"]:
                if error["error_code"] not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(error["error_code"])(f"topic {error['topic']}: {error.get('error_message')}")
        while True:
            known = await self.topics()
            found = {plan.name: known.get(plan.name, 0) for plan in plans}
            if all(found.values()):
                return found
            await asyncio.sleep(METADATA_POLL_S)

    async def read_all(self, topic: str, partition: int) -> list[tuple[bytes | None, bytes | None]]:
        """Keys and values of a partition's records, from its beginning to where it ends now. A broker that is away is
        waited for.
        """
        records = await self._patiently(topic, partition, None)
        return [(record.key, record.value) for record in records]

    async def read_tail(self, topic: str, partition: int, count: int) -> list[bytes | None]:
        """The values of a partition's last records, up to `count`. A broker that is away is waited for."""
        return [record.value for record in await self._patiently(topic, partition, count)]

    async def _patiently(self, topic: str, partition: int, count: int | None) -> list[Any]:
        waits = delays(FIRST_WAIT_S, LONGEST_WAIT_S, random.random)
        said = False
        while True:
            try:
                return await self._read(topic, partition, count)
            except (KafkaError, OSError) as error:
                if not said:
                    self._log.warning("%s[%d] can't be read now: %r; trying again", topic, partition, error)
                    said = True
                await asyncio.sleep(next(waits))

    async def _read(self, topic: str, partition: int, count: int | None) -> list[Any]:
        """All records of a partition, or as many of the last as `count` says."""
        tp = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(**self._options, enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            await consumer.start()
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            if count is not None:
                begin = (await consumer.beginning_offsets([tp]))[tp]
                consumer.seek(tp, max(begin, end - count))
            found: list[Any] = []
            while await consumer.position(tp) < end:
                for records in (await consumer.getmany(timeout_ms=READ_ALL_WAIT_MS)).values():
                    found += records
            return found
        finally:
            await consumer.stop()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            await self._client.close()
            self._client = None

"""Rows of a table with the columns id and n, written into all partitions of its topic by the test itself."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer
from pipelines import Pipeline
from sources import make_topic

PAUSE_S = 0.02


class Flow:
    """Debezium's JSON; a row's id says in which partition it is."""

    def __init__(self, run: Pipeline, table: str, partitions: int) -> None:
        self._run, self._table, self._partitions = run, table, partitions
        self._topic = run.topic(table)
        #: How many rows have been written: the next one's id.
        self.sent = 0
        make_topic(run.addresses.kafka, self._topic, partitions)

    def send(self, n: int) -> list[int]:
        """Write a row into each partition; return their ids once the broker has them."""
        return asyncio.run(self._send(n, threading.Event(), once=True))

    def send_without_n(self) -> int:
        """Write a row that has lost its column n; return its id once the broker has it."""
        identity, self.sent = self.sent, self.sent + 1
        told = json.loads(self._value(identity, 0))
        del told["after"]["n"]
        self._run.broker.produce(self._topic, json.dumps(told).encode(), key=self._key(identity))
        return identity

    def run(self, stop: threading.Event) -> None:
        """Write rows with n = 60 until told to stop."""
        asyncio.run(self._send(60, stop, once=False))

    def partitions_of(self, ids: Iterable[int]) -> set[int]:
        """In which partitions these rows are."""
        return {identity % self._partitions for identity in ids}

    async def _send(self, n: int, stop: threading.Event, *, once: bool) -> list[int]:
        ids: list[int] = []
        async with AIOKafkaProducer(bootstrap_servers=self._run.addresses.kafka) as producer:
            while not stop.is_set():
                for _ in range(self._partitions):
                    identity, self.sent = self.sent, self.sent + 1
                    await producer.send_and_wait(
                        self._topic, self._value(identity, n), self._key(identity), identity % self._partitions
                    )
                    ids.append(identity)
                if once:
                    break
                await asyncio.sleep(PAUSE_S)
        return ids

    @staticmethod
    def _key(identity: int) -> bytes:
        return json.dumps({"id": identity}).encode()

    def _value(self, identity: int, n: int) -> bytes:
        source = {"db": self._run.name, "schema": self._run.name, "table": self._table, "ts_ms": 1_700_000_000_000}
        return json.dumps({"before": None, "after": {"id": identity, "n": n}, "source": source, "op": "c"}).encode()

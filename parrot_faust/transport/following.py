"""Reading a topic of one partition as it grows, beside the stream and in no group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from parrot_faust.transport.batch import Record

POLL_MS = 1_000
RETRY_S = 5.0


async def follow(
    options: Mapping[str, Any],
    topic: str,
    since_ms: int,
    take: Callable[[Record], None],
    should_stop: Callable[[], bool],
    log: Any,
) -> None:
    """Hand every record from a time on to `take`, until `should_stop`. While no broker answers it is tried again."""
    place = TopicPartition(topic, 0)
    position: int | None = None
    said = False
    while not should_stop():
        consumer = AIOKafkaConsumer(**options, enable_auto_commit=False, auto_offset_reset="latest")
        try:
            await consumer.start()
            consumer.assign([place])
            if position is None:
                found = (await consumer.offsets_for_times({place: since_ms})).get(place)
                position = found.offset if found is not None else (await consumer.end_offsets([place]))[place]
            consumer.seek(place, position)
            while not should_stop():
                for record in (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, ()):
                    take(record)
                    position = record.offset + 1
                    await asyncio.sleep(0)  # there may be many of the past, and the stream goes on meanwhile
                said = False
        except (KafkaError, OSError) as error:
            if not said:
                log.warning("%s can't be read now: %s; trying again", topic, error or type(error).__name__)
                said = True
            await asyncio.sleep(RETRY_S)
        finally:
            await consumer.stop()

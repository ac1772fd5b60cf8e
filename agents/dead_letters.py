"""Agent `dead_letters`: files held records under their source topic, byte for byte, with headers that say why.

A record comes with its bytes where the sender had them. Where it had not (a writer has only the decoded row), the
bytes are read again from the source topic by their address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiokafka.errors import KafkaError

from agents.outbox import Outbox
from models import DeadLetter, Stage
from parrot_faust import failpoints
from parrot_faust.delivery.filing import original_of
from parrot_faust.delivery.retry import delays
from parrot_faust.errors import MessageUnreadable
from parrot_faust.logs import at
from parrot_faust.masking import Masking
from parrot_faust.names import Names
from parrot_faust.transport import Batch
from parrot_faust.transport.batch import Record

#: Reads one record by topic, partition and offset; None when the broker no longer has it.
ReadAgain = Callable[[str, int, int], Awaitable[Record | None]]
#: Creates a topic unless it exists.
EnsureTopic = Callable[[str], Awaitable[None]]

RETRY_FIRST_S, RETRY_CAP_S = 0.5, 30.0


class DeadLetters:
    """Takes batches of the held topic in order."""

    def __init__(
        self,
        outbox: Outbox,
        names: Names,
        read_again: ReadAgain,
        ensure_topic: EnsureTopic,
        log: Any,
        masking: Masking,
        jitter: Callable[[], float],
    ) -> None:
        self._outbox, self._names = outbox, names
        self._read_again, self._ensure_topic = read_again, ensure_topic
        self._log, self._masking, self._jitter = log, masking, jitter
        self._known_topics: set[str] = set()
        self._before_file = failpoints.at_async("dead_letters.before_file")

    async def take(self, batch: Batch) -> None:
        """File every record of the batch; it is settled when the broker has them all."""
        pending = []
        await self._before_file()
        for record in batch.records:
            try:
                letter = msgspec.msgpack.decode(record.value or b"", type=DeadLetter)
            except msgspec.DecodeError as error:
                letter = self._raw(batch, record, error)
            pending.append(await self._file(letter))
        await self._outbox.confirm(pending)
        batch.done()

    def _raw(self, batch: Batch, record: Record, error: msgspec.DecodeError) -> DeadLetter:
        """A letter about a held record that is none: what it held is kept, though nobody knows of which topic."""
        unreadable = MessageUnreadable(batch.topic, batch.partition, record.offset, str(error))
        self._log.error(
            "%s; it is kept in %s",
            unreadable,
            self._names.dead(batch.topic),
            extra=at(batch.topic, batch.partition, record.offset),
        )
        return DeadLetter(
            topic=batch.topic,
            partition=batch.partition,
            offset=record.offset,
            key=record.key,
            value=record.value,
            stage=Stage.DECODE,
            error=type(unreadable).__name__,
            message=str(unreadable),
            timestamp_ms=record.timestamp,
            headers=tuple(record.headers),
        )

    async def _file(self, letter: DeadLetter) -> Awaitable[Any]:
        topic = self._names.quarantine(letter.topic) if letter.quarantined else self._names.dead(letter.topic)
        if topic not in self._known_topics:
            await self._patiently(lambda: self._ensure_topic(topic), f"topic {topic} can't be made")
            self._known_topics.add(topic)
        if not letter.carried:
            original = await self._patiently(
                lambda: self._read_again(letter.topic, letter.partition, letter.offset),
                f"{letter.topic}[{letter.partition}] offset {letter.offset} can't be read",
            )
            if original is not None:
                letter = original_of(letter, original.key, original.value, tuple(original.headers), original.timestamp)
        if letter.topic in self._masking and not (letter.masked or letter.withheld):
            # Read again, or sent on before the table had a mask: the original stays in the source topic.
            description = self._masking.withheld(letter.key, letter.value)
            letter = msgspec.structs.replace(letter, key=None, value=description, headers=(), withheld=True)
        return await self._outbox.file(topic, letter)

    async def _patiently(self, ask: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Ask the broker until it answers: a letter is not filed without its bytes because a broker was away."""
        waits = delays(RETRY_FIRST_S, RETRY_CAP_S, self._jitter)
        while True:
            try:
                return await ask()
            except (KafkaError, OSError) as error:
                wait = next(waits)
                self._log.warning("%s now: %r; trying again in %.1f s", what, error, wait)
                await asyncio.sleep(wait)

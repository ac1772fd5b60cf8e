"""Agent `dead_letters`: files held records under their source topic, byte for byte, with headers that say why.

A record comes with its bytes where the sender had them. Where it had not (a writer has only the decoded row), the
bytes are read again from the source topic by their address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from agents.outbox import Outbox
from agents.rule_book import Log
from models import DeadLetter
from parrot_faust.masking import Masking
from parrot_faust.names import Names
from parrot_faust.transport import Batch

#: Reads key and value of one record by topic, partition and offset; None when the broker no longer has it.
ReadAgain = Callable[[str, int, int], Awaitable[tuple[bytes | None, bytes | None] | None]]
#: Creates a topic unless it exists.
EnsureTopic = Callable[[str], Awaitable[None]]


class DeadLetters:
    """Takes batches of the held topic in order."""

    def __init__(
        self,
        outbox: Outbox,
        names: Names,
        read_again: ReadAgain,
        ensure_topic: EnsureTopic,
        log: Log,
        masking: Masking,
    ) -> None:
        self._outbox, self._names = outbox, names
        self._read_again, self._ensure_topic, self._log = read_again, ensure_topic, log
        self._masking = masking
        self._known_topics: set[str] = set()

    async def take(self, batch: Batch) -> None:
        """File every record of the batch; it is settled when the broker has them all."""
        pending = []
        for record in batch.records:
            try:
                letter = msgspec.msgpack.decode(record.value or b"", type=DeadLetter)
            except msgspec.DecodeError as error:
                self._log.error("record at offset %d of %s can't be read: %s", record.offset, batch.topic, error)
                continue
            pending.append(await self._file(letter))
        await self._outbox.confirm(pending)
        batch.done()

    async def _file(self, letter: DeadLetter) -> Awaitable[Any]:
        topic = self._names.quarantine(letter.topic) if letter.quarantined else self._names.dead(letter.topic)
        if topic not in self._known_topics:
            await self._ensure_topic(topic)
            self._known_topics.add(topic)
        key, value = letter.key, letter.value
        extra: list[tuple[str, bytes]] = []
        if not letter.carried:
            original = await self._read_again(letter.topic, letter.partition, letter.offset)
            if original is not None:
                key, value = original
            else:
                extra = [("parrot.original", b"gone")]
        if letter.topic in self._masking and not (letter.masked or letter.withheld):
            # Read again, or sent on before the table had a mask: the original stays in the source topic.
            key, value = None, self._masking.withheld(key, value)
            letter = msgspec.structs.replace(letter, withheld=True)
        if value is None and key is None:
            value = b""  # the broker's client takes no message without both
        return await self._outbox.send(topic, value, key=key, headers=[*headers_of(letter), *extra])


def headers_of(letter: DeadLetter) -> Sequence[tuple[str, bytes]]:
    """Why and where a record was held, as Kafka Connect names it but for the prefix."""
    pairs = (
        ("topic", letter.topic),
        ("partition", str(letter.partition)),
        ("offset", str(letter.offset)),
        ("timestamp", str(letter.timestamp_ms)),
        ("stage", letter.stage.value),
        ("error", letter.error),
        ("message", letter.message),
        ("sink", letter.sink),
        ("rule", letter.rule),
        ("rules_version", letter.rules_version),
        ("masked", ",".join(letter.masked)),
        ("withheld", "1" if letter.withheld else ""),
    )
    return [(f"parrot.{name}", value.encode("utf-8", "replace")) for name, value in pairs if value]

"""Sending to the project's topics, and knowing that the broker has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec
from aiokafka.errors import MessageSizeTooLargeError

from models import DeadLetter, Resolution
from parrot_faust.delivery.filing import headers_of
from parrot_faust.delivery.heads import HEAD_BYTES, fit, head_form, weight
from parrot_faust.delivery.resolutions import encode
from parrot_faust.names import Names

Headers = Sequence[tuple[str, bytes | None]]

#: The part of a Faust producer that is used: topic, key, value, partition, timestamp, headers.
Send = Callable[..., Awaitable[Awaitable[Any]]]


class Outbox:
    """Hands messages to the producer and collects the broker's confirmations.

    Messages to one partition keep the order in which they were sent. A message the broker refuses for good, or does
    not confirm within the producer's time-out, is an error of `confirm`: the worker then stops, because what was sent
    after it may already be in place and only reading the source again restores the order.
    """

    def __init__(self, send: Send, names: Names) -> None:
        self._send = send
        self._names = names

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        headers: Headers = (),
    ) -> Awaitable[Any]:
        """Queue a message; the result completes when all in-sync replicas have it."""
        return await self._send(topic, key, value, partition, None, list(headers))

    async def hold(self, letter: DeadLetter) -> Awaitable[Any]:
        """Queue a record for its dead-letter or quarantine topic. No record is too large: see `fit`."""
        key = f"{letter.topic}/{letter.partition}".encode()

        async def send(letter: DeadLetter) -> Awaitable[Any]:
            return await self.send(self._names.held, msgspec.msgpack.encode(letter), key=key)

        return await _in_some_form(letter, send)

    async def file(self, topic: str, letter: DeadLetter) -> Awaitable[Any]:
        """Queue a record for the topic it is kept in, byte for byte with its reason as headers."""

        async def send(letter: DeadLetter) -> Awaitable[Any]:
            # The broker's client takes no message without both.
            value = b"" if letter.value is None and letter.key is None else letter.value
            return await self.send(topic, value, key=letter.key, headers=headers_of(letter))

        return await _in_some_form(letter, send)

    async def resolve(self, resolution: Resolution) -> Awaitable[Any]:
        """Queue what became of a letter that was to be sent again."""
        return await self.send(self._names.resolved, encode(resolution), key=resolution.key, partition=0)

    @staticmethod
    async def confirm(pending: Iterable[Awaitable[Any]]) -> None:
        """Return when the broker has confirmed everything in `pending`; raise what it answered otherwise."""
        await asyncio.gather(*pending)


async def _in_some_form(letter: DeadLetter, send: Callable[[DeadLetter], Awaitable[Awaitable[Any]]]) -> Awaitable[Any]:
    """Send a letter as whole as the topic takes it: one that is too large for it goes in its head form."""
    whole = fit(letter)
    try:
        sent = await send(whole)
    except Exception as error:
        if not _too_large(error):
            raise
        return await send(head_form(whole))
    return sent if weight(whole) <= HEAD_BYTES else _or_its_head(sent, whole, send)


async def _or_its_head(
    sent: Awaitable[Any], letter: DeadLetter, send: Callable[[DeadLetter], Awaitable[Awaitable[Any]]]
) -> Any:
    try:
        return await sent
    except MessageSizeTooLargeError:  # a topic that others have made, or a broker, with a limit below ours
        return await (await send(head_form(letter)))


def _too_large(error: BaseException) -> bool:
    # Faust wraps what its client says.
    return isinstance(error, MessageSizeTooLargeError) or isinstance(error.__cause__, MessageSizeTooLargeError)

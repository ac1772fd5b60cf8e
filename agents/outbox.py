"""Sending to the project's topics, and knowing that the broker has it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from models import DeadLetter
from parrot_faust.names import Names

Headers = Sequence[tuple[str, bytes]]

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
        """Queue a record for its dead-letter or quarantine topic."""
        key = f"{letter.topic}/{letter.partition}".encode()
        return await self.send(self._names.held, msgspec.msgpack.encode(letter), key=key)

    @staticmethod
    async def confirm(pending: Iterable[Awaitable[Any]]) -> None:
        """Return when the broker has confirmed everything in `pending`; raise what it answered otherwise."""
        await asyncio.gather(*pending)

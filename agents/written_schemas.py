"""The schemas that records were written with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from parrot_faust.codec import Decoder, Record
from parrot_faust.delivery.retry import delays
from parrot_faust.errors import RegistryUnavailable
from parrot_faust.registry import RegistryClient


class WrittenSchemas:
    """Hands a decoder what it lacks."""

    def __init__(
        self, decoder: Decoder, registry: RegistryClient | None, log: Any, jitter: Callable[[], float]
    ) -> None:
        self._decoder, self._registry, self._log, self._jitter = decoder, registry, log, jitter

    async def learn(self, records: Sequence[Record]) -> None:
        """Ask the registry, until it answers, for the schemas that the decoder lacks to read these records."""
        missing = self._decoder.missing(records)
        if missing and self._registry is None:
            for schema_id in missing:
                self._decoder.learn(schema_id, None)
            return
        waits = delays(0.5, 30.0, self._jitter)
        while missing and self._registry is not None:
            try:
                for schema_id in sorted(missing):
                    self._decoder.learn(schema_id, await self._registry.schema(schema_id))
                return
            except RegistryUnavailable as error:
                wait = next(waits)
                self._log.warning("%s; trying again in %.1f s", error, wait)
                await asyncio.sleep(wait)
                missing = self._decoder.missing(records)

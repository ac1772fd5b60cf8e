"""What the web view shows beside the workers' snapshots: from tables every worker has, and read from topics."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from parrot_faust.kafka import connection_options
from parrot_faust.transport.reader import RecordReader
from parrot_faust.web.lookups import Lookups

if TYPE_CHECKING:
    from parrot_faust.application import Parts

log = logging.getLogger("parrot")

VERIFIED_FRESH_S = 10.0


class Observing:
    """Answers the pages' questions. Has a connection of its own, made when somebody first looks."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._names = parts, parts.names
        settings = parts.settings
        self.reader = RecordReader(settings.brokers, connection_options(settings))
        self.lookups = Lookups(log)
        self._verified: dict[str, Any] = {}
        self._verified_to = 0

    async def close(self) -> None:
        """Let go of the connection."""
        await self.lookups.close()
        await self.reader.close()

    async def known(self) -> dict[str, Any]:
        """The app's name, when each table's shape changed last, and its newest verification."""
        await self.lookups.get("verifications", self._read_verified, VERIFIED_FRESH_S)
        return {"app": self._parts.settings.app, "schema_ms": self._schema_ms(), "verified": self._verified}

    def _schema_ms(self) -> dict[str, int]:
        schemas = self._parts.schemas
        return {
            table: history.events[-1].at_ms for table in schemas.tables() if (history := schemas.history(table)).events
        }

    async def _read_verified(self) -> None:
        """Take in the results of comparisons that came since."""
        topic = self._names.verifications
        _, end = await self.reader.bounds(topic, 0)
        if end < self._verified_to:  # made anew
            self._verified_to = 0
        if end == self._verified_to:
            return
        async for records in self.reader.scan(topic, 0, self._verified_to, end):
            for record in records:
                if record.key is not None and record.value is not None:
                    self._verified[record.key.decode("utf-8", "replace")] = _verification(record.value)
        self._verified_to = end


def _verification(value: bytes) -> dict[str, Any]:
    told = msgspec.json.decode(value)
    result = told["result"]
    return {
        "at_ms": int(datetime.fromisoformat(told["at"]).timestamp() * 1000),
        "verdict": result["verdict"],
        "differences": result["differences"] - result["explained"],
        "rows": result["rows"],
        "reasons": result["reasons"],
    }

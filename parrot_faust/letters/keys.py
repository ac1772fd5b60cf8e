"""Message keys of dead letters, for people: their columns and values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from parrot_faust.codec.avro.reader import HEADER
from parrot_faust.codec.registered import Registered
from parrot_faust.errors import ParrotError, RegistryUnavailable, TerminalError
from parrot_faust.registry import RegistryClient


class Keys:
    """Reads keys in Avro, whose schemas the registry has, and in JSON. What can't be read has no columns."""

    def __init__(self) -> None:
        self._registered = Registered(flattened=False)

    async def learn(self, keys: Iterable[bytes | None], registry: RegistryClient | None) -> str:
        """Ask the registry for the schemas of these keys; return why it could not be asked, empty when it was."""
        missing = self._registered.missing({key[:HEADER] for key in keys if key is not None})
        if not missing:
            return ""
        if registry is None:
            return "keys are Avro and source.registry is not set"
        for schema_id in sorted(missing):
            try:
                schema = await registry.schema(schema_id)
            except RegistryUnavailable as error:
                return str(error)
            if schema is not None:
                self._registered.learn(schema_id, schema)
        return ""

    def read(self, key: bytes | None) -> dict[str, Any] | None:
        """Columns and values of a key; None for what is no readable struct."""
        if key is None:
            return None
        try:
            if key[:1] == b"\x00":
                reader = self._registered.key(key)
                return dict(zip(reader.names, reader.read(key), strict=True)) or None
            found = msgspec.json.decode(key)
        except (TerminalError, ParrotError, msgspec.DecodeError, ValueError):
            return None
        if isinstance(found, dict) and isinstance(found.get("payload"), dict) and "schema" in found:
            found = found["payload"]
        return found if isinstance(found, dict) else None

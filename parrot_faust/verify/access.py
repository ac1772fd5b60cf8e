"""How the source database, Kafka and the registry are reached, from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from parrot_faust.distribution import Local
from parrot_faust.errors import SettingsError
from parrot_faust.registry import RegistryClient
from parrot_faust.settings import Settings
from parrot_faust.verify.broker import Broker


def database_of(settings: Settings, local: Callable[[], Local] = Local.here) -> dict[str, Any]:
    """What psycopg connects with: `source.database`, else the running local distribution's shop. Holds a password.

    Raise SettingsError when there is neither.
    """
    found = settings.source.database
    if found is None:
        here = local()
        if "postgres" not in here.running():
            raise SettingsError(
                "the settings do not say where the source database is, and no local one runs: add, below `source:`, "
                "`database: {host: ..., name: ..., user: ..., password: '${NAME}'}`"
            )
        return here.addresses().postgres
    return {
        "host": found.host,
        "port": found.port,
        "dbname": found.name,
        "user": found.user,
        "sslmode": found.sslmode,
        **({"password": found.password} if found.password else {}),
    }


def slot_of(settings: Settings) -> str:
    """The connector's replication slot, empty when the settings do not name it."""
    return settings.source.database.slot if settings.source.database is not None else ""


def broker_of(settings: Settings) -> Broker:
    """The Kafka cluster of the settings."""
    from parrot_faust.kafka import client_options  # loads Faust, which only whoever talks to Kafka needs

    return Broker(client_options(settings))


def schemas_of(settings: Settings) -> Callable[[int], str | None]:
    """What gives a registered schema's text by its id, None when there is none."""
    source = settings.source

    def schema_of(identity: int) -> str | None:
        if source.registry is None:
            return None
        address = source.registry

        async def ask() -> str | None:
            client = RegistryClient(
                address,
                username=source.registry_user,
                password=source.registry_password,
                tls=source.registry_tls,
            )
            try:
                return await client.schema(identity)
            finally:
                await client.close()

        # In a thread, because who asks may be reading a topic, with a loop of its own.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(ask())).result()

    return lru_cache(1_000)(schema_of)

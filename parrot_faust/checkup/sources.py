"""Where changes come from: the registry, Connect with its connectors, and the source database where it is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parrot_faust.checkup.findings import Finding, failed, ok, skipped, warning
from parrot_faust.connect import Connect
from parrot_faust.errors import ConnectError, RegistryUnavailable
from parrot_faust.registry import registry_of
from parrot_faust.settings import Settings

REGISTRY, CONNECT, DATABASE, CLOCK = "schema registry", "Kafka Connect", "source database", "clock"
SKEW_S = 2.0  # no promise hangs on it, but what pages and logs call fresh does
CONNECT_TIMEOUT_S = 10


async def registry(settings: Settings) -> Finding:
    """Whether the registry answers as one."""
    client = registry_of(settings.source)
    if client is None:
        if settings.source.format == "avro":
            return failed(REGISTRY, "Avro needs one, and the settings name none", "set source.registry")
        return skipped(REGISTRY, "none is set: topics in Avro can't be read")
    try:
        await client.check()
    except RegistryUnavailable as error:
        return failed(REGISTRY, str(error), "start it, or correct source.registry (Apicurio: with /apis/ccompat/v7)")
    finally:
        await client.close()
    return ok(REGISTRY, f"answers at {client.url}")


def connectors(url: str | None) -> Iterator[Finding]:
    """What Connect says of its connectors."""
    if url is None:
        yield skipped(CONNECT, "its address is not known: --connect, or PARROT_CONNECT")
        return
    connect = Connect(url)
    try:
        found = connect.statuses()
    except ConnectError as error:
        yield failed(CONNECT, str(error), "start it, or correct --connect")
        return
    if not found:
        yield warning(CONNECT, f"{connect.url} has no connector", "parrot connector create NAME FILE")
    for status in found:
        subject = f"connector {status.name}"
        if status.failed:
            cure = f"mend its cause, then: parrot connector restart {status.name}"
            yield failed(subject, f"has failed: {status.reason}", cure)
        elif not status.running:
            text = f"is {status.connector.state}, with {len(status.tasks)} tasks"
            yield warning(subject, text, f"parrot connector resume {status.name}")
        else:
            yield ok(subject, f"runs with {len(status.tasks)} task" + ("" if len(status.tasks) == 1 else "s"))


def database(connection: dict[str, Any] | None, slot: str) -> Iterator[Finding]:
    """Whether the source database lets itself be captured and compared, and how its clock is to this one's."""
    if connection is None:
        yield skipped(DATABASE, "source.database is not set: `parrot verify` can't compare with it")
        return
    import psycopg  # only who has a PostgreSQL to look at needs it

    try:
        with psycopg.connect(**connection, connect_timeout=CONNECT_TIMEOUT_S) as opened:
            level, ahead = opened.execute(
                "select current_setting('wal_level'), extract(epoch from clock_timestamp())::float8"
                " - extract(epoch from %s::timestamptz)::float8",
                (_now(),),
            ).fetchone() or ("", 0.0)
            may = opened.execute(
                "select rolreplication or rolsuper from pg_roles where rolname = current_user"
            ).fetchone()
            slots = dict(opened.execute("select slot_name, active from pg_replication_slots").fetchall())
    except psycopg.Error as error:
        why = " ".join(str(error).split()).replace(str(connection.get("password") or "\0"), "***")
        yield failed(DATABASE, why, "start it, or correct source.database")
        return
    if level != "logical":
        cure = "set wal_level = logical in postgresql.conf and start PostgreSQL again"
        yield failed(DATABASE, f"its wal_level is {level}: nothing can be captured", cure)
    elif slot and not slots.get(slot) and not (may and may[0]):
        # Where the slot is read, another user captures: this one compares, and need not replicate.
        text = f"nobody reads the replication slot {slot}, and the user {connection['user']} may not replicate"
        yield failed(DATABASE, text, "let who may do it run what `parrot init` shows, then start the connector")
    elif slot and slot not in slots:
        cure = "correct source.database.slot, or start the connector, which makes its slot"
        yield failed(DATABASE, f"it has no replication slot {slot}", cure)
    elif slot and not slots[slot]:
        cure = "start the connector: until then the source keeps its whole log, and its disk fills"
        yield warning(DATABASE, f"nobody reads its replication slot {slot}", cure)
    else:
        yield ok(DATABASE, "answers, and its log can be captured")
    if abs(ahead) > SKEW_S:
        text = f"the source's is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
        yield warning(CLOCK, text, "set both by NTP: freshness on pages and in /metrics is off by as much")
    else:
        yield ok(CLOCK, f"within {SKEW_S:.0f} s of the source's")


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)

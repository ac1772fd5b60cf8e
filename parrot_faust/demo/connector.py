"""The Debezium connector of the demo, through Connect's REST API."""

from __future__ import annotations

from parrot_faust.connect import Connect
from parrot_faust.distribution import Addresses
from parrot_faust.names import signal_topic

PREFIX = "shop"
RUNNING_TIMEOUT_S = 60


def config(addresses: Addresses, name: str, tables: list[str], form: str, prefix: str = PREFIX) -> dict[str, str]:
    """The connector's configuration. `tables` come with their schema, `form` is avro, json (without schemas) or
    json-schema, and `prefix` begins every topic.
    """
    database, (host, port) = addresses.postgres, addresses.postgres_inside
    settings = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "topic.prefix": prefix,
        "database.hostname": host,
        "database.port": str(port),
        "database.user": str(database["user"]),
        "database.password": str(database["password"]),
        "database.dbname": str(database["dbname"]),
        "slot.name": name,
        "publication.name": name,
        "publication.autocreate.mode": "filtered",
        # Connect stops its tasks when its broker is away for a while: without the slot, changes would be lost then.
        "slot.drop.on.stop": "false",
        "table.include.list": ",".join(tables),
        "schema.name.adjustment.mode": "avro",
        "poll.interval.ms": "20",
        "tombstones.on.delete": "true",
        # `parrot verify --repair` asks for single rows again, by incremental snapshots that write nothing into the
        # source: what they read is told apart from what is changed meanwhile by transaction numbers.
        "read.only": "true",
        "signal.enabled.channels": "kafka",
        "signal.kafka.topic": signal_topic(prefix),
        "signal.kafka.bootstrap.servers": addresses.kafka_inside or addresses.kafka,
        "signal.poll.interval.ms": "500",
        "topic.creation.default.partitions": "4",
        "topic.creation.default.replication.factor": "1",
    }
    for side in ("key", "value"):
        converter = f"{side}.converter"
        if form == "avro":
            settings[converter] = "io.apicurio.registry.utils.converter.AvroConverter"
            settings |= {
                f"{converter}.apicurio.registry.{option}": value
                for option, value in {
                    "url": addresses.registry_native,
                    "auto-register": "true",
                    "find-latest": "true",
                    "as-confluent": "true",
                    "headers.enabled": "false",
                    "use-id": "contentId",
                }.items()
            }
        else:
            settings[converter] = "org.apache.kafka.connect.json.JsonConverter"
            settings[f"{converter}.schemas.enable"] = "true" if form == "json-schema" else "false"
    return settings


def create(connect: str, name: str, settings: dict[str, str]) -> None:
    """Make the connector and wait until its task runs. Raise ConnectError with Connect's words otherwise."""
    client = Connect(connect)
    client.put(name, settings)
    client.wait(name, lambda status: status.running, RUNNING_TIMEOUT_S)


def remove_all(connect: str) -> None:
    """Delete the connectors of former demo runs."""
    for name in Connect(connect).names():
        if name.startswith("parrot_demo_"):
            remove(connect, name)


def remove(connect: str, name: str) -> None:
    """Delete a connector."""
    Connect(connect).delete(name)

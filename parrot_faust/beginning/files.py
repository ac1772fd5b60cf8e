"""The files that `parrot init` writes: settings with their reasons, and a connector's JSON. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from parrot_faust.beginning.source import Source, SourceTable
from parrot_faust.names import avro_name, signal_topic, table_topic

PASSWORD = "PARROT_SOURCE_PASSWORD"  # noqa: S105 - the name of an environment variable
#: Converters of Connect that write Avro, in the order of choice, and what each needs.
AVRO = {
    "io.confluent.connect.avro.AvroConverter": {"schema.registry.url": "{registry}"},
    "io.apicurio.registry.utils.converter.AvroConverter": {
        "apicurio.registry.url": "{native}",
        "apicurio.registry.auto-register": "true",
        "apicurio.registry.find-latest": "true",
        "apicurio.registry.as-confluent": "true",
        "apicurio.registry.headers.enabled": "false",
        "apicurio.registry.use-id": "contentId",
    },
}
JSON = "org.apache.kafka.connect.json.JsonConverter"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the servers are. `native` is the address of an Apicurio registry's own API, empty for others."""

    brokers: str
    registry: str = ""
    native: str = ""
    kudu: str = ""
    replicas: int = 3
    hbase: str = ""
    hbase2: str = ""


def connector_json(source: Source, prefix: str, places: Places, converters: Sequence[str]) -> str:
    """A Debezium connector for the tables of `source` that can be followed, as Connect takes it.

    Changes travel as Avro where a registry is given and one of the `converters` of Connect writes it, else as JSON with
    schemas. The password is left to the environment.
    """
    slot = slot_of(prefix)
    settings = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput",
        "topic.prefix": prefix,
        "database.hostname": source.host,
        "database.port": str(source.port),
        "database.user": source.user,
        "database.password": f"${{{PASSWORD}}}",
        "database.dbname": source.database,
        "slot.name": slot,
        "publication.name": slot,
        "publication.autocreate.mode": "filtered",
        "publish.via.partition.root": "true",  # else changes of partitions are none of the table's
        "table.include.list": ",".join(
            f"{re.escape(table.schema)}[.]{re.escape(table.name)}" for table in source.followed
        ),
        "schema.name.adjustment.mode": "avro",
        "poll.interval.ms": "50",
        "heartbeat.interval.ms": "5000",
        # For `parrot verify --repair`, which asks for single rows again.
        "read.only": "true",
        "signal.enabled.channels": "kafka",
        "signal.kafka.topic": signal_topic(prefix),
        "signal.kafka.bootstrap.servers": places.brokers,
        "signal.poll.interval.ms": "500",
        "topic.creation.default.partitions": "4",
        "topic.creation.default.replication.factor": "-1",
    }
    converter = next((name for name in AVRO if name in converters), JSON) if places.registry else JSON
    for side in ("key", "value"):
        settings[f"{side}.converter"] = converter
        for option, value in AVRO.get(converter, {"schemas.enable": "true"}).items():
            filled = value.format(registry=places.registry, native=places.native or places.registry)
            settings[f"{side}.converter.{option}"] = filled
    if source.sslmode:
        settings["database.sslmode"] = source.sslmode
    return json.dumps({"name": prefix, "config": settings}, indent=2) + "\n"


def slot_of(prefix: str) -> str:
    """The name of a connector's replication slot and publication."""
    return f"parrot_{re.sub(r'[^a-z0-9_]', '_', prefix.lower())[:50]}"


def parrot_yaml(app: str, topics: str, places: Places, source: Source | None = None, prefix: str = "") -> str:
    """A settings file with its reasons. `topics` is the pattern of the source topics."""
    lines = [
        "# The settings of a worker: `parrot check` tries them, `faust -A parrot_faust worker` runs them.",
        "# ${NAME} takes a value from the environment: keep passwords there.",
        f"app: {_text(app)}  # workers of one app share the work",
        f"brokers: {_text(places.brokers)}",
        "state: .parrot/worker  # can be deleted: all that matters is in Kafka",
        "source:",
        f"  topics: {_text(topics)}  # a regular expression; new topics are taken in while running",
        *(
            [f"  registry: {_text(places.registry)}"]
            if places.registry
            else ["  # registry: http://registry:8081  # for Avro; JSON is told apart by its bytes"]
        ),
        *(_database(source, prefix) if source is not None else ()),
        "sinks:  # leave out the one you don't have",
        *_sink("kudu", f"{{masters: [{_text(places.kudu)}], replicas: {places.replicas}}}", places.kudu, "kudu:7051"),
        *_sink(
            "hbase",
            f"{{thrift: {_text(places.hbase)}, thrift2: {_text(places.hbase2)}}}",
            places.hbase,
            "hbase:9090",
        ),
        "quality: quality_rules  # a folder of rule files",
        "# web: {host: 127.0.0.1, port: 6066}",
    ]
    if source is not None and (without := [table for table in source.tables if not table.key]):
        lines += ["# tables:", *(line for table in without for line in _keyless(table, prefix))]
    return "\n".join(lines) + "\n"


def _database(source: Source, prefix: str) -> list[str]:
    return [
        "  database:  # for `parrot check` and `parrot verify`; a worker does without",
        f"    host: {_text(source.host)}",
        f"    port: {source.port}",
        f"    name: {_text(source.database)}",
        f"    user: {_text(source.user)}",
        f"    password: '${{{PASSWORD}:-}}'",
        *([f"    sslmode: {_text(source.sslmode)}"] if source.sslmode else []),
        f"    slot: {_text(slot_of(prefix))}",
    ]


def _keyless(table: SourceTable, prefix: str) -> list[str]:
    columns = ", ".join(_text(avro_name(name)) for name in table.columns)
    include = f"{re.escape(table.schema)}[.]{re.escape(table.name)}"
    return [
        f"  # {_text(f'{table.schema}.{table.name}')} has no primary key. To follow it, name what tells rows apart,",
        f"  # give it a replica identity: {_text(f'alter table {table.quoted} replica identity full')},",
        f"  # and put it into table.include.list of connector.json: {_text(json.dumps(include))}",
        f"  # {_text(table_topic(prefix, table.schema, table.name))}: {{key: [{columns}]}}",
    ]


def _sink(name: str, value: str, given: str, example: str) -> list[str]:
    return [f"  {name}: {value}"] if given else [f"  # {name}: ... at {example}"]


def _text(value: str) -> str:
    """A YAML text in single quotes, in which only the quote is special; with escapes where a line could end in it."""
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    plain = (char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08x}" for char in value)
    return f'"{"".join(plain)}"'

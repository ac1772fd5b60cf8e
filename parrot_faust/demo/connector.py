"""The Debezium connector of the demo, through Connect's REST API."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from parrot_faust.distribution import Addresses
from parrot_faust.errors import DistributionError

PREFIX = "shop"
ANSWER_TIMEOUT_S = 15
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
        "slot.drop.on.stop": "true",
        "table.include.list": ",".join(tables),
        "schema.name.adjustment.mode": "avro",
        "poll.interval.ms": "20",
        "tombstones.on.delete": "true",
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
    """Make the connector and wait until its task runs. Raise DistributionError with Connect's words otherwise."""
    _call(connect, f"/connectors/{name}/config", "PUT", settings)
    deadline = time.monotonic() + RUNNING_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            status = _call(connect, f"/connectors/{name}/status", "GET")
        except DistributionError:
            status = {"tasks": []}  # Connect has not begun with it yet
        states = [task["state"] for task in status["tasks"]]
        if "FAILED" in states:
            trace = status["tasks"][0].get("trace", "")
            raise DistributionError(f"the connector failed: {trace.splitlines()[0] if trace else 'no reason given'}")
        if states and all(state == "RUNNING" for state in states):
            return
        time.sleep(0.2)
    raise DistributionError(f"the connector {name} did not run within {RUNNING_TIMEOUT_S} s")


def remove_all(connect: str) -> None:
    """Delete the connectors of former demo runs."""
    for name in _call(connect, "/connectors", "GET"):
        if name.startswith("parrot_demo_"):
            remove(connect, name)


def remove(connect: str, name: str) -> None:
    """Delete a connector."""
    _call(connect, f"/connectors/{name}", "DELETE")


def _call(connect: str, path: str, method: str, body: Any = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - an http address of our own
        f"{connect}{path}",
        data=json.dumps(body).encode() if body is not None else None,
        method=method,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - as above
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise DistributionError(f"Connect refused {method} {path}: {error.read().decode(errors='replace')}") from None
    except OSError as error:
        raise DistributionError(f"Connect does not answer at {connect}: {error}") from None
    return json.loads(text) if text else None

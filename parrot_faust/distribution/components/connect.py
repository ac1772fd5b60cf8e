"""Kafka Connect with the Debezium PostgreSQL connector and the Avro converter."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from parrot_faust.distribution.components.base import LOOPBACK, Component, Context
from parrot_faust.distribution.components.kafka import VERSION as KAFKA_VERSION
from parrot_faust.distribution.components.kafka import bootstrap, log_settings, properties
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.processes import Launch
from parrot_faust.distribution.state import State
from parrot_faust.distribution.unpack import tree, unpack_tar

DEBEZIUM = "io.debezium.connector.postgresql.PostgresConnector"
ANSWER_TIMEOUT_S = 5


def _debezium(context: Context) -> Path:
    """Debezium's folder with the Avro converter beside its jars, so that one plug-in loader finds both."""
    (artefact,) = bundle("debezium-postgres")
    converter = bundle("avro-converter")

    def build(folder: Path) -> None:
        unpack_tar(context.cache.path(artefact), folder)
        (plugin,) = [path for path in folder.iterdir() if path.is_dir()]
        present = {path.name.rsplit("-", 1)[0] for path in plugin.glob("*.jar")}
        for jar in converter:
            if jar.filename.rsplit("-", 1)[0] not in present:
                (plugin / jar.filename).write_bytes(context.cache.path(jar).read_bytes())

    return tree(context.cache.root, f"connect-{artefact.sha256[:8]}-{converter[0].sha256[:8]}-{len(converter)}", build)


def prepare(context: Context) -> None:
    """Lay out the plug-in folder, once."""
    _debezium(context)


def launches(context: Context) -> Sequence[Launch]:
    """One distributed worker, alone in its group."""
    state = context.state
    folder = state.data("connect")
    file = folder / "worker.properties"
    file.write_text(settings(state, _debezium(context)), encoding="utf-8")
    options = context.jvm(768, log_settings(folder))
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    return [Launch("connect", [*options, "-cp", context.class_path("kafka"), main, file], folder=folder)]


def settings(state: State, plugins: Path) -> str:
    """The worker's properties; `plugins` is the folder of the connector."""
    topics = {name: f"parrot-connect-{name}" for name in ("configs", "offsets", "status")}
    return properties(
        {
            "bootstrap.servers": bootstrap(state),
            "group.id": "parrot-connect",
            "listeners": url(state),
            "rest.advertised.host.name": LOOPBACK,
            "rest.advertised.port": state.port("connect"),
            "plugin.path": plugins,
            # The Avro converter carries no service manifest: it is found by looking into the classes.
            "plugin.discovery": "hybrid_warn",
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "config.storage.topic": topics["configs"],
            "offset.storage.topic": topics["offsets"],
            "status.storage.topic": topics["status"],
            "config.storage.replication.factor": 1,
            "offset.storage.replication.factor": 1,
            "offset.storage.partitions": 2,
            "status.storage.replication.factor": 1,
            "status.storage.partitions": 2,
            "offset.flush.interval.ms": 5000,
            "scheduled.rebalance.max.delay.ms": 0,
            "connector.client.config.override.policy": "All",
        }
    )


def url(state: State) -> str:
    """The base of Connect's REST API."""
    return f"http://{LOOPBACK}:{state.port('connect')}"


def ready(context: Context) -> bool:
    """Whether Connect lists the Debezium connector and answers for its connectors."""
    base = url(context.state)
    for path in ("/connector-plugins", "/connectors"):
        with urllib.request.urlopen(f"{base}{path}", timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - our own address
            found = json.load(answer)
        if path == "/connector-plugins" and DEBEZIUM not in {plugin["class"] for plugin in found}:
            return False
    return True


COMPONENT = Component(
    name="connect",
    version=KAFKA_VERSION,
    bundles=("kafka", "debezium-postgres", "avro-converter"),
    processes=("connect",),
    needs=("kafka",),
    java=True,
    prepare=prepare,
    launches=launches,
    ready=ready,
    address=url,
)

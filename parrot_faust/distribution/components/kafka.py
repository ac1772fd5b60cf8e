"""Kafka, one node in KRaft mode."""

from __future__ import annotations

import asyncio
import socket
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from parrot_faust.distribution.components.base import LOOPBACK, Component, Context
from parrot_faust.distribution.processes import Launch, run
from parrot_faust.distribution.state import State

VERSION = "4.1.1"
CONNECT_TIMEOUT_S = 1.0
LARGEST_MESSAGE = 16 << 20  # a dead letter holds a record of up to this size, with its headers

LOG4J = """<Configuration>
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d %p %m (%c{1})%n%throwable"/></Console>
  </Appenders>
  <Loggers><Root level="@LEVEL@"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


def log_settings(folder: Path, level: str = "WARN") -> str:
    """Write a log4j configuration that logs to the console; return the JVM option that names it."""
    file = folder / "log4j2.xml"
    file.write_text(LOG4J.replace("@LEVEL@", level), encoding="utf-8")
    return f"-Dlog4j2.configurationFile={file}"


def properties(entries: dict[str, object]) -> str:
    """A Java properties file of simple values."""
    return "".join(f"{key}={value}\n" for key, value in entries.items())


def _config(context: Context) -> Path:
    state = context.state
    folder = state.data("kafka")
    controller = state.port("kafka-controller")
    file = folder / "server.properties"
    file.write_text(
        properties(
            {
                "process.roles": "broker,controller",
                "node.id": 1,
                "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
                "controller.listener.names": "CONTROLLER",
                "listeners": f"PLAINTEXT://{LOOPBACK}:{state.port('kafka')},CONTROLLER://{LOOPBACK}:{controller}",
                "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{state.port('kafka')}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.dirs": folder / "log",
                "auto.create.topics.enable": "false",
                "num.partitions": 4,
                "offsets.topic.replication.factor": 1,
                "offsets.topic.num.partitions": 4,
                "transaction.state.log.replication.factor": 1,
                "transaction.state.log.min.isr": 1,
                "transaction.state.log.num.partitions": 2,
                "share.coordinator.state.topic.replication.factor": 1,
                "share.coordinator.state.topic.min.isr": 1,
                "group.initial.rebalance.delay.ms": 0,
                "group.min.session.timeout.ms": 3000,
                "log.retention.hours": 168,
                "message.max.bytes": LARGEST_MESSAGE,
                "replica.fetch.max.bytes": LARGEST_MESSAGE,
                "log.cleaner.dedupe.buffer.size": 16 << 20,
            }
        ),
        encoding="utf-8",
    )
    return file


def cluster_id(draw: Callable[[], uuid.UUID] = uuid.uuid4) -> str:
    """A new cluster's id: 22 characters that begin with no hyphen, which the tool would take for an option."""
    while (text := urlsafe_b64encode(draw().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def prepare(context: Context) -> None:
    """Format the log folder, once. The file that is looked for here is the last one that formatting writes."""
    config = _config(context)
    if (config.parent / "log" / "meta.properties").exists():
        return
    tool = [*context.jvm(256, log_settings(config.parent)), "-cp", context.class_path("kafka")]
    command: list[str | Path] = [*tool, "kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", config]
    run(context.state, Launch("kafka-format", command))


def launches(context: Context) -> Sequence[Launch]:
    """One process: broker and controller."""
    config = _config(context)
    options = context.jvm(1024, log_settings(config.parent), f"-Dkafka.logs.dir={config.parent}")
    return [Launch("kafka", [*options, "-cp", context.class_path("kafka"), "kafka.Kafka", config])]


def bootstrap(state: State) -> str:
    """What a client needs to find the broker."""
    return f"{LOOPBACK}:{state.port('kafka')}"


async def _describe(address: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=3000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    finally:
        await admin.close()


def ready(context: Context) -> bool:
    """Whether the broker describes its cluster."""
    # Asked before the client is, which would log an error at each try while nobody listens yet.
    socket.create_connection((LOOPBACK, context.state.port("kafka")), timeout=CONNECT_TIMEOUT_S).close()
    return asyncio.run(_describe(bootstrap(context.state)))


COMPONENT = Component(
    name="kafka",
    version=VERSION,
    bundles=("kafka",),
    processes=("kafka",),
    needs=(),
    java=True,
    prepare=prepare,
    launches=launches,
    ready=ready,
    address=bootstrap,
)

"""A Kafka of the tests' own that asks who is there: TLS, logins and client certificates, each on a port of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from certificates import Authority, Identity

from parrot_faust.distribution.components.base import LOOPBACK, Context
from parrot_faust.distribution.components.kafka import cluster_id, log_settings, properties
from parrot_faust.distribution.fetch import Cache, Silent
from parrot_faust.distribution.java import java
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.state import State

START_S = 60.0
USER, PASSWORD = "parrot", "br0ker-geheim-7f3a"
#: Names of listeners and the protocol of each.
LISTENERS = {
    "PLAIN": "PLAINTEXT",
    "LOGIN": "SASL_SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SASL_SSL",
    "ELSEWHERE": "SASL_SSL",
    "CONTROLLER": "PLAINTEXT",
}


@dataclass(frozen=True)
class SecuredKafka:
    """Its ports by listener, and what a client may show and trust."""

    ports: dict[str, int]
    authority: Authority
    client: Identity

    def address(self, listener: str) -> str:
        """Host and port of a listener."""
        return f"{LOOPBACK}:{self.ports[listener]}"


@contextmanager
def running(folder: Path, cache_root: Path) -> Iterator[SecuredKafka]:
    """The broker, formatted with its users, until the end."""
    authority = Authority(folder / "certificates")
    identities = {
        "LOGIN": authority.issue("broker"),
        "MUTUAL": authority.issue("mutual"),
        "EXPIRED": authority.issue("expired", expired=True),
        "ELSEWHERE": authority.issue("elsewhere", ("kafka.example.org",)),
    }
    ports = dict(zip(LISTENERS, _free_ports(len(LISTENERS)), strict=True))
    config = folder / "server.properties"
    config.write_text(properties(_entries(folder, ports, authority, identities)), encoding="utf-8")
    cache = Cache(cache_root)
    cache.ensure(bundle("kafka"), Silent())
    context = Context(State.load(folder / "state"), cache, java(cache, Silent()))
    command = [*context.jvm(512, log_settings(folder)), "-cp", context.class_path("kafka")]
    users = [f"{name}=[name={USER},password={PASSWORD}]" for name in ("SCRAM-SHA-256", "SCRAM-SHA-512")]
    subprocess.run(
        [*command, "kafka.tools.StorageTool", "format", "-t", cluster_id(), "-c", str(config)]
        + [part for user in users for part in ("--add-scram", user)],
        check=True,
        capture_output=True,
        timeout=START_S,
    )
    log = folder / "kafka.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "kafka.Kafka", str(config)], stdout=out, stderr=out)
    try:
        _wait(ports["LOGIN"], process, log)
        yield SecuredKafka(ports, authority, authority.issue("worker", password="of-the-key-geheim"))
    finally:
        process.kill()
        process.wait()


def _entries(
    folder: Path, ports: dict[str, int], authority: Authority, identities: dict[str, Identity]
) -> dict[str, object]:
    addresses = {name: f"{name}://{LOOPBACK}:{port}" for name, port in ports.items()}
    entries: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports['CONTROLLER']}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAIN",
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(address for name, address in addresses.items() if name != "CONTROLLER"),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items()),
        "log.dirs": folder / "log",
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 2,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 3000,
        "message.max.bytes": 16 << 20,
        "log.cleaner.dedupe.buffer.size": 16 << 20,
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.ca,
        "listener.name.mutual.ssl.client.auth": "required",
    }
    login = "org.apache.kafka.common.security.{0}.{1}LoginModule required{2};"
    for name, identity in identities.items():
        store = folder / f"{name}.pem"
        store.write_text(identity.both, encoding="utf-8")
        prefix = f"listener.name.{name.lower()}"
        entries |= {f"{prefix}.ssl.keystore.type": "PEM", f"{prefix}.ssl.keystore.location": store}
        plain = login.format("plain", "Plain", f' user_{USER}="{PASSWORD}"')
        entries[f"{prefix}.plain.sasl.jaas.config"] = plain
        for mechanism in ("scram-sha-256", "scram-sha-512"):
            entries[f"{prefix}.{mechanism}.sasl.jaas.config"] = login.format("scram", "Scram", "")
    return entries


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection((LOOPBACK, port), 1.0).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"Kafka did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()

"""The same servers as containers, for `pytest --containers` on a machine with a Docker engine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parrot_faust.distribution import Addresses

TOP = Path(__file__).resolve().parents[1]
PASSWORD = "PARROT_POSTGRES_PASSWORD"


def addresses(password: str) -> Addresses:
    """Where docker-compose.yml puts each server, with the ports it has by default."""
    return Addresses(
        kafka="127.0.0.1:9092",
        registry="http://127.0.0.1:8081/apis/ccompat/v7",
        registry_native="http://registry:8080/apis/registry/v2",
        connect="http://127.0.0.1:8083",
        postgres={"host": "127.0.0.1", "port": 5432, "user": "parrot", "password": password, "dbname": "shop"},
        postgres_inside=("postgres", 5432),
        hbase_thrift="127.0.0.1:9090",
        hbase_thrift2="127.0.0.1:9091",
        kudu_masters=("127.0.0.1:7051",),
        kafka_inside="kafka:19092",
    )


@contextmanager
def running() -> Iterator[Addresses]:
    """Start all services, wait until each is healthy, and take them away with their data at the end."""
    from testcontainers.compose import DockerCompose

    password = os.environ.setdefault(PASSWORD, secrets.token_hex(16))
    with DockerCompose(TOP, compose_file_name="docker-compose.yml", build=True, wait=True, keep_volumes=False):
        yield addresses(password)

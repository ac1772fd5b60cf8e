"""Every test of this folder runs once with each store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stores import HBaseStore, KuduStore, MemoryStore, Store, Tables

from parrot_faust.sinks.base import Sink

REAL = {"kudu": KuduStore, "hbase": HBaseStore}


@pytest.fixture(
    params=["memory", *(pytest.param(name, marks=pytest.mark.integration) for name in REAL)], scope="session"
)
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    return REAL[request.param](request.getfixturevalue("distribution"))


@pytest.fixture
def sink(store: Store) -> Iterator[Sink]:
    opened = store.sink()
    yield opened
    opened.close()


@pytest.fixture
def tables(store: Store) -> Iterator[Tables]:
    tables = Tables()
    yield tables
    if tables.made:
        store.drop(tables.made[0])

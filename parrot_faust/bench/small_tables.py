"""Many small tables in the stores: whether each has its rows, and removing them, several at a time where that helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import happybase

from parrot_faust.distribution import Addresses
from parrot_faust.errors import DistributionError

AT_ONCE = 8  # of HBase's tables: each is some steps of its master, which goes about several tables at once

Say = Callable[[str], None]


def check(addresses: Addresses, sinks: Sequence[str], targets: Sequence[str], rows: int, say: Say) -> None:
    """Raise DistributionError unless every table has so many rows in every store."""
    for sink in sinks:
        say(f"reading every table of {sink}")
        found = _kudu_counts(addresses, targets) if sink == "kudu" else _hbase_counts(addresses, targets)
        if wrong := {target: count for target, count in found.items() if count != rows}:
            first, count = next(iter(wrong.items()))
            raise DistributionError(f"{len(wrong)} tables of {sink} have not {rows} rows: {first} has {count}")


def drop(addresses: Addresses, sinks: Sequence[str], targets: Sequence[str], say: Say) -> None:
    """Drop tables of these names; one that is not there is no error."""
    wanted = set(targets)
    if "kudu" in sinks:
        client = _kudu(addresses)
        for number, target in enumerate(sorted(wanted.intersection(client.list_tables()))):
            if not number % 20:
                say(f"dropping Kudu's tables: {number:,}")
            client.delete_table(target)
    if "hbase" in sinks:
        there = sorted(wanted.intersection(_on_hbase(addresses, _names)))
        say(f"dropping {len(there):,} of HBase's tables")
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: _on_hbase(addresses, _deleted, name), there))


def _kudu(addresses: Addresses) -> Any:
    import kudu  # loads 20 MB of libraries, needed only here

    host, port = addresses.kudu_masters[0].rsplit(":", 1)
    return kudu.connect(host, int(port))


def _kudu_counts(addresses: Addresses, targets: Sequence[str]) -> dict[str, int]:
    client = _kudu(addresses)
    there = set(client.list_tables())
    return {
        target: len(client.table(target).scanner().open().read_all_tuples()) if target in there else 0
        for target in targets
    }


def _hbase_counts(addresses: Addresses, targets: Sequence[str]) -> dict[str, int]:
    there = set(_on_hbase(addresses, _names))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = pool.map(lambda name: _on_hbase(addresses, _count, name) if name in there else 0, targets)
        return dict(zip(targets, counts, strict=True))


def _on_hbase(addresses: Addresses, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do something on a connection of its own: one serves one thread."""
    host, port = addresses.hbase_thrift.rsplit(":", 1)
    connection = happybase.Connection(host, int(port), timeout=120_000)
    try:
        return work(connection, *arguments)
    finally:
        connection.close()


def _names(connection: Any) -> list[str]:
    return [name.decode() for name in connection.tables()]


def _count(connection: Any, name: str) -> int:
    return sum(1 for _ in connection.table(name).scan())


def _deleted(connection: Any, name: str) -> None:
    connection.delete_table(name, disable=True)

"""What can't be applied is kept byte for byte, stops nothing, and can be sent again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import kudu
import pytest
from pipelines import Pipeline, eventually, pipeline
from sources import Source, make_topic

from parrot_faust.delivery.heads import HEAD_BYTES
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

pytestmark = pytest.mark.integration


@pytest.fixture
def run(distribution: Addresses, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path) as made:
        yield made


def dense(size: int) -> str:
    """A text that does not compress, because a broker's limit is on what is sent."""
    return b64encode(Random(size).randbytes(size))[:size].decode()


KAFKAS_OWN = {"max.message.bytes": "1048588"}  # what a broker has that nobody has set up
Filed = dict[tuple[int, str], tuple[dict[str, str], bytes | None, bytes | None]]


def filed(run: Pipeline, table: str, count: int) -> Filed:
    """The dead letters of a table by offset and sink, once there are so many."""

    def there() -> bool:
        return run.dead(table).records >= count

    eventually(there)
    letters = run.dead(table).contents
    assert len(letters) == count
    return {
        (int(headers["parrot.offset"]), headers.get("parrot.sink", "")): (headers, key, value)
        for headers, key, value in letters
    }


def letters(worker: Worker, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run `parrot deadletters` with the worker's settings; return exit status and what it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("parrot"), "deadletters", *arguments, "--json"],
        env={**os.environ, "PARROT_CONFIG": str(worker.settings)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def accounts(worker: Worker, topic: str) -> tuple[Any, Any]:
    """What the worker has counted of a topic, at the source and in each sink."""
    view = worker.stats()
    sinks = {name: sink["tables"].get(topic) for name, sink in view["sinks"].items()}
    counts = {name: {key: table[key] for key in ("applied", "dead_lettered")} for name, table in sinks.items() if table}
    return view["sources"][topic], counts


class KuduBlocker:
    """A table in Kudu, in the way of one that cannot be like it."""

    def __init__(self, run: Pipeline, table: str) -> None:
        self._name = f"{run.name}.{table}"
        host, port = run.addresses.kudu_masters[0].rsplit(":", 1)
        self._client = kudu.connect(host, int(port))
        builder = kudu.schema_builder()
        builder.add_column("id", kudu.int64, nullable=False)
        builder.add_column("note", kudu.int64)
        builder.set_primary_keys(["id"])
        partitioning = kudu.client.Partitioning().add_hash_partitions(["id"], 2)
        self._client.create_table(self._name, builder.build(), partitioning, n_replicas=1)

    def remove(self) -> None:
        self._client.delete_table(self._name)


# -- size ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", ["ours", "theirs"])
def test_no_record_is_too_large_to_be_kept_and_none_stops_the_worker(run: Pipeline, limits: str) -> None:
    run.sql("create table sizes (id bigint primary key, note text)")
    run.sql("insert into sizes values (1, 'before'), (9, 'after')")
    source = Source(run, "sizes")
    if limits == "theirs":  # topics that someone has made with Kafka's own limit of 1 MB
        make_topic(run.addresses.kafka, f"{run.app}.held", 4, **KAFKAS_OWN)
        make_topic(run.addresses.kafka, f"{run.app}.dead.{source.topic}", **KAFKAS_OWN)
    worker = run.worker()
    large: list[tuple[bytes | None, bytes | None]] = [
        source.change(id=2, note=dense(850_000)),
        source.change(id=3, note=dense(1_100_000)),
        source.change(id=4, note=dense(10_000_000)),
        (source.key(5), b"<" + dense(15_500_000).encode()),
    ]
    source.put(source.change(id=1, note="before"), *large, source.change(id=9, note="after"))
    headers = [("trace", b"abc")]
    source.put((source.key(6), b"<" * 100), headers=headers)
    many = [("many", dense(300_000).encode())]
    last = source.put((dense(1_000_000).encode(), b"<"), headers=many)[0]

    def applied() -> bool:
        return run.store("kudu", "sizes", "id") == run.source("sizes", "id")

    eventually(applied)
    letters = filed(run, "sizes", 6)
    reasons = {place: headers["parrot.error"] for place, (headers, _, _) in letters.items()}
    assert reasons == {
        (1, "kudu"): "ValueRefused",  # a cell of Kudu has 64 KiB
        (2, ""): "RowTooLarge",
        (3, ""): "RowTooLarge",
        (4, ""): "DecodeError",
        (6, ""): "DecodeError",
        (last, ""): "DecodeError",
    }
    assert (2,) in run.store("hbase", "sizes", "id"), "what one store refuses the other has"
    whole = {1, 6} if limits == "theirs" else {1, 2, 3, 6, last}
    for (offset, _), (headers_of, key, value) in letters.items():
        if offset in whole:
            assert "parrot.truncated" not in headers_of
        if offset in range(1, 5):
            original_key, original = large[offset - 1]
            assert key == original_key
            if offset not in whole:
                assert headers_of["parrot.truncated"] == "value"
                assert original is not None
                assert headers_of["parrot.value_size"] == str(len(original))
                assert headers_of["parrot.value_sha256"] == sha256(original).hexdigest()
                original = original[:HEAD_BYTES]
            assert value == original
    assert letters[6, ""][0]["trace"] == "abc"
    if limits == "theirs":
        assert letters[last, ""][0]["parrot.truncated"] == "headers,key"
        assert letters[last, ""][1] == dense(1_000_000).encode()[:HEAD_BYTES]
    assert worker.running
    assert "stopping" not in run.log()


# -- sending again ---------------------------------------------------------------------------------------------------


def test_letters_are_sent_again_in_the_order_of_their_keys_and_never_over_something_newer(run: Pipeline) -> None:
    run.sql("create table goods (id bigint primary key, note text)")
    run.sql("insert into goods values (1, 'one'), (2, 'newer'), (4, 'four again'), (9, 'last')")
    source = Source(run, "goods")
    blocker = KuduBlocker(run, "goods")
    worker = run.worker()
    source.put(
        source.change(id=1, note="one"),  # replayed
        source.change(id=2, note="older"),  # replaced by a newer update
        source.change(id=3, note="three"),  # deleted later
        source.change(id=4, note="four"),
        source.change("d", id=4, note="four"),
        (source.key(4), None),
        source.change(id=4, note="four again"),  # four letters of one key: all replayed, in order
        (None, b"nobody's"),
        (source.key(5), b"{"),  # never readable
    )
    filed(run, "goods", 8)
    blocker.remove()
    source.put(
        source.change("u", id=2, note="newer"),
        source.change("d", id=3, note="three"),
        (source.key(3), None),
        source.change(id=9, note="last"),
    )

    def current() -> bool:
        return set(run.store("kudu", "goods", "id")) == {(2,), (9,)}

    eventually(current)
    before = accounts(worker, source.topic)
    _, listed = letters(worker, "list", "--each")
    assert listed["counts"] == {"open": 8, "forwarded": 0, "closed": 0}
    assert {(group["reason"], group["sink"], group["count"]) for group in listed["groups"]} == {
        ("TableRefused", "kudu", 6),
        ("DecodeError", "", 2),
    }
    code, planned = letters(worker, "replay", "--dry-run")
    expected = {"applied": 4, "superseded": 2, "refused": 1, "failed": 1}
    assert (code, planned["outcomes"]) == (0, {"would be sent": 5, "superseded": 2, "refused": 1})
    assert letters(worker, "list", "--each")[1] == listed, "a dry run changes nothing"

    code, report = letters(worker, "replay")
    assert (code, report["outcomes"]) == (1, expected), report
    assert report["before"] == {"open": 8, "forwarded": 0, "closed": 0}
    assert report["after"] == {"open": 2, "forwarded": 0, "closed": 6}
    run.equal("goods", "id")
    assert accounts(worker, source.topic) == before, "what was counted when it came is not counted again"
    view = worker.stats()["redrive"]
    assert view["sources"] == {source.topic: {"forwarded": 4, "failed": 1}}
    assert view["sinks"] == [{"sink": "kudu", "table": source.topic, "applied": 4, "failed": 0}]

    code, again = letters(worker, "replay")
    assert (code, again["outcomes"]) == (1, {"refused": 1, "failed": 1}), "what failed again is still one letter"
    assert run.dead("goods").records == 8
    code, thrown = letters(worker, "discard", "--yes", "--reason", "decodeerror")
    assert (code, thrown["discarded"], thrown["after"]["open"]) == (0, 2, 0)
    assert letters(worker, "replay")[0] == 0
    run.equal("goods", "id")

"""What can't be applied is kept byte for byte, stops nothing, and can be sent again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import kudu
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pipelines import Pipeline, eventually, pipeline
from sources import Source, make_topic, set_topic

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


def filed(run: Pipeline, table: str, count: int, *, crashed: bool = False) -> Filed:
    """The dead letters of a table by offset and sink, once there are so many.

    Each comes once, unless a worker has crashed before it could commit that it was on its way.
    """

    def there() -> Filed | None:
        contents = run.dead(table).contents
        found = {
            (int(headers["parrot.offset"]), headers.get("parrot.sink", "")): (headers, key, value)
            for headers, key, value in contents
        }
        assert crashed or len(contents) == len(found)
        return found if len(found) >= count else None

    letters: Filed = eventually(there)
    assert len(letters) == count
    return letters


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

    eventually(applied, timeout_s=120)
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

    def in_the_other() -> bool:  # what one store refuses the other has
        return (2,) in run.store("hbase", "sizes", "id")

    eventually(in_the_other)
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
    run.equal("goods", "id", timeout_s=120)
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
    run.equal("goods", "id", timeout_s=120)


# -- what is no event ------------------------------------------------------------------------------------------------

ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {
            "name": "before",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Value",
                    "fields": [{"name": "id", "type": "long"}, {"name": "note", "type": ["null", "string"]}],
                },
            ],
        },
        {"name": "after", "type": ["null", "Value"]},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [
                    {"name": "db", "type": "string"},
                    {"name": "schema", "type": "string"},
                    {"name": "table", "type": "string"},
                    {"name": "ts_ms", "type": "long"},
                ],
            },
        },
        {"name": "op", "type": "string"},
    ],
}


class Registry:
    """The real registry, which gives every new schema the next id."""

    def __init__(self, run: Pipeline) -> None:
        self._url, self._run, self.ids = run.addresses.registry, run, dict[int, str]()

    def register(self, number: int) -> int:
        """Register a variant of the envelope; return its id."""
        schema = ENVELOPE | {"doc": f"{self._run.name} {number}"}
        request = urllib.request.Request(
            f"{self._url}/subjects/{self._run.name}-{number}/versions",
            json.dumps({"schema": json.dumps(schema)}).encode(),
            {"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(json.load(answer)["id"])


def avro(run: Pipeline, schema_id: int, row: dict[str, Any]) -> bytes:
    """A change in Avro, framed with this id whether or not the registry knows it."""
    source = {"db": run.name, "schema": run.name, "table": "notes", "ts_ms": 1_700_000_000_000}
    body = BytesIO()
    event = {"before": None, "after": row, "source": source, "op": "c"}
    fastavro.schemaless_writer(body, fastavro.parse_schema(ENVELOPE), event)
    return b"\x00" + schema_id.to_bytes(4, "big") + body.getvalue()


def test_poison_is_kept_byte_for_byte_and_what_can_be_read_later_is_applied_then(run: Pipeline) -> None:
    run.sql("create table notes (id bigint primary key, note text)")
    source, registry = Source(run, "notes"), Registry(run)
    known = registry.register(0)
    later = range(known + 30, known + 34)  # far ahead, because others may register too
    worker = run.worker()
    poison: list[tuple[bytes | None, bytes | None]] = [
        (source.key(1), b'{"before": null, "after": {'),
        (source.key(2), avro(run, known, {"id": 2, "note": "cut short"})[:-9]),
        (source.key(3), source.change("x", id=3, note="no such operation")[1]),
        (source.key(4), b"\x01" + avro(run, known, {"id": 4, "note": "x"})[1:]),
        *((source.key(schema_id), avro(run, schema_id, {"id": schema_id, "note": "later"})) for schema_id in later),
    ]
    records: list[tuple[bytes | None, bytes | None]] = []
    for number, each in enumerate(poison):
        records += [each, source.change(id=-number, note="neighbour")]
        run.sql("insert into notes values (%s, 'neighbour')", -number)
    offsets = source.put(*records, headers=[("trace", b"\x00abc")])
    run.equal("notes", "id", timeout_s=120)
    found = filed(run, "notes", len(poison))
    assert {offset: (key, value) for (offset, _), (_, key, value) in found.items()} == dict(
        zip(offsets[::2], poison, strict=True)
    )
    reasons = [found[offset, ""][0]["parrot.error"] for offset in offsets[::2]]
    assert reasons == ["DecodeError"] * 4 + ["UnknownSchema"] * len(later)
    before = accounts(worker, source.topic)
    assert before[0]["dead_lettered"] == len(poison)

    ours = []
    for number in range(1, 100):
        if (schema_id := registry.register(number)) > later[-1]:
            break
        if schema_id in later:
            ours.append(schema_id)
    assert ours, "all of the ids were taken by others"
    for schema_id in ours:
        run.sql("insert into notes values (%s, 'later')", schema_id)
    code, planned = letters(worker, "replay", "--reason", "UnknownSchema", "--dry-run")
    assert (code, planned["outcomes"], planned["chosen"]) == (0, {"would be sent": len(later)}, len(later))
    by_page = worker.act("redrive", table=source.topic, reason="UnknownSchema")
    assert by_page["words"].startswith(f"{len(later)} letters are to be sent again"), by_page

    def replayed() -> dict[str, Any] | None:  # the worker asks the registry for an unknown id only now and then
        report = letters(worker, "replay", "--reason", "unknownschema")[1]
        still = {outcome["address"] for outcome in report["letters"] if outcome["outcome"] == "failed"}
        return report if len(still) == len(later) - len(ours) else None

    eventually(replayed, timeout_s=90)
    run.equal("notes", "id", timeout_s=120)
    assert accounts(worker, source.topic) == before

    code, shown = letters(worker, "show", f"{source.topic}/0/{offsets[4]}")
    assert code == 0
    (letter,) = shown["letters"]
    assert (letter["key"], letter["reason"], letter["state"]) == ({"id": 3}, "DecodeError", "open")
    assert "no such operation" in letter["head"]
    code, thrown = letters(worker, "discard", "--yes", "--dry-run", "--key", "3", "--key", '{"id": 4}')
    assert (code, thrown["discarded"]) == (0, 2)
    code, thrown = letters(worker, "discard", "--yes", "--key", "3", "--key", '{"id": 4}')
    left = 2 + len(later) - len(ours)
    assert (code, thrown["discarded"], thrown["after"]["open"]) == (0, 2, left)
    assert letters(worker, "list", "--since", "2h")[1]["counts"]["open"] == left
    assert letters(worker, "list", "--since", "2099-01-01")[1]["counts"]["open"] == 0
    assert letters(worker, "list", "--all", "--topic", "*.notes")[1]["counts"]["closed"] == 2 + len(ours)


def test_what_a_rule_held_back_is_sent_again_once_the_rule_lets_it_pass(run: Pipeline) -> None:
    run.sql("create table prices (id bigint primary key, note text)")
    run.sql("insert into prices values (1, 'rare'), (2, 'fine')")
    source = Source(run, "prices")
    run.rules("prices", "columns: {note: [{be_in_set: [fine]}]}\n")
    worker = run.worker()
    source.put(source.change(id=1, note="rare"), source.change(id=2, note="fine"))

    def quarantined() -> bool:
        return run.quarantine("prices").records == 1

    eventually(quarantined)
    code, report = letters(worker, "replay", "--quarantine")
    assert (code, report["outcomes"], report["letters"][0]["reason"]) == (1, {"failed": 1}, "RuleFailed")
    worker.stop()
    run.rules("prices", "columns: {note: [{be_in_set: [fine, rare]}]}\n")
    worker = run.worker()
    code, report = letters(worker, "replay", "--quarantine")
    assert (code, report["outcomes"], report["after"]["open"]) == (0, {"applied": 1}, 0)
    run.equal("prices", "id", timeout_s=120)
    assert run.quarantine("prices").records == 1
    assert letters(worker, "list")[1]["counts"]["open"] == 0


# -- topics that can't be written ------------------------------------------------------------------------------------

OURS = {"retention.ms": "-1", "max.message.bytes": str(16 << 20)}


def committed(run: Pipeline, topic: str) -> int:
    """The sum of the group's committed offsets of a topic."""

    async def ask() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=run.addresses.kafka)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(run.app)
        finally:
            await admin.close()
        return sum(entry.offset for tp, entry in offsets.items() if tp.topic == topic and entry.offset > 0)

    return asyncio.run(ask())


@pytest.mark.parametrize("place", ["held", "dead"])
def test_poison_is_not_passed_over_while_the_topic_that_keeps_it_can_t_be_written(run: Pipeline, place: str) -> None:
    run.sql("create table kept (id bigint primary key, note text)")
    run.sql("insert into kept values (1, 'before'), (2, 'after')")
    source = Source(run, "kept")
    worker = run.worker()
    source.put(source.change(id=1, note="before"), (source.key(7), b"first"))
    filed(run, "kept", 1)
    topic = f"{run.app}.held" if place == "held" else f"{run.app}.dead.{source.topic}"
    waits = source.topic if place == "held" else f"{run.app}.held"  # what must not be committed

    def settled() -> bool:
        return committed(run, source.topic) == 2 and committed(run, f"{run.app}.held") == 1

    eventually(settled)
    before = committed(run, waits)
    set_topic(run.addresses.kafka, topic, **OURS | {"max.message.bytes": "10"})  # which not even a head fits
    source.put((source.key(8), b"second"))

    def stopped() -> bool:
        return not worker.running

    eventually(stopped)
    assert "MessageSizeTooLarge" in run.log()
    assert worker.stop() not in (0, None)
    assert committed(run, waits) == before
    assert run.dead("kept").records == 1
    set_topic(run.addresses.kafka, topic, **OURS)
    run.worker()
    source.put(source.change(id=2, note="after"))
    run.equal("kept", "id", timeout_s=120)
    found = filed(run, "kept", 2, crashed=True)
    assert {(key, value) for _, key, value in found.values()} == {
        (source.key(7), b"first"),
        (source.key(8), b"second"),
    }

    def passed() -> bool:
        return committed(run, source.topic) == 4 and committed(run, f"{run.app}.held") >= 2

    eventually(passed)

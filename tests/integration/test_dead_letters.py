"""What can't be applied is kept byte for byte, stops nothing, and can be sent again."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from pipelines import Pipeline, eventually, pipeline
from sources import Source, make_topic

from parrot_faust.delivery.heads import HEAD_BYTES
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

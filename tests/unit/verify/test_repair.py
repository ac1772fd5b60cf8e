"""What is sent so that a row comes through the pipeline again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_reader, schemaless_writer

from models import Op
from parrot_faust.codec import Decoder
from parrot_faust.verify.broker import Found, Offsets
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.repair import HEADER, Repair, RepairRefused
from parrot_faust.verify.stored import Logical

TOPIC = "shop.public.t"
PLAN = TablePlan(
    TOPIC,
    "public",
    "t",
    (ColumnPlan("id", Logical.INT32, "int4", "integer"), ColumnPlan("name", Logical.TEXT, "text", "text")),
    1,
    {"kudu": "public.t"},
)
SOURCE = {"db": "shop", "schema": "public", "table": "t", "ts_ms": 1, "ts_us": 1_000, "snapshot": "true"}
ENVELOPE = {"op": "r", "before": None, "after": {"id": 7, "name": "seven"}, "source": SOURCE, "ts_ms": 1}
ROW = {
    "type": "record",
    "name": "Value",
    "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": "string"}],
}
AVRO = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", ROW]},
        {"name": "after", "type": ["null", "Value"]},
        {
            "name": "source",
            "type": {
                "type": "record",
                "name": "Source",
                "fields": [{"name": name, "type": "long" if name.startswith("ts") else "string"} for name in SOURCE],
            },
        },
        {"name": "op", "type": "string"},
        {"name": "ts_ms", "type": "long"},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "int"}]}
SCHEMAS = {1: json.dumps(KEY), 2: json.dumps(AVRO)}


def avro(identity: int, record: Any) -> bytes:
    data = BytesIO()
    schemaless_writer(data, parse_schema(json.loads(SCHEMAS[identity])), record)
    return b"\0" + identity.to_bytes(4, "big") + data.getvalue()


EXAMPLES = {
    "avro": (avro(1, {"id": 7}), avro(2, ENVELOPE)),
    "json": (json.dumps({"id": 7}).encode(), json.dumps(ENVELOPE).encode()),
}


class Topics:
    """Keeps what is sent; a signal is answered by the rows it asks for."""

    def __init__(self, form: str, *, answers: bool = True) -> None:
        key, value = EXAMPLES[form]
        self.records = [Found(0, 0, key, value, {})]
        self.sent: list[tuple[str, Any]] = []
        self.answers = answers
        self.made: list[str] = []

    def ends(self, topics: Sequence[str]) -> Offsets:
        return {(topic, 0): len(self.records) for topic in topics}

    def read(self, _topic: str, take: Callable[[Found], None], start: Mapping[int, int] | None = None) -> None:
        for record in self.records:
            if start is None or record.offset >= start.get(0, 0):
                take(record)

    def make(self, topic: str, *, config: Mapping[str, str]) -> None:
        self.made.append(topic)

    def send(self, topic: str, messages: Sequence[Any]) -> None:
        self.sent += [(topic, message) for message in messages]
        if topic == "shop.debezium-signals" and self.answers:
            for number in (1, 2):
                self.records.append(Found(0, len(self.records), json.dumps({"id": number}).encode(), b"{}", {}))


def repair(topics: Topics, plan: TablePlan = PLAN) -> Repair:
    return Repair(plan, topics, lambda _plan, keys: f"id in {keys}", SCHEMAS.get, 0.0)


def test_rows_of_the_source_are_asked_for_by_their_keys_alone() -> None:
    topics = Topics("json")
    repair(topics).snapshot([(1,), (2,)])
    ((topic, (key, value, partition, _)),) = topics.sent
    assert (topic, key, partition, topics.made) == ("shop.debezium-signals", b"shop", 0, ["shop.debezium-signals"])
    signal = json.loads(value)
    assert (signal["type"], signal["data"]["type"]) == ("execute-snapshot", "INCREMENTAL")
    assert signal["data"]["data-collections"] == ["public.t"]
    assert signal["data"]["additional-conditions"] == [{"data-collection": "public.t", "filter": "id in [(1,), (2,)]"}]


def test_as_few_signals_are_sent_as_their_size_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [(1,), (2,)] * 500
    topics = Topics("json")
    repair(topics).snapshot(keys)
    assert len(topics.sent) == 1

    largest = len(json.dumps(f"id in {keys}")) // 3
    monkeypatch.setattr("parrot_faust.verify.repair.CONDITION_BYTES", largest)
    topics = Topics("json")
    repair(topics).snapshot(keys)
    filters = [json.loads(value)["data"]["additional-conditions"][0]["filter"] for _, (_, value, _, _) in topics.sent]
    assert len(filters) == 4
    assert max(map(len, filters)) < largest
    assert sum(text.count("(") for text in filters) == len(keys), "each key is asked for once"


def test_a_connector_that_does_not_answer_is_told_what_it_needs() -> None:
    with pytest.raises(RepairRefused, match=r"signal\.kafka\.topic=shop\.debezium-signals"):
        repair(Topics("json", answers=False)).snapshot([(1,)])


@pytest.mark.parametrize("form", EXAMPLES)
def test_a_row_that_only_a_store_has_is_deleted_by_a_record_that_the_worker_reads_as_one(form: str) -> None:
    topics = Topics(form)
    repair(topics).delete([(9_001,)])
    ((topic, (key, value, partition, headers)),) = topics.sent
    assert (topic, partition, list(headers)) == (TOPIC, None, [HEADER])
    if form == "avro":
        assert key == avro(1, {"id": 9_001})  # the bytes that the connector's own records of the key have
    decoder = Decoder(format="auto")
    for identity, text in SCHEMAS.items():
        decoder.learn(identity, text)
    decoded = decoder.decode(TOPIC, [SimpleNamespace(offset=0, key=key, value=value, timestamp=0, headers=())])
    assert decoded.failures == []
    ((segment,),) = [decoded.segments]
    (change,) = segment.changes
    assert (change.op, change.key, change.after) == (Op.DELETE, (9_001,), None)
    assert change.time_us > 1_000_000_000_000_000


def test_nothing_is_deleted_by_a_key_whose_form_is_not_known_for_sure() -> None:
    first = ColumnPlan("id", Logical.MOMENT, "timestamptz", "timestamp with time zone")
    plan = TablePlan(TOPIC, "public", "t", (first,), 1, {"kudu": "public.t"})
    topics = Topics("json")
    with pytest.raises(RepairRefused, match="timestamp with time zone"):
        repair(topics, plan).delete([(1,)])
    assert topics.sent == []


def test_a_topic_without_envelopes_takes_no_deletes() -> None:
    topics = Topics("json")
    topics.records = [Found(0, 0, b'{"id": 1}', b'{"id": 1, "name": "flat"}', {})]
    with pytest.raises(RepairRefused, match="envelope"):
        repair(topics).delete([(1,)])


def test_the_avro_written_is_the_avro_read() -> None:
    topics = Topics("avro")
    repair(topics).delete([(3,)])
    ((_, (_, value, _, _)),) = topics.sent
    read: Any = schemaless_reader(BytesIO(value[5:]), parse_schema(json.loads(SCHEMAS[2])), None)
    assert (read["op"], read["before"], read["after"], read["source"]["table"]) == ("d", None, None, "t")

"""A worker over TLS and SCRAM with masked columns, and then a search for every secret in everything it has left."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import kudu
import pytest
import secured_kafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from pipelines import eventually
from secured_kafka import PASSWORD, USER, SecuredKafka

from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution import Addresses, Local
from parrot_faust.kafka import client_options
from parrot_faust.settings import Settings, load
from parrot_faust.transport.admin import BrokerAdmin

pytestmark = pytest.mark.integration

KEY = "mask-key-geheim-1234"
REGISTRY_PASSWORD = "r3gistry-geheim"
EMAIL, CARD, NAME = "ada.lovelace@secret.example", "4111-7777-3333-9999", "Lovelace-Augusta"
HELD_EMAIL, LONG_EMAIL = "held.person@secret.example", "long.person@secret.example"
POISON = "poisoned.person@secret.example"
PLACEHOLDER = "__debezium_unavailable_value"
#: What must be nowhere but where it came from.
PLANTED = (
    PASSWORD,
    KEY,
    REGISTRY_PASSWORD,
    EMAIL,
    CARD,
    NAME,
    HELD_EMAIL,
    LONG_EMAIL,
    POISON,
    "secret.example",
    "7777",
)

SETTINGS = """\
app: {app}
brokers: '{broker}'
kafka:
  tls: {{ca: '{ca}'}}
  sasl: {{mechanism: SCRAM-SHA-512, user: {user}, password: '${{file:{password}}}'}}
state: '{folder}/state'
web: {{port: {port}}}
source:
  topics: '{topic}'
  format: json
  registry: http://127.0.0.1:1
  registry_user: reader
  registry_password: '${{REGISTRY_PASSWORD}}'
sinks:
  kudu: {{masters: ['{masters}'], buckets: 2, replicas: 1}}
quality: '{folder}/rules'
masking: {{key: '${{MASK_KEY}}'}}
tables:
  {topic}: {{mask: {{email: sha256, card: keep last 4, name: redact, born: null}}}}
"""
RULES = """\
table: {topic}
columns:
  card:
    - match_regex: '^4111'
  n:
    - be_between: {{max_value: 100}}
rows:
  - expect_column_pair_values_to_be_equal: {{column_A: name, column_B: copy}}
    row_condition: n == 50
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka.running(tmp_path_factory.mktemp("kafka"), Local.here().cache) as running:
        yield running


def change(topic: str, id: int, op: str = "c", **row: Any) -> tuple[bytes, bytes]:
    """Key and value as Debezium writes them without schema."""
    full = {"id": id, "n": 1, "email": EMAIL, "card": CARD, "name": NAME, "copy": "visible", "born": 1815} | row
    prefix, namespace, table = topic.split(".")
    source = {"db": prefix, "schema": namespace, "table": table, "ts_ms": 1_700_000_000_000 + id}
    value = {"before": None, "after": full, "source": source, "op": op}
    return json.dumps({"id": id}).encode(), json.dumps(value).encode()


async def produce(settings: Settings, topic: str, records: list[tuple[bytes, bytes]]) -> None:
    admin = BrokerAdmin(client_options(settings), 1, None)
    await admin.connect(lambda: False)
    await admin.client.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        for key, value in records:
            await producer.send_and_wait(topic, value, key=key)


async def contents(settings: Settings, unread: str) -> dict[str, list[bytes]]:
    """Every key, value and header in every topic but the source's."""
    found: dict[str, list[bytes]] = {}
    async with AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest") as consumer:
        topics = [topic for topic in await consumer.topics() if topic != unread]
        consumer.subscribe(topics)
        while batch := await consumer.getmany(timeout_ms=3000):
            for tp, records in batch.items():
                for record in records:
                    parts = (record.key, record.value, *(text for _, text in record.headers))
                    found.setdefault(tp.topic, []).append(b"\n".join(part for part in parts if part))
    return found


def kudu_rows(addresses: Addresses, table: str) -> dict[int, dict[str, Any]]:
    host, _, port = addresses.kudu_masters[0].partition(":")
    client = kudu.connect(host, int(port))
    if not client.table_exists(table):
        return {}
    scanner = client.table(table).scanner().open()
    names = [column.name for column in client.table(table).schema]
    rows = [dict(zip(names, row, strict=True)) for row in scanner.read_all_tuples()]
    return {row["id"]: row for row in rows}


def leaks(where: str, data: bytes) -> list[str]:
    return [f"{planted} in {where}" for planted in PLANTED if planted.encode() in data]


def test_no_secret_and_no_masked_value_is_anywhere_after_a_run(
    kafka: SecuredKafka, distribution: Addresses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = f"s{uuid4().hex[:8]}"
    topic, app, port = f"{schema}.{schema}.people", f"app-{schema}", free_port()
    (tmp_path / "password").write_text(PASSWORD + "\n")
    folder = tmp_path / "worker"
    (folder / "rules").mkdir(parents=True)
    (folder / "rules" / "people.yaml").write_text(RULES.format(topic=topic))
    monkeypatch.setenv("MASK_KEY", KEY)
    monkeypatch.setenv("REGISTRY_PASSWORD", REGISTRY_PASSWORD)
    text = SETTINGS.format(
        app=app,
        broker=kafka.address("LOGIN"),
        ca=kafka.authority.ca,
        user=USER,
        password=tmp_path / "password",
        folder=folder,
        port=port,
        topic=topic,
        masters=distribution.kudu_masters[0],
    )
    worker = Worker(folder, text, port)
    settings = load(worker.settings)
    records = [change(topic, id) for id in range(20)]
    records += [
        change(topic, 100, card="5000-7777-0000-0000"),  # a rule on a masked column
        change(topic, 101, n=1000, email=HELD_EMAIL),  # a rule on another column
        change(topic, 102, n=50),  # a rule on a pair of which one is masked
        change(topic, 103, n=1000, email=LONG_EMAIL),
        change(topic, 103, "u", email=PLACEHOLDER),  # takes the value that was held
        (POISON.encode(), f'{{"after": {{"email": "{POISON}"'.encode()),
        (b'{"id": 5}', b"\x00\x00\x00\x00\x07" + POISON.encode()),
        change(topic, 19, "u", n=7),
    ]
    asyncio.run(produce(settings, topic, records))
    try:
        worker.launch()
        worker.wait()

        def settled() -> bool:
            counts = worker.stats()["sources"].get(topic, {})
            return bool(counts.get("captured", 0) >= len(records) and 19 in kudu_rows(distribution, f"{schema}.people"))

        eventually(settled)
        eventually(lambda: kudu_rows(distribution, f"{schema}.people")[19]["n"] == 7)
        pages = {
            path: urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30).read()
            for path in ("/", "/stats", "/metrics")
        }
        quarantined = f"{app}.quarantine.{topic}"
        topics = eventually(
            lambda: (
                found
                if len((found := asyncio.run(contents(settings, topic))).get(quarantined, [])) >= 4
                and len(found.get(f"{app}.dead.{topic}", [])) >= 2
                else None
            )
        )
        rows = kudu_rows(distribution, f"{schema}.people")
    finally:
        worker.stop()
        drop_targets(distribution, {f"{schema}.people"})

    hashed = hmac.digest(KEY.encode(), EMAIL.encode(), hashlib.sha256).hex()
    assert sorted(rows) == [*range(20), 103]
    stored = {name: rows[3][name] for name in ("email", "card", "name", "born")}
    assert stored == {"email": hashed, "card": "***9999", "name": "***", "born": None}
    assert rows[103]["email"] == hmac.digest(KEY.encode(), LONG_EMAIL.encode(), hashlib.sha256).hex()
    assert {f"{app}.held", f"{app}.images", f"{app}.writes.kudu", f"{app}.schemas", quarantined} <= topics.keys()
    assert any(hashed.encode() in value for value in topics[quarantined]), "masked, and not left out"

    found = [leak for name, values in topics.items() for leak in leaks(f"topic {name}", b"\n".join(values))]
    found += [leak for path, data in pages.items() for leak in leaks(f"page {path}", data)]
    for file in (path for path in folder.rglob("*") if path.is_file()):
        found += leaks(str(file.relative_to(folder)), file.read_bytes())
    assert found == []
    assert re.search(r"Traceback", worker.log.read_text()) is None

"""The registry client and the decoder against the distribution's own registry."""

from __future__ import annotations

import asyncio
import json
import urllib.request
import uuid

import pytest

from parrot_faust.codec.avro.schema import parse
from parrot_faust.distribution import Addresses
from parrot_faust.errors import RegistryUnavailable
from parrot_faust.registry import RegistryClient

pytestmark = pytest.mark.integration

ROW = {"type": "record", "name": "Row", "namespace": "shop", "fields": [{"name": "id", "type": "long"}]}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "namespace": "shop",
    "fields": [{"name": "before", "type": ["null", "shop.Row"]}, {"name": "after", "type": ["null", "shop.Row"]}],
}


@pytest.fixture
def registry(distribution: Addresses) -> str:
    return distribution.registry


def register(url: str, subject: str, body: dict[str, object]) -> int:
    request = urllib.request.Request(
        f"{url}/subjects/{subject}/versions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.load(answer)["id"])


async def test_a_registered_schema_comes_back_and_an_unknown_id_is_none(registry: str) -> None:
    subject = f"row-{uuid.uuid4().hex}"
    schema_id = await asyncio.to_thread(register, registry, subject, {"schema": json.dumps(ROW)})
    async with RegistryClient(registry) as client:
        await client.check()
        text = await client.schema(schema_id)
        assert text is not None
        assert json.loads(text) == ROW
        assert await client.schema(2_000_000_000) is None


async def test_a_schema_with_references_is_readable_as_one(registry: str) -> None:
    name = uuid.uuid4().hex
    await asyncio.to_thread(register, registry, f"row-{name}", {"schema": json.dumps(ROW)})
    reference = {"name": "shop.Row", "subject": f"row-{name}", "version": 1}
    body = {"schema": json.dumps(ENVELOPE), "references": [reference]}
    schema_id = await asyncio.to_thread(register, registry, f"envelope-{name}", body)
    async with RegistryClient(registry) as client:
        text = await client.schema(schema_id)
    assert text is not None
    after = parse(text).field("after")
    assert after is not None
    assert [field for field, _ in after.fields] == ["id"]


async def test_an_address_that_is_not_the_api_is_an_outage_and_not_an_absent_schema(registry: str) -> None:
    async with RegistryClient(registry.removesuffix("/ccompat/v7") + "/nowhere") as client:
        with pytest.raises(RegistryUnavailable):
            await client.schema(1)

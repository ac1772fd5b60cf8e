"""The real registry behind TLS and basic auth: it is used, and what keeps us out is named."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from certificates import Authority
from secured_registry import PASSWORD, USER, front

from parrot_faust.distribution import Addresses
from parrot_faust.errors import RegistryUnavailable
from parrot_faust.registry import RegistryClient
from parrot_faust.tls import Tls

pytestmark = pytest.mark.integration

SCHEMA = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def registered(registry: str) -> int:
    """The id of a new schema in the real registry."""
    async with aiohttp.ClientSession() as session:
        content = {"schema": json.dumps(SCHEMA | {"doc": uuid4().hex})}
        async with session.post(f"{registry}/subjects/secured-{uuid4().hex}/versions", json=content) as answer:
            made: int = (await answer.json(content_type=None))["id"]
            return made


async def test_a_schema_is_read_through_tls_with_user_and_password(
    distribution: Addresses, authority: Authority
) -> None:
    known = await registered(distribution.registry)
    async with (
        front(distribution.registry, authority.issue("registry")) as url,
        RegistryClient(url, username=USER, password=PASSWORD, tls=Tls(ca=str(authority.ca))) as client,
    ):
        await client.check()
        schema = await client.schema(known)
        assert json.loads(schema or "")["name"] == "r"
        assert await client.schema(2_000_000_000) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("password", "source.registry_password"),
        ("authority", "source.registry_tls.ca"),
        ("host", "source.registry_tls.verify_host"),
        ("expired", "has expired"),
    ],
)
async def test_what_keeps_us_out_is_said_and_the_password_is_not(
    distribution: Addresses, authority: Authority, tmp_path: Path, wrong: str, says: str
) -> None:
    hosts = ("registry.example.org",) if wrong == "host" else ("127.0.0.1",)
    identity = authority.issue("registry", hosts, expired=wrong == "expired")
    trusted = Authority(tmp_path / "other").ca if wrong == "authority" else authority.ca
    password = "wr0ng-geheim" if wrong == "password" else PASSWORD
    async with (
        front(distribution.registry, identity) as url,
        RegistryClient(url, username=USER, password=password, tls=Tls(ca=str(trusted))) as client,
    ):
        with pytest.raises(RegistryUnavailable) as caught:
            await client.check()
        assert says in str(caught.value)
        assert password not in str(caught.value)

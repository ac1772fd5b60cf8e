"""The registry client against a server that answers as registries, and as things in front of them, do."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from parrot_faust.codec.avro.schema import parse
from parrot_faust.errors import RegistryUnavailable
from parrot_faust.registry import RegistryClient

SCHEMA = '{"type":"record","name":"R","fields":[{"name":"id","type":"long"}]}'


class Registry:
    """A scripted registry: `answers` by path, and what was asked of it."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], web.Response]] = {}
        self.asked: list[str] = []
        self.credentials: list[str | None] = []
        self.reached = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.raw_path)
        self.reached.set()
        self.credentials.append(request.headers.get("Authorization"))
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.get(request.raw_path)
        if answer is None:
            return web.json_response({"error_code": 40403, "message": "Schema not found"}, status=404)
        return answer()

    def holds(self, schema_id: int, schema: Any, **more: Any) -> None:
        self.answers[f"/schemas/ids/{schema_id}"] = lambda: web.json_response({"schema": schema, **more})


@pytest.fixture
async def server() -> AsyncIterator[tuple[Registry, str]]:
    registry = Registry()
    app = web.Application()
    app.router.add_get("/{path:.*}", registry.handle)
    async with TestServer(app) as running:
        yield registry, str(running.make_url("/")).rstrip("/")


async def test_a_schema_is_asked_for_once_and_kept(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.holds(7, SCHEMA)
    async with RegistryClient(url) as client:
        assert [await client.schema(7) for _ in range(3)] == [SCHEMA] * 3
    assert registry.asked == ["/schemas/ids/7"]


async def test_those_who_ask_at_once_share_one_request_and_one_may_leave(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.holds(7, SCHEMA)
    registry.gate = asyncio.Event()
    async with RegistryClient(url) as client:
        asking = [asyncio.create_task(client.schema(7)) for _ in range(5)]
        await registry.reached.wait()
        asking[0].cancel()
        registry.gate.set()
        assert await asyncio.gather(*asking[1:]) == [SCHEMA] * 4
    assert len(registry.asked) == 1


async def test_an_absent_schema_is_none_and_asked_for_again_later(server: tuple[Registry, str]) -> None:
    registry, url = server
    now = 0.0
    async with RegistryClient(url, clock=lambda: now) as client:
        assert await client.schema(7) is None
        registry.holds(7, SCHEMA)
        assert await client.schema(7) is None
        now = 31.0
        assert await client.schema(7) == SCHEMA
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=404, text="<html>no such page</html>"),
        lambda: web.json_response({"message": "no Route matched with those values"}, status=404),
        lambda: web.json_response([], status=404),
        lambda: web.json_response({"error_code": 404, "message": "RESTEASY: no resource for that path"}, status=404),
        lambda: web.json_response({"error_code": 50001}, status=500),
        lambda: web.Response(status=503, text="starting"),
        lambda: web.Response(status=200, text="<html>log in</html>"),
        lambda: web.json_response({"id": 7}),
        lambda: web.json_response({"schema": 5}),
        lambda: web.json_response({}, status=401),
    ],
)
async def test_what_is_not_a_registrys_answer_is_an_outage_and_not_an_absent_schema(
    server: tuple[Registry, str], answer: Callable[[], web.Response]
) -> None:
    registry, url = server
    registry.answers["/schemas/ids/7"] = answer
    async with RegistryClient(url) as client:
        with pytest.raises(RegistryUnavailable):
            await client.schema(7)
        registry.holds(7, SCHEMA)
        assert await client.schema(7) == SCHEMA


async def test_no_answer_in_time_and_no_server_are_outages(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.gate = asyncio.Event()
    async with RegistryClient(url, timeout_s=0.05) as client:
        with pytest.raises(RegistryUnavailable, match="within"):
            await client.schema(7)
    registry.gate.set()
    async with RegistryClient("http://127.0.0.1:1") as client:
        with pytest.raises(RegistryUnavailable, match="can't connect"):
            await client.schema(7)


async def test_credentials_are_sent_and_never_shown(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.answers["/schemas/ids/7"] = lambda: web.json_response({}, status=401)
    expected = "Basic " + b64encode(b"ann:s3cret").decode()
    for client in (
        RegistryClient(url, username="ann", password="s3cret"),
        RegistryClient(url.replace("://", "://ann:s3cret@")),
        RegistryClient("http://ann:s3cret@127.0.0.1:1"),
    ):
        async with client:
            with pytest.raises(RegistryUnavailable) as caught:
                await client.schema(7)
        assert "s3cret" not in str(caught.value) + caught.value.url
    assert registry.credentials == [expected, expected]


async def test_references_are_written_out_where_they_are_first_used(server: tuple[Registry, str]) -> None:
    registry, url = server
    row = {"type": "record", "name": "Row", "namespace": "shop", "fields": [{"name": "at", "type": "Moment"}]}
    moment = {"type": "record", "name": "Moment", "fields": [{"name": "us", "type": "long"}]}
    envelope = {
        "type": "record",
        "name": "Envelope",
        "namespace": "shop",
        "fields": [{"name": "before", "type": ["null", "Row"]}, {"name": "after", "type": ["null", "shop.Row"]}],
    }
    registry.holds(7, json.dumps(envelope), references=[{"name": "shop.Row", "subject": "row/a", "version": 2}])
    registry.answers["/subjects/row%2Fa/versions/2"] = lambda: web.json_response(
        {"schema": json.dumps(row), "references": [{"name": "Moment", "subject": "moment", "version": 1}]}
    )
    registry.answers["/subjects/moment/versions/1"] = lambda: web.json_response({"schema": json.dumps(moment)})
    async with RegistryClient(url) as client:
        text = await client.schema(7)
    assert text is not None
    shape = parse(text)
    before, after = shape.field("before"), shape.field("after")
    assert before is not None
    assert after is not None
    assert [name for name, _ in before.fields] == [name for name, _ in after.fields] == ["at"]


async def test_a_reference_that_is_gone_is_an_outage(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.holds(7, SCHEMA, references=[{"name": "x", "subject": "s", "version": 1}])
    async with RegistryClient(url) as client:
        with pytest.raises(RegistryUnavailable, match="version 1 of s"):
            await client.schema(7)


async def test_check_asks_the_registry_itself(server: tuple[Registry, str]) -> None:
    registry, url = server
    async with RegistryClient(url) as client:
        with pytest.raises(RegistryUnavailable):
            await client.check()
        registry.answers["/subjects"] = lambda: web.json_response(["a-value"])
        await client.check()


async def test_closing_ends_what_is_under_way_and_may_be_done_twice(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.gate = asyncio.Event()
    client = RegistryClient(url)
    asking = asyncio.create_task(client.schema(7))
    await registry.reached.wait()
    await client.close()
    await client.close()
    with pytest.raises(asyncio.CancelledError):
        await asking
    registry.gate.set()


async def test_the_newest_schema_of_a_subject_is_found_by_its_name(server: tuple[Registry, str]) -> None:
    registry, url = server
    registry.answers["/subjects/a%2Fb-value/versions/latest"] = lambda: web.json_response({"schema": SCHEMA, "id": 3})
    async with RegistryClient(url) as client:
        assert await client.latest("a/b-value") == SCHEMA
        assert await client.latest("other-value") is None

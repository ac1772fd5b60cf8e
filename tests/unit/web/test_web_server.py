"""The real server of a worker: who may ask, what it answers, and the headers of every answer."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parrot_faust.application import ParrotApp, create_app
from parrot_faust.quality import load as load_rules
from parrot_faust.settings import load
from parrot_faust.web.server import HEADERS, is_own

SCRIPT = "<script>alert(1)</script>"
PATHS = ("/", "/stats", "/health", "/metrics", "/style.css", "/live.js", "/icon.svg")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def app(tmp_path: Path) -> ParrotApp:
    file = tmp_path / "parrot.yaml"
    file.write_text(
        "app: unit\nsource: {topics: 'shop[.].*'}\n"
        "sinks: {kudu: {masters: ['127.0.0.1:1']}, hbase: {thrift: '127.0.0.1:2', thrift2: '127.0.0.1:3'}}\n"
        f"web: {{port: {free_port()}}}\n"
    )
    return create_app(load(file, {}))


@pytest.fixture
async def client(app: ParrotApp) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the running server."""
    await app.web.start_server()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{app.parts.settings.web.port}") as session:
            yield session
    finally:
        await app.web.stop_server()


async def test_stats_are_the_snapshot_as_json(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    app.parts.stats.sink_retrying("kudu", "kudu is not available: x", 2)
    async with client.get("/stats") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        view = await answer.json()
    assert view["app"] == "unit"
    assert set(view["sinks"]) == {"kudu", "hbase"}
    assert (view["sinks"]["kudu"]["state"], view["sinks"]["kudu"]["restarts"]) == ("retrying", 2)
    assert view["sources"] == {}


async def test_metrics_are_scraped_as_text(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    app.parts.stats.sink_ok("kudu", 3)
    async with client.get("/metrics") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        text = await answer.text()
    assert 'parrot_writer_restarts_total{sink="kudu"} 3.0' in text
    assert "process_resident_memory_bytes" in text


async def test_health_is_short_json(client: aiohttp.ClientSession) -> None:
    async with client.get("/health") as answer:
        assert (answer.status, await answer.json()) == (200, {"status": "ok"})


async def test_the_page_is_html_for_people_and_json_for_who_asks_for_it(client: aiohttp.ClientSession) -> None:
    async with client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert "no change has been captured yet" in await answer.text()
    for asked in ({"headers": {"Accept": "application/json"}}, {"params": {"format": "json"}}):
        async with client.get("/", **asked) as answer:  # type: ignore[arg-type]
            assert answer.content_type == "application/json"
            assert (await answer.json())["app"] == "unit"


async def test_the_page_of_quality_shows_rules_of_windows_before_anything_is_judged_and_finds_them(
    app: ParrotApp, client: aiohttp.ClientSession
) -> None:
    checks = "windows: [{every: 1m, checks: [{freshness: 5m}]}]\nbreaker: {failed: 50%, within: 1m, at_least: 4}\n"
    app.parts.rules._files["shop.t"] = load_rules(f"table: shop.t\n{checks}", "t.yaml")
    for asked, found in ((SCRIPT, []), ("FRESH", ["freshness"])):
        async with client.get("/quality", params={"format": "json", "q": asked}) as answer:
            view = await answer.json()
        assert [one["rule"] for one in view["windows"]] == found
        assert (view["breakers"], view["suspended"], view["rules"], view["asked"]) == ([], [], [], asked)
        async with client.get("/quality", params={"q": asked}) as answer:
            text = await answer.text()
        assert ("not judged yet" in text) == bool(found)
        assert (text.count("<script"), SCRIPT in text) == (1, False)
    async with client.get("/quality", params={"format": "json", "q": "P.T"}) as answer:
        view = await answer.json()
    assert [(one["table"], one["state"]) for one in view["breakers"]] == [("shop.t", "closed")]


async def test_the_page_finds_what_it_refers_to(client: aiohttp.ClientSession) -> None:
    kinds = {"/style.css": "text/css", "/live.js": "text/javascript", "/icon.svg": "image/svg+xml"}
    async with client.get("/") as answer:
        page = await answer.text()
    for path, kind in kinds.items():
        assert f'"{path}"' in page
        async with client.get(path) as answer:
            assert (answer.status, answer.content_type) == (200, kind)


async def answers(client: aiohttp.ClientSession) -> AsyncIterator[tuple[str, aiohttp.ClientResponse]]:
    for path in (*PATHS, "/nothing", "/stats/"):
        async with client.get(path) as answer:
            yield f"GET {path}", answer
    async with client.post("/stats") as answer:
        yield "POST /stats", answer
    async with client.get("/", headers={"Host": "evil.example"}) as answer:
        yield "a foreign host", answer


async def test_every_answer_carries_the_headers_that_protect_it(client: aiohttp.ClientSession) -> None:
    statuses = {}
    async for name, answer in answers(client):
        statuses[name] = answer.status
        assert {header: answer.headers.get(header) for header in HEADERS} == HEADERS, name
    assert statuses == {f"GET {path}": 200 for path in PATHS} | {
        "GET /nothing": 404,
        "GET /stats/": 404,
        "POST /stats": 405,
        "a foreign host": 403,
    }


async def test_the_policy_allows_only_what_the_worker_itself_serves() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}


async def test_an_answer_that_fails_shows_nothing_of_the_inside(
    client: aiohttp.ClientSession, app: ParrotApp, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> dict[str, Any]:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(app.parts, "snapshot", broken)
    async with client.get("/stats") as answer:
        assert answer.status == 500
        assert "secret" not in await answer.text()
        assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
    assert "secret inside" in caplog.text


@pytest.mark.parametrize("path", ["/", "/stats", "/style.css", "/nothing"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost@evil"])
async def test_a_foreign_name_is_refused_for_every_path(
    client: aiohttp.ClientSession, app: ParrotApp, path: str, host: str
) -> None:
    name = host.format(port=app.parts.settings.web.port)
    async with client.get(path, headers={"Host": name}) as answer:
        assert answer.status == 403
        assert "captured" not in await answer.text()


@pytest.mark.parametrize("host", ["localhost:{port}", "localhost", "127.0.0.1", "[::1]:{port}", "LocalHost:{port}"])
async def test_the_names_of_this_machine_are_served(client: aiohttp.ClientSession, app: ParrotApp, host: str) -> None:
    async with client.get("/health", headers={"Host": host.format(port=app.parts.settings.web.port)}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("host", "bound", "own"),
    [
        ("worker.intern:6066", "worker.intern", True),
        ("other.intern:6066", "worker.intern", False),
        ("10.0.0.5:6066", "10.0.0.5", True),
        ("10.0.0.6:6066", "10.0.0.5", False),
        ("10.0.0.6:6066", "0.0.0.0", True),
        ("[fe80::1]:6066", "::", True),
        ("[fe80::1]:6066", "fe80::1", True),
        ("evil.example:6066", "0.0.0.0", False),
        ("10.0.0.6.evil.example", "::", False),
        ("", "0.0.0.0", False),
        ("localhost:6066:6066", "127.0.0.1", False),
        ("localhost:x", "127.0.0.1", False),
        ("[::1", "127.0.0.1", False),
    ],
)
def test_a_server_is_known_by_its_address_and_by_no_other_name(host: str, bound: str, own: bool) -> None:
    assert is_own(host, bound) is own


async def test_faust_shows_nothing_of_its_own(client: aiohttp.ClientSession) -> None:
    for path in ("/table", "/table/", "/router/", "/graph", "/graph/", "/stats/0", "/docs", "/openapi.json"):
        async with client.get(path) as answer:
            assert answer.status == 404, path


async def test_a_hostile_table_name_comes_through_json_as_it_is(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    name = "</script><script>alert(1)</script>"
    app.parts.stats.source_batch(name, 0, [0], [], {})
    async with client.get("/stats") as answer:
        assert list(json.loads(await answer.text())["sources"]) == [name]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    async with client.get("/") as answer:
        assert "<script>alert" not in await answer.text()

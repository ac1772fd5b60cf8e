"""Every answer of the real server with five hundred tables that all have something to say: small, and nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from test_web_pages import Page

from parrot_faust.application import ParrotApp
from parrot_faust.bench.crowded import FAILED, JUDGED, WINDOWS, addresses, crowded, table_names
from parrot_faust.web.stats_page import whole

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one server, which takes a while to fill

TABLES = 500
MOST = 150_000
#: What takes no page: Prometheus wants every series in one answer, however many there are.
WHOLE = {"/metrics"}
FORMS = {"html": {"Accept": "text/html"}, "json": {"Accept": "application/json"}}
TABLE = f"/tables/{quote(table_names(1)[0])}"
#: The lists of each page that are longer than a part of it.
LONG = {
    "/": {"tables": TABLES, "troubles": TABLES + TABLES // 2 + 2 * TABLES // 10, "watched": None},
    "/quality": {
        "tables": TABLES,
        "windows": TABLES * len(JUDGED),
        "rules": TABLES * len(FAILED),
        "breakers": TABLES,
        "suspended": TABLES,
    },
    "/schema": {"events": None, "held": TABLES // 10},
    "/cluster": {"owned": TABLES},
    "/errors": {"groups": TABLES},
    "/stats": {"tables": TABLES},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ParrotApp:
    return crowded(tmp_path_factory.mktemp("crowded"), TABLES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: ParrotApp) -> AsyncIterator[aiohttp.ClientSession]:
    await app.web.start_server()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{app.parts.settings.web.port}") as session:
            yield session
    finally:
        await app.web.stop_server()


async def read(client: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with client.get(path, headers=FORMS["json"]) as answer:
        assert answer.status == 200, path
        body = await answer.read()
        assert len(body) < MOST, (path, len(body))
        view: dict[str, Any] = await answer.json()
    return view


async def test_every_answer_is_small(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    found = addresses(app)
    assert {*LONG, TABLE, *WHOLE} <= set(found)
    sizes = {}
    for path in [*found, f"{TABLE}?range=6h", "/?q=lines", "/quality?q=lines", "/quality?page=2", "/?page=5"]:
        for name, headers in FORMS.items():
            async with client.get(path, headers=headers) as answer:
                assert answer.status == 200, path
                sizes[path, name] = len(await answer.read())
    assert {key: size for key, size in sizes.items() if size >= MOST and key[0] not in WHOLE} == {}
    assert sizes["/", "html"] > 30_000
    assert sizes["/quality", "json"] > 30_000, "and there is something in it"


@pytest.mark.parametrize("path", LONG)
async def test_all_lines_of_a_long_list_are_found_by_the_address_of_the_rest(
    client: aiohttp.ClientSession, app: ParrotApp, path: str
) -> None:
    await read(client, "/errors")  # which asks for the dead letters
    view = await read(client, path)
    for name, expected in LONG[path].items():
        part, seen, lines = view["lists"][name], 0, []
        assert part["left_out"] > 0, name
        assert expected in (None, part["all"]), (name, part)
        page = view
        while True:
            part = page["lists"][name]
            assert part["first"] == seen + 1
            lines += page[name]
            seen += len(page[name])
            assert part["left_out"] == part["all"] - seen
            if not part["next"]:
                break
            page = await read(client, part["next"])
        assert seen == part["all"]
        keys = [line if isinstance(line, str) else tuple(map(str, line.values())) for line in lines]
        assert len(set(keys)) == len(keys), name


async def test_the_page_of_people_leads_to_the_same_rest_and_back(client: aiohttp.ClientSession) -> None:
    pages = []
    for path in ("/?q=lines", "/?q=lines&page=2"):
        async with client.get(path, headers=FORMS["html"]) as answer:
            pages.append(Page(await answer.text()))
    links = [{attributes.get("href") for tag, attributes in page.elements if tag == "a"} for page in pages]
    assert "/?q=lines&page=2" in links[0]
    assert {"/?q=lines", "/?q=lines&page=3"} <= links[1]
    first, second = ({line["table"] for line in page.below("table")} for page in pages)
    assert (len(first), len(second), first & second) == (100, 100, set())


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "9" * 40, "1"])
async def test_a_page_that_is_no_number_is_the_first(client: aiohttp.ClientSession, page: str) -> None:
    view = await read(client, f"/?page={page}")
    assert view["lists"]["tables"]["first"] == 1


async def test_the_last_results_of_a_rule_are_there_whichever_page_it_is_on(client: aiohttp.ClientSession) -> None:
    for path in ("/quality", "/quality?page=2", "/quality?page=50", "/quality?q=lines_0499"):
        windows = (await read(client, path))["windows"]
        assert windows
        assert min(len(one["results"]) for one in windows) >= 3, path
    (one, *_) = (await read(client, "/quality?q=lines_0499"))["windows"]
    assert len(one["results"]) == min(10, WINDOWS), "of few rules there are more"


async def test_the_counters_are_put_together_again_from_their_parts(
    client: aiohttp.ClientSession, app: ParrotApp
) -> None:
    pages: dict[str, dict[str, Any]] = {}
    path = "/stats"
    while path:
        pages[path] = await read(client, path)
        path = pages[path]["lists"]["tables"]["next"]
    made, snapshot = whole(pages.__getitem__), app.parts.snapshot()
    assert len(pages) == 10
    for name in ("sources", "checked", "rules", "schema_counts", "schema_changes", "paused_tables", "topics"):
        assert made[name] == snapshot[name], name
    for sink in ("kudu", "hbase"):
        assert made["sinks"][sink]["tables"] == snapshot["sinks"][sink]["tables"]
    assert made["histograms"] == snapshot["histograms"]

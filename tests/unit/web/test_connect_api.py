"""The sinks as Kafka Connect would show them: shapes, errors, who may steer them, and what of it is done."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from fleets import view
from signed_in import Doer, own, token
from test_web_server import free_port

from models import SinkOrder, Steer
from parrot_faust.application import ParrotApp, create_app
from parrot_faust.delivery.stats import Stats
from parrot_faust.errors import BrokerUnavailable
from parrot_faust.settings import load
from parrot_faust.web import connect_shapes as shapes
from parrot_faust.web.actions import HEADER
from parrot_faust.web.fleet import Fleet

NOW = 1_700_000_000.0


@pytest.fixture
def app(tmp_path: Path) -> ParrotApp:
    file = tmp_path / "parrot.yaml"
    file.write_text(
        f"app: unit\nstate: '{tmp_path / 'state'}'\nsource: {{topics: 'shop[.].*'}}\n"
        "sinks:\n  kudu: {masters: ['127.0.0.1:1', '127.0.0.1:2'], columns: {'t_.*': {encoding: plain}}}\n"
        "  hbase: {thrift: '127.0.0.1:2', thrift2: '127.0.0.1:3', http: true, "
        "tls: {key_password: geheim}}\n"
        f"web: {{port: {free_port()}}}\n"
    )
    return create_app(load(file, {}))


def basic(password: str) -> dict[str, str]:
    """Who gives a password, by any name."""
    return {"Authorization": "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()}


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with client.get(path) as answer:
        assert (answer.status, answer.content_type) == (status, "application/json"), path
        return await answer.json()


async def test_the_sinks_are_listed_by_name_and_with_what_is_asked_for(client: aiohttp.ClientSession) -> None:
    assert await get(client, "/connectors") == ["hbase", "kudu"]
    expanded = await get(client, "/connectors?expand=status&expand=info&expand=weather")
    assert {name: set(one) for name, one in expanded.items()} == {
        "kudu": {"status", "info"}, "hbase": {"status", "info"},
    }  # fmt: skip
    assert set((await get(client, "/connectors?expand=info"))["kudu"]) == {"info"}
    assert expanded["kudu"]["info"] == await get(client, "/connectors/kudu")
    assert expanded["kudu"]["status"] == await get(client, "/connectors/kudu/status")
    assert await get(client, "/connectors/kudu/topics") == {"kudu": {"topics": ["unit.writes.kudu"]}}
    assert await get(client, "/connectors/x/topics") == {"x": {"topics": []}}
    assert [one["class"] for one in await get(client, "/connector-plugins")] == [
        "parrot_faust.sinks.hbase", "parrot_faust.sinks.kudu",
    ]  # fmt: skip


async def test_a_sink_has_a_task_for_each_worker(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    where = {"worker_id": f"{app.parts.snapshot()['host']}:{app.parts.settings.web.port}"}
    where["version"] = app.parts.snapshot()["version"]
    assert await get(client, "/connectors/kudu/status") == {
        "name": "kudu",
        "connector": {"state": "RUNNING", **where},
        "tasks": [{"id": 0, "state": "RUNNING", **where}],
        "type": "sink",
    }
    assert await get(client, "/connectors/kudu/tasks/0/status") == {"id": 0, "state": "RUNNING", **where}
    (task,) = await get(client, "/connectors/kudu/tasks")
    assert task["id"] == {"connector": "kudu", "task": 0}
    info = await get(client, "/connectors/kudu")
    assert (info["tasks"], info["type"]) == ([{"connector": "kudu", "task": 0}], "sink")
    assert task["config"].items() > info["config"].items()


async def test_settings_are_texts_and_secrets_are_not_among_them(client: aiohttp.ClientSession) -> None:
    config = await get(client, "/connectors/kudu/config")
    assert config.items() >= {
        "name": "kudu",
        "topics": "unit.writes.kudu",
        "tasks.max": "1",
        "masters": "127.0.0.1:1,127.0.0.1:2",
        "create": "true",
        "columns.t_.*.encoding": "plain",
    }.items()  # fmt: skip
    for path in ("/connectors/hbase/config", "/connectors/hbase/tasks", "/connectors?expand=info"):
        async with client.get(path) as answer:
            text = await answer.text()
            assert "127.0.0.1:3" in text
            assert "geheim" not in text
    assert (await get(client, "/connectors/hbase/config"))["tls.key_password"] == "***"
    assert all(isinstance(value, str) for value in config.values())


async def test_what_is_not_there_is_said_as_connect_says_it(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    auth = basic(token(app))
    for path, message in (
        ("/connectors/x", "Connector x not found"),
        ("/connectors/x/config", "Connector x not found"),
        ("/connectors/x/tasks", "Connector x not found"),
        ("/connectors/x/status", "No status found for connector x"),
        ("/connectors/kudu/tasks/7/status", "No status found for task kudu-7"),
        ("/connectors/kudu/tasks/x/status", "No status found for task kudu-x"),
        ("/connectors/kudu/weather", "HTTP 404 Not Found"),
    ):
        assert await get(client, path, 404) == {"error_code": 404, "message": message}
    for method, path, status in (
        ("PUT", "/connectors/x/pause", 404),
        ("POST", "/connectors/x/restart", 404),
        ("POST", "/connectors/kudu/tasks/7/restart", 404),
        ("POST", "/connectors", 405),
        ("PUT", "/connectors/kudu/config", 405),
        ("DELETE", "/connectors/kudu", 405),
    ):
        async with client.request(method, path, headers=auth) as answer:
            assert (answer.status, (await answer.json())["error_code"]) == (status, status), path


async def test_who_has_the_token_steers_a_sink_and_is_answered_as_by_connect(
    client: aiohttp.ClientSession, app: ParrotApp, doer: Doer
) -> None:
    auth, worker = basic(token(app)), app.parts.standing.identity
    for method, path, status in (
        ("PUT", "/connectors/kudu/pause", 202),
        ("PUT", "/connectors/kudu/resume", 202),
        ("POST", "/connectors/kudu/restart", 204),
        ("POST", "/connectors/kudu/tasks/0/restart", 204),
    ):
        async with client.request(method, path, headers=auth) as answer:
            assert (answer.status, await answer.read()) == (status, b""), path
    async with client.put("/connectors/hbase/pause", headers={HEADER: token(app)}) as answer:
        assert answer.status == 202
    assert doer.done == [
        ("pause", {"sink": "kudu"}),
        ("resume", {"sink": "kudu"}),
        ("restart", {"sink": "kudu", "only_failed": ""}),
        ("restart", {"sink": "kudu", "workers": worker}),
        ("pause", {"sink": "hbase"}),
    ]
    async with client.post("/connectors/kudu/restart?includeTasks=true&onlyFailed=false", headers=auth) as answer:
        assert answer.status == 202
        assert [task["state"] for task in (await answer.json())["tasks"]] == ["RESTARTING"]
    async with client.post("/connectors/kudu/restart?includeTasks=true&onlyFailed=true", headers=auth) as answer:
        assert [task["state"] for task in (await answer.json())["tasks"]] == ["RUNNING"]
    doer.error = BrokerUnavailable("no broker")
    async with client.put("/connectors/kudu/pause", headers=auth) as answer:
        assert (answer.status, await answer.json()) == (
            500, {"error_code": 500, "message": str(doer.error)},
        )  # fmt: skip


async def test_who_asked_is_known_by_address_and_name(
    client: aiohttp.ClientSession, app: ParrotApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def act(_action: str, _fields: Any, who: str) -> str:
        asked.append(who)
        return "done"

    monkeypatch.setattr(app.parts.acting, "act", act)
    login = base64.b64encode(f"alice\n{'x' * 200}:{token(app)}".encode()).decode()
    for headers in ({"Authorization": f"basic {login}"}, {HEADER: token(app)}):
        async with client.put("/connectors/kudu/pause", headers=headers) as answer:
            assert answer.status == 202
    assert asked == [f"127.0.0.1 as alice{'x' * 95}", "127.0.0.1"]


async def test_nobody_else_does(client: aiohttp.ClientSession, app: ParrotApp, doer: Doer) -> None:
    async with client.post("/sign-in", data={"token": token(app)}, headers=own(client)) as answer:
        assert answer.status == 200, "a browser has the cookie from here on"
    right, wrong = basic(token(app)), basic("wrong")
    tried: list[tuple[int, dict[str, Any]]] = [
        (401, {}),
        (401, {"headers": wrong}),
        (401, {"headers": {HEADER: "wrong"}}),
        (401, {"headers": {"Authorization": "Basic %%%"}}),
        (401, {"headers": {"Authorization": f"Bearer {token(app)}"}}),
        (403, {"headers": {"Origin": "http://evil.example"}}),
        (403, {"headers": {"Origin": "null"} | right}),
    ]
    for path, method in (("pause", "PUT"), ("restart", "POST"), ("tasks/0/restart", "POST")):
        for status, more in tried:
            async with client.request(method, f"/connectors/kudu/{path}", **more) as answer:
                assert (answer.status, (await answer.json())["error_code"]) == (status, status), more
                assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert doer.done == []
    async with client.put("/connectors/kudu/pause", headers=own(client)) as answer:
        assert answer.status == 202, "a page of our own"


# -- states ----------------------------------------------------------------------------------------------------------


def whole(**sinks: dict[str, Any]) -> dict[str, Any]:
    """Two workers, of which the second has these differences in its sinks."""
    fleet = Fleet(lambda: NOW)
    fleet.take("a/1/1", view(Stats(lambda: NOW)))
    second = view(Stats(lambda: NOW), port=6067)
    for name, more in sinks.items():
        second["sinks"][name] |= more
    fleet.take("b/1/1", second)
    return fleet.view()


@pytest.mark.parametrize(
    ("writer", "state"),
    [
        ({}, "RUNNING"),
        ({"stands": True, "paused_ms": 1, "paused_reason": "x"}, "PAUSED"),
        ({"stands": False, "paused_ms": 1, "paused_reason": "x"}, "RUNNING"),
        ({"state": "retrying", "error": "kudu is not available: x"}, "FAILED"),
        ({"state": "retrying", "error": "x", "stands": True}, "PAUSED"),
        ({"restarting": True}, "RESTARTING"),
    ],
)
def test_a_task_is_in_the_state_of_its_writer(writer: dict[str, Any], state: str) -> None:
    found = shapes.status("kudu", whole(kudu=writer), paused=state == "PAUSED")
    assert found["connector"]["state"] == ("PAUSED" if state == "PAUSED" else "RUNNING")
    assert [task["state"] for task in found["tasks"]] == ["RUNNING", state]
    assert found["tasks"][1].get("trace", "") == (writer["error"] if state == "FAILED" else "")
    assert [task["worker_id"] for task in found["tasks"]] == ["here:6066", "here:6067"]


def test_the_writer_of_a_silent_worker_is_nobody_s() -> None:
    state = whole()
    state["silent"] = {"b/1/1": 20.0}
    assert [task["state"] for task in shapes.status("kudu", state, paused=False)["tasks"]] == ["RUNNING", "UNASSIGNED"]


def test_only_what_failed_begins_anew_when_that_is_asked() -> None:
    made = shapes.status("kudu", whole(kudu={"state": "retrying", "error": "x"}), paused=False)
    only = shapes.restarting(made, only_failed=True)
    assert [task["state"] for task in only["tasks"]] == ["RUNNING", "RESTARTING"]
    assert "trace" not in only["tasks"][1]
    assert {task["state"] for task in shapes.restarting(made, only_failed=False)["tasks"]} == {"RESTARTING"}


async def test_a_paused_sink_is_paused_here_and_the_other_is_not(client: aiohttp.ClientSession, app: ParrotApp) -> None:
    order = SinkOrder("1", "kudu", Steer.PAUSE, 5, "paused by a test")
    app.parts.steering.take(msgspec.json.encode(order))
    found = await get(client, "/connectors?expand=status")
    assert [found[name]["status"]["connector"]["state"] for name in ("kudu", "hbase")] == ["PAUSED", "RUNNING"]
    assert [found[name]["status"]["tasks"][0]["state"] for name in ("kudu", "hbase")] == ["PAUSED", "RUNNING"]

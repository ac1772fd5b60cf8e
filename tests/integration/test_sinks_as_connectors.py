"""The worker answers as the real Connect does, and a sink that is paused through it loses nothing."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from pipelines import Pipeline, eventually, pipeline

from parrot_faust.connect import Connect
from parrot_faust.demo.worker import Worker
from parrot_faust.distribution import Addresses

REBALANCING = 409  # the real Connect's word for "not now"


@pytest.fixture(scope="module")
def run(distribution: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with pipeline(distribution, tmp_path_factory.mktemp("sinks")) as made:
        made.sql("create table goods (id int primary key, name text)")
        made.sql("insert into goods select n, 'old' from generate_series(1, 20) n")
        made.capture("goods")
        made.worker()
        yield made


class Answer(NamedTuple):
    """What a client of Connect sees of an answer."""

    status: int
    content_type: str
    body: Any


class Server:
    """One that speaks Connect's API, with the name of a connector that it has."""

    def __init__(self, url: str, name: str, token: str = "") -> None:
        self.url, self.name = url, name
        login = base64.b64encode(f"anybody:{token}".encode()).decode()
        self.headers = {"Accept": "application/json"} | ({"Authorization": f"Basic {login}"} if token else {})

    def ask(self, method: str, path: str) -> Answer:
        """Ask, again while a rebalance of Connect's is in the way."""
        found: list[Answer] = []

        def settled() -> bool:
            found.append(self._ask(method, path))
            return found[-1].status != REBALANCING

        eventually(settled)
        return found[-1]

    def _ask(self, method: str, path: str) -> Answer:
        request = urllib.request.Request(self.url + path.format(name=self.name), method=method, headers=self.headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, headers, body = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, headers, body = error.code, error.headers, error.read()
        return Answer(status, (headers["Content-Type"] or "") if body else "", json.loads(body) if body else None)

    def seen(self, method: str, path: str) -> Answer:
        """An answer without what is of this server alone: names, texts, numbers, settings."""
        answer = self.ask(method, path)
        return answer._replace(body=shape(answer.body, self.name))


def shape(value: Any, name: str) -> Any:
    """Names and types. An error's message is compared itself, and of settings only that they are texts."""
    if isinstance(value, dict) and set(value) == {"error_code", "message"}:
        return {"error_code": value["error_code"], "message": value["message"].replace(name, "NAME")}
    if isinstance(value, dict):
        return {
            key.replace(name, "NAME"): settings(each) if key == "config" else shape(each, name)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [shape(value[0], name)] if value else []
    return type(value).__name__


def settings(value: Any) -> str:
    assert {"name", "connector.class"} <= value.keys()
    assert {type(each) for each in value.values()} == {str}
    return "settings"


def only(answer: Answer, name: str) -> Answer:
    """An answer about all connectors, with this one's part: others may have theirs on the shared Connect."""
    return answer._replace(body={name: answer.body[name]})


READ = (
    "/connectors",
    "/connectors/{name}",
    "/connectors/{name}/status",
    "/connectors/{name}/tasks",
    "/connectors/{name}/tasks/0/status",
    "/connectors/{name}/topics",
    "/connector-plugins",
    "/connectors/{name}x",
    "/connectors/{name}x/status",
    "/connectors/{name}x/config",
    "/connectors/{name}x/tasks",
    "/connectors/{name}/tasks/99/status",
    "/connectors/{name}x/tasks/0/status",
    "/connectors/{name}x/topics",
)
EXPANDED = ("status", "info", "status&expand=info")
REFUSED = (
    ("PUT", "/connectors/{name}x/pause"),
    ("PUT", "/connectors/{name}x/resume"),
    ("POST", "/connectors/{name}x/restart"),
    ("POST", "/connectors/{name}x/restart?includeTasks=true&onlyFailed=false"),
    ("POST", "/connectors/{name}x/tasks/0/restart"),
    ("POST", "/connectors/{name}/tasks/99/restart"),
)
DONE = (
    ("PUT", "/connectors/{name}/pause"),
    ("PUT", "/connectors/{name}/resume"),
    ("POST", "/connectors/{name}/restart"),
    ("POST", "/connectors/{name}/tasks/0/restart"),
    ("POST", "/connectors/{name}/restart?includeTasks=true&onlyFailed=false"),
)


def servers(run: Pipeline) -> tuple[Server, Server, Worker]:
    worker = run.workers[-1]
    return (
        Server(run.addresses.connect, run.name),
        Server(f"http://127.0.0.1:{worker.port}", "kudu", worker.token()),
        worker,
    )


def states(server: Server) -> list[str]:
    status = server.ask("GET", "/connectors/{name}/status").body
    return [status["connector"]["state"], *(task["state"] for task in status["tasks"])]


def test_a_paused_sink_holds_what_comes_in_all_workers_and_over_a_restart(run: Pipeline) -> None:
    old = run.equal("goods", "id")
    assert len(old) == 20
    _, kudu, first = servers(run)
    assert states(kudu) == ["RUNNING"] * 2
    assert kudu.ask("PUT", "/connectors/{name}/pause").status == 202
    eventually(lambda: states(kudu) == ["PAUSED"] * 2)
    run.sql("insert into goods select n, 'meanwhile' from generate_series(21, 40) n")
    run.sql("update goods set name = 'new' where id = 1")
    run.sql("delete from goods where id = 2")
    eventually(lambda: run.store("hbase", "goods", "id") == run.source("goods", "id"))
    eventually(lambda: first.stats()["sinks"]["kudu"]["lag_chunks"] > 0)
    page = first.page()
    assert page["stores"]["kudu"]["paused_ms"] > 0
    assert any(each["what"] == "kudu is paused:" for each in page["troubles"])

    second = run.worker()
    _, kudu, _ = servers(run)
    eventually(lambda: states(kudu) == ["PAUSED"] * 3)
    assert first.stop() == 0
    run.sql("insert into goods select n, 'later' from generate_series(41, 60) n")
    eventually(lambda: run.store("hbase", "goods", "id") == run.source("goods", "id"))
    eventually(lambda: second.stats()["sinks"]["kudu"]["lag_chunks"] > 0)
    assert run.store("kudu", "goods", "id") == old
    eventually(lambda: states(kudu) == ["PAUSED"] * 2)

    client = Connect(kudu.url, user="test", password=second.token(), fails_for_good=False)
    client.resume("kudu")
    run.equal("goods", "id")
    assert client.wait("kudu", lambda found: found.running, 30).connector.state == "RUNNING"


def test_the_worker_answers_as_the_real_connect_does(run: Pipeline) -> None:
    connect, kudu, worker = servers(run)
    for path in READ:
        assert kudu.seen("GET", path) == connect.seen("GET", path), path
    for expand in EXPANDED:
        path = f"/connectors?expand={expand}"
        ours, theirs = (only(server.ask("GET", path), server.name) for server in (kudu, connect))
        assert shape(ours.body, kudu.name) == shape(theirs.body, connect.name), path
        assert ours[:2] == theirs[:2]
    for method, path in REFUSED:
        assert kudu.seen(method, path) == connect.seen(method, path), path
    before = worker.stats()["sinks"]["kudu"]["pid"]
    for method, path in DONE:
        assert kudu.seen(method, path) == connect.seen(method, path), path
    eventually(lambda: worker.stats()["sinks"]["kudu"]["pid"] not in (None, before))
    run.sql("insert into goods values (100, 'after the restart')")
    assert (100,) in run.equal("goods", "id")

"""`parrot connector --sinks` against a worker's server, and how a client of Connect keeps what it logs in with."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner, Result

from models import SinkOrder, Steer
from parrot_faust.application import ParrotApp, create_app
from parrot_faust.cli import cli
from parrot_faust.connect import Connect
from parrot_faust.errors import ConnectError
from parrot_faust.settings import load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    file = tmp_path / "parrot.yaml"
    file.write_text(
        f"app: unit\nstate: '{tmp_path / 'state'}'\nsource: {{topics: 'shop[.].*'}}\n"
        "sinks: {kudu: {masters: ['127.0.0.1:1']}, hbase: {thrift: '127.0.0.1:2', thrift2: '127.0.0.1:3'}}\n"
        f"web: {{port: {port}}}\n"
    )
    return file


@pytest.fixture
async def worker(file: Path) -> AsyncIterator[ParrotApp]:
    """A worker's server. Orders are taken as if they had come back from the broker."""
    app = create_app(load(file, {}))

    async def act(action: str, fields: Mapping[str, str], _: str) -> str:
        order = SinkOrder(uuid4().hex, fields["sink"], Steer(action), 1, f"{action} by a test", workers=("nobody",))
        app.parts.steering.take(msgspec.json.encode(order))
        return "done"

    app.parts.acting.act = act  # type: ignore[method-assign]
    await app.web.start_server()
    yield app
    await app.web.stop_server()


async def parrot(file: Path, *arguments: str) -> Result:
    environment = {"PARROT_CONFIG": str(file), "PARROT_CONNECT": "http://127.0.0.1:1", "COLUMNS": "120"}
    return await asyncio.to_thread(CliRunner().invoke, cli, ["connector", "--sinks", *arguments], env=environment)


async def test_sinks_are_listed_and_steered_as_connectors_are(file: Path, worker: ParrotApp) -> None:
    listed = await parrot(file, "list", "--json")
    assert listed.exit_code == 0, listed.output
    assert [(one["name"], one["type"]) for one in json.loads(listed.output)] == [("hbase", "sink"), ("kudu", "sink")]
    paused = await parrot(file, "pause", "kudu")
    assert paused.output == "kudu is paused; go on with `parrot connector --sinks resume kudu`\n"
    assert worker.parts.steering.paused("kudu")
    shown = await parrot(file, "status", "kudu")
    assert "PAUSED" in shown.output
    assert "unit.writes.kudu" in shown.output
    assert (await parrot(file, "resume", "kudu")).output == "kudu runs\n"
    assert (await parrot(file, "restart", "hbase")).output == "hbase runs\n"


async def test_a_store_that_does_not_answer_keeps_nobody_from_pausing(file: Path, worker: ParrotApp) -> None:
    worker.parts.stats.sink_retrying("kudu", "kudu is not available: no leader", 0)
    assert (await parrot(file, "list")).exit_code == 2, "something has failed"
    assert (await parrot(file, "pause", "kudu")).exit_code == 0
    resumed = await parrot(file, "resume", "kudu")
    assert resumed.exit_code == 1
    assert "its store does not answer: kudu is not available: no leader" in resumed.stderr


async def test_what_only_settings_decide_is_refused_here(file: Path, worker: ParrotApp) -> None:
    refused = await parrot(file, "delete", "kudu", "--yes")
    assert refused.exit_code == 2
    assert "in the worker's settings" in refused.output


async def test_no_worker_is_one_line(file: Path) -> None:
    away = await parrot(file, "list")
    assert away.exit_code == 1
    assert "no worker answers at http://127.0.0.1:" in away.stderr


async def test_a_password_in_an_address_is_sent_and_not_shown(worker: ParrotApp) -> None:
    port = worker.parts.settings.web.port
    async with asyncio.timeout(30):
        client = Connect(f"http://x:wrong%20one@127.0.0.1:{port}/")
        assert await asyncio.to_thread(client.names) == ["hbase", "kudu"]
        with pytest.raises(ConnectError, match="send the token of") as refused:
            await asyncio.to_thread(client.pause, "kudu")
    assert refused.value.status == 401
    assert client.url == f"http://127.0.0.1:{port}"

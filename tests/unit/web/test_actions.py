"""Who may act: only who has the token, only from our own pages; and what is done is recorded, before and after."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from signed_in import Doer, own, token
from test_web_server import free_port

from models import Column, Kind, Pause, Steer, TableSchema
from parrot_faust.acting import Acting
from parrot_faust.application import ParrotApp, create_app
from parrot_faust.errors import BrokerUnavailable, LetterError, ParrotError
from parrot_faust.schema.history import Held, SchemaHistory
from parrot_faust.settings import load
from parrot_faust.web.actions import HEADER, Keyring


@pytest.fixture
def app(tmp_path: Path) -> ParrotApp:
    file = tmp_path / "parrot.yaml"
    file.write_text(
        f"app: unit\nstate: '{tmp_path / 'state'}'\nsource: {{topics: 'shop[.].*'}}\n"
        f"sinks: {{kudu: {{masters: ['127.0.0.1:1']}}}}\nweb: {{port: {free_port()}}}\n"
    )
    return create_app(load(file, {}))


async def test_the_token_is_a_file_that_only_its_owner_reads(app: ParrotApp) -> None:
    first = Keyring(app.parts.settings.state, 1)
    assert len(first.token()) > 40
    assert first.file.stat().st_mode & 0o777 == 0o600
    assert Keyring(app.parts.settings.state, 2).token() == first.token()
    assert first.opens(first.token())
    assert not first.opens("")
    assert not first.opens(first.token() + "x")


async def test_nothing_is_done_for_who_has_no_token(client: aiohttp.ClientSession, app: ParrotApp, doer: Doer) -> None:
    for headers in ({}, own(client), own(client) | {HEADER: "wrong"}, {HEADER: "wrong"}):
        async with client.post("/actions/approve", data={"table": "t"}, headers=headers) as answer:
            assert answer.status == 403, headers
    assert doer.done == []
    async with client.get("/schema") as answer:
        assert "/actions/" not in await answer.text()


async def test_another_site_can_have_nothing_done_even_with_the_cookie(
    client: aiohttp.ClientSession, app: ParrotApp, doer: Doer
) -> None:
    async with client.post("/sign-in", data={"token": token(app)}, headers=own(client)) as answer:
        assert answer.status == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", str(client._base_url) + "x"):
        async with client.post("/actions/approve", data={"table": "t"}, headers={"Origin": origin}) as answer:
            assert answer.status == 403, origin
        async with client.post("/sign-in", data={"token": token(app)}, headers={"Origin": origin}) as answer:
            assert answer.status == 403, origin
    async with client.post("/actions/approve", data={"table": "t"}) as answer:
        assert answer.status == 403, "neither a browser's page nor the header"
    assert doer.done == []


async def test_who_signs_in_can_act_and_is_told_what_came_of_it(
    client: aiohttp.ClientSession, app: ParrotApp, doer: Doer
) -> None:
    async with client.post("/sign-in", data={"token": "wrong"}, headers=own(client)) as answer:
        assert answer.status == 403
        assert "That is not the token" in await answer.text()
    data = {"token": token(app), "back": "//evil.example"}
    async with client.post("/sign-in", data=data, headers=own(client), allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
    async with client.post("/actions/approve", data={"table": "<t>"}, headers=own(client)) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert "&lt;b&gt;done&lt;/b&gt;" in text
        assert token(app) not in text
    assert doer.done == [("approve", {"table": "<t>"})]
    async with client.post("/actions/format-disk", headers=own(client)) as answer:
        assert answer.status == 404


async def test_a_script_acts_with_the_header_and_is_answered_in_json(
    client: aiohttp.ClientSession, app: ParrotApp, doer: Doer
) -> None:
    headers = {HEADER: token(app), "Accept": "application/json"}
    async with client.post("/actions/redrive", data={"table": "t", "reason": "x"}, headers=headers) as answer:
        assert await answer.json() == {"action": "redrive", "done": True, "words": "<b>done</b>"}
    doer.error = LetterError("nothing is open")
    async with client.post("/actions/redrive", headers=headers) as answer:
        assert (answer.status, await answer.json()) == (
            409, {"action": "redrive", "done": False, "words": "nothing is open"},
        )  # fmt: skip


SHAPE = TableSchema.of("t", (Column("id", Kind.INT32),), ("id",))


class Steering:
    def __init__(self) -> None:
        self.orders: list[tuple[Any, ...]] = []

    async def order(
        self, sink: str, word: Steer, who: str, *, workers: tuple[str, ...] = (), only_failed: bool = False
    ) -> None:
        if sink != "kudu":
            raise ParrotError(f"there is no sink {sink!r}")
        self.orders.append((sink, word, who, workers, only_failed))


class Outbox:
    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.broken = ""

    async def send(self, topic: str, value: bytes, *, key: bytes, partition: int) -> None:
        if topic == self.broken:
            raise OSError("no broker")
        self.sent.append((topic, json.loads(value)))

    async def confirm(self, _: Any) -> None:
        return None


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def acting(outbox: Outbox) -> Acting:
    held = SchemaHistory(None, (), held=(Held(SHAPE, 0, 0, 0, ("why",)),))
    parts: Any = SimpleNamespace(
        outbox=outbox,
        names=SimpleNamespace(breakers="unit.breakers", audit="unit.audit", schemas="unit.schemas"),
        standing=SimpleNamespace(identity="here/1/2"),
        sources=["t", "u"],
        steering=Steering(),
        windowing=SimpleNamespace(breakers=SimpleNamespace(pause={"u": Pause("u", True, 2**62)}.get)),
        schemas=SimpleNamespace(
            tables=lambda: ["t"], history=lambda table: held if table == "t" else SchemaHistory(None, ())
        ),
    )
    return Acting(parts)


async def test_a_verdict_is_recorded_before_and_after_it_is_sent(acting: Acting, outbox: Outbox) -> None:
    await acting.act("approve", {"table": "t", "shape": SHAPE.fingerprint}, "127.0.0.1")
    (first, asked), (topic, event), (last, done) = outbox.sent
    assert (first, topic, last) == ("unit.audit", "unit.schemas", "unit.audit")
    assert (asked["state"], asked["who"], asked["action"], asked["fields"]["table"]) == (
        "asked", "127.0.0.1", "approve", "t",
    )  # fmt: skip
    assert (event["topic"], event["verdict"]) == ("t", "approve")
    assert (done["state"], done["id"]) == ("done", asked["id"])


@pytest.mark.parametrize("fields", [{}, {"table": "u"}, {"table": "t"}, {"table": "t", "shape": "another"}])
async def test_a_verdict_on_what_was_not_shown_is_refused_and_recorded(
    acting: Acting, outbox: Outbox, fields: dict[str, str]
) -> None:
    with pytest.raises(LetterError):
        await acting.act("reject", fields, "127.0.0.1")
    assert [(topic, told["state"]) for topic, told in outbox.sent] == [
        ("unit.audit", "asked"),
        ("unit.audit", "refused"),
    ]


async def test_a_table_is_paused_and_goes_on_as_by_its_breaker(acting: Acting, outbox: Outbox) -> None:
    await acting.act("pause", {"table": "t"}, "127.0.0.1")
    await acting.act("resume", {"table": "u"}, "127.0.0.1")
    paused, resumed = (told for topic, told in outbox.sent if topic == "unit.breakers")
    assert (paused["table"], paused["paused"], paused["resume_ms"]) == ("t", True, 0)
    assert paused["reason"] == "paused by a person on the web view"
    assert (resumed["table"], resumed["paused"], resumed["at_ms"]) == ("u", False, 2**62 + 1), "newer than the pause"
    for action, table in (("pause", "u"), ("resume", "t"), ("pause", "x"), ("pause", "")):
        with pytest.raises(LetterError):
            await acting.act(action, {"table": table}, "127.0.0.1")


async def test_a_sink_is_paused_goes_on_and_begins_anew_and_all_is_recorded(acting: Acting, outbox: Outbox) -> None:
    steering: Any = acting._parts.steering
    await acting.act("pause", {"sink": "kudu"}, "127.0.0.1")
    await acting.act("resume", {"sink": "kudu"}, "127.0.0.1")
    await acting.act("restart", {"sink": "kudu", "workers": "a,b", "only_failed": "true"}, "127.0.0.1")
    who = "a person at 127.0.0.1"
    assert steering.orders == [
        ("kudu", Steer.PAUSE, who, (), False),
        ("kudu", Steer.RESUME, who, (), False),
        ("kudu", Steer.RESTART, who, ("a", "b"), True),
    ]
    assert [told["state"] for _, told in outbox.sent] == ["asked", "done"] * 3
    for action, fields in (("pause", {"sink": "x"}), ("approve", {"sink": "kudu"}), ("restart", {"table": "t"})):
        with pytest.raises(ParrotError):
            await acting.act(action, fields, "127.0.0.1")
    assert len(steering.orders) == 3


async def test_what_can_t_be_recorded_is_not_done(acting: Acting, outbox: Outbox) -> None:
    outbox.broken = "unit.audit"
    with pytest.raises(BrokerUnavailable):
        await acting.act("approve", {"table": "t", "shape": SHAPE.fingerprint}, "127.0.0.1")
    assert outbox.sent == []

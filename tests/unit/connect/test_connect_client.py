"""What is said when Connect, or a worker that answers as it does, refuses or is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from parrot_faust.connect import Connect
from parrot_faust.errors import ConnectError


@pytest.fixture
def refusing() -> Iterator[tuple[str, list[int]]]:
    """A server that refuses everything, with the first of these statuses."""
    statuses: list[int] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[0])
            self.end_headers()
            self.wfile.write(b'{"message": "no"}')

        def log_message(self, *_: Any) -> None:
            """Not on the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", statuses
    server.shutdown()
    server.server_close()


def said(connect: Connect, name: str = "a b") -> tuple[str, int]:
    with pytest.raises(ConnectError) as caught:
        connect.status(name)
    return str(caught.value), caught.value.status


@pytest.mark.parametrize(("sinks", "what", "listed"), [(False, "connector", "list"), (True, "sink", "--sinks list")])
def test_a_name_that_is_not_there_is_answered_with_how_to_see_those_there_are(
    refusing: tuple[str, list[int]], sinks: bool, what: str, listed: str
) -> None:
    url, statuses = refusing
    statuses.append(404)
    words = f"there is no {what} a b at {url} (no); `parrot connector {listed}` shows those there are"
    assert said(Connect(url, fails_for_good=not sinks)) == (words, 404)


def test_a_wrong_login_is_named_as_such_and_never_shown(refusing: tuple[str, list[int]]) -> None:
    url, statuses = refusing
    statuses.append(401)
    words, status = said(Connect(url.replace("//", "//me:geheim@")))
    assert status == 401
    assert words.endswith("; see the user and the password in its address")
    assert "geheim" not in words
    assert said(Connect(url, fails_for_good=False))[0].endswith("refused GET /connectors/a%20b/status: no")


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://127.0.0.1:1", "Connection refused"), ("foo", "unknown url type: 'foo/connectors/a/status'")],
)
def test_where_nobody_answers_the_address_the_reason_and_what_to_do_are_said(url: str, why: str) -> None:
    words = f"Connect does not answer at {url}: {why}; see whether it runs, or name another address"
    assert said(Connect(url), "a") == (words, 0)

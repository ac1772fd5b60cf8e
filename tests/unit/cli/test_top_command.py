"""`parrot top` shows what the first page has: every table, and what needs a person with what to run."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from click.testing import CliRunner

from parrot_faust.cli.top import top

LINE = {
    "table": "shop.public.orders[x]",
    "rate": 1234.5,
    "quarantined": 7,
    "dead_lettered": 0,
    "stores": {
        "kudu": {"newest_ms": 997_000, "behind_since": 0},
        "hbase": {"newest_ms": 0, "behind_since": 0},
    },
    "kind": "bad",
    "words": "paused",
    "since": 880.0,
}
TROUBLE = {
    "what": "shop.public.orders[x] is paused:",
    "words": "30 % failed",
    "command": "parrot breaker resume 'shop.public.orders[x]'",
    "since": 880.0,
    "act": True,
}
VIEW = {
    "app": "unit",
    "at": 1000.0,
    "about": "2 workers, up 3 min, 300 MB",
    "standing": {"kind": "bad", "words": "1 thing needs you"},
    "troubles": [TROUBLE],
    "watched": [TROUBLE | {"what": "shop.public.goods", "act": False}],
    "lists": {
        "troubles": {"left_out": 0, "next": ""},
        "watched": {"left_out": 0, "next": ""},
        "tables": {"left_out": 1_400, "next": "/?page=2"},
    },
    "tables": [LINE],
    "totals": {"captured": 12_345, "dead_lettered": 0},
    "rate": 1234.5,
    "stores": {"kudu": {}, "hbase": {}},
}


@pytest.fixture
def page() -> Iterator[tuple[str, list[Any]]]:
    """A server of the view, and what else it is to answer first."""
    answers: list[Any] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["Accept"] == "application/json"
            body = answers.pop(0) if answers else json.dumps(VIEW).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Not on the tests' output."""

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def test_tables_and_what_to_do_are_shown_once_where_there_is_no_terminal(page: tuple[str, list[Any]]) -> None:
    done = CliRunner().invoke(top, ["--url", page[0]], env={"COLUMNS": "140"})
    assert done.exit_code == 0, done.exception
    for words in (
        "1 thing needs you",
        "12,345",
        "● shop.public.orders[x] is paused: 30 % failed for 2 min",
        "→ parrot breaker resume 'shop.public.orders[x]'",
        "● shop.public.goods 30 % failed",
        "1,400 more tables: /?page=2 of the web view",
        "1,234",
        "paused 2 min",
        "3.0 s ago",
        "–",
        "7",
    ):
        assert words in done.output, (words, done.output)


def test_the_data_itself_can_be_had(page: tuple[str, list[Any]]) -> None:
    done = CliRunner().invoke(top, ["--url", page[0], "--json"])
    assert json.loads(done.output) == VIEW


@pytest.mark.parametrize("answer", [b"<html>", None])
def test_where_no_worker_answers_its_address_is_named(page: tuple[str, list[Any]], answer: bytes | None) -> None:
    url = page[0] if answer else "http://127.0.0.1:1"
    page[1].append(answer)
    done = CliRunner().invoke(top, ["--url", url])
    assert str(done.exception).startswith(f"no worker answers at {url}: ")


def test_the_page_of_another_version_and_what_is_no_address_are_named(page: tuple[str, list[Any]]) -> None:
    page[1].append(json.dumps({"app": "unit"}).encode())
    other = str(CliRunner().invoke(top, ["--url", page[0]]).exception)
    assert "its page is not that of Parrot Faust" in other
    assert "'standing'" in other
    assert "no worker answers at foo: unknown url type" in str(CliRunner().invoke(top, ["--url", "foo"]).exception)

"""Rows taken from the bytes of HBase's answers, however the network cuts them."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from parrot_faust.errors import SinkUnavailable
from parrot_faust.verify.hbase import HBase
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.stored import Logical
from parrot_faust.verify.thrift import Connection

NAMES = [b"d:id", b"d:name", b"d:note"]
Cells = dict[bytes, bytes]


def text(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def answer(method: bytes, body: bytes, kind: int = 2) -> bytes:
    return struct.pack(">I", 0x80010000 | kind) + text(method) + struct.pack(">i", 0) + body + b"\0"


def rows_answer(rows: list[tuple[bytes, Cells]]) -> bytes:
    body = b"\x0f" + struct.pack(">h", 0) + b"\x0c" + struct.pack(">i", len(rows))
    for key, cells in rows:
        body += b"\x0b\x00\x01" + text(key) + b"\x0d\x00\x02\x0b\x0c" + struct.pack(">i", len(cells))
        for name, value in sorted(cells.items()):
            body += text(name) + b"\x0b\x00\x01" + text(value) + b"\x0a\x00\x02" + bytes(8) + b"\0"
        body += b"\0"
    return answer(b"scannerGetList", body)


@contextmanager
def server(*answers: bytes, cut: random.Random | None = None) -> Iterator[str]:
    """Gives one answer to each request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                for data in answers:
                    accepted.recv(65_536)
                    while data:
                        size = cut.randint(1, 40) if cut else len(data)
                        accepted.sendall(data[:size])
                        data = data[size:]

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(5)


OPENED = answer(b"scannerOpenWithScan", b"\x08\x00\x00" + struct.pack(">i", 7))
CLOSED = answer(b"scannerClose", b"")
ROWS: list[tuple[bytes, Cells]] = [
    (str(number).encode(), {b"d:id": bytes([number]), b"d:name": b"\x0b\x00\x01" * number, b"d:note": b""})
    for number in range(30)
]
ROWS[4] = (b"4", {b"d:id": b"\x04"})
ROWS[9] = (b"9", {b"d:id": b"\x09", b"d:old": b"of a column that is not asked for", b"d:name": b"x"})
ROWS[12] = (b"12", {**ROWS[12][1], b"d:zzz": b"one more"})
ROWS[15] = (b"15", {b"d:aaa": b"only others"})
EXPECTED = [(key, [cells.get(name) for name in NAMES]) for key, cells in ROWS]


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_the_same_wherever_the_answer_is_cut(seed: int) -> None:
    cut = random.Random(seed)
    with server(OPENED, rows_answer(ROWS[:20]), rows_answer(ROWS[20:]), rows_answer([]), CLOSED, cut=cut) as address:
        connection = Connection(address, 5)
        found = [row for keys, rows in connection.scan("t", [b"d"], NAMES) for row in zip(keys, rows, strict=True)]
        connection.close()
    assert found == EXPECTED


def test_a_servers_refusal_is_told_in_its_words() -> None:
    refusal = answer(b"scannerOpenWithScan", b"\x0c\x00\x01\x0b\x00\x01" + text(b"TableNotFound: t\n  at ...") + b"\0")
    with server(refusal) as address, pytest.raises(SinkUnavailable, match=r"hbase is not available: TableNotFound: t$"):
        list(Connection(address, 5).scan("t", [b"d"], NAMES))


def test_a_server_that_goes_away_within_an_answer_is_not_taken_for_the_end() -> None:
    whole = rows_answer(ROWS)
    with server(OPENED, whole[: len(whole) // 2]) as address, pytest.raises(SinkUnavailable):
        list(Connection(address, 5).scan("t", [b"d"], NAMES))


def names_answer(*tables: bytes) -> bytes:
    body = b"\x0f" + struct.pack(">h", 0) + b"\x0b" + struct.pack(">i", len(tables)) + b"".join(map(text, tables))
    return answer(b"getTableNames", body)


def test_a_connection_that_the_server_ended_while_it_was_idle_is_made_anew() -> None:
    plan = TablePlan("s.p.t", "p", "t", (ColumnPlan("id", Logical.INT32, "int4", "integer"),), 1, {"hbase": "t"})
    row = rows_answer([(b"1", {b"d:id": b"\0\0\0\1"})])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):  # each connection is ended after one question
                accepted, _ = listener.accept()
                with accepted:
                    for data in (names_answer(b"t"), row):
                        accepted.recv(65_536)
                        accepted.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        store = HBase(f"127.0.0.1:{listener.getsockname()[1]}", 5)
        assert store.fetch(plan, [(1,)]) == {(1,): (1,)}
        assert store.fetch(plan, [(1,)]) == {(1,): (1,)}
        store.close()
        thread.join(5)

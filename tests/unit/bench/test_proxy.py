from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from parrot_faust.bench.proxy import Proxy

PATIENCE_S = 60.0


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of a server that answers with what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    def echo(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    connection.sendall(data)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    made = Proxy(f"127.0.0.1:{listener.getsockname()[1]}")
    yield made
    made.close()
    listener.close()


def connect(proxy: Proxy) -> socket.socket:
    host, port = proxy.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def ask(connection: socket.socket, data: bytes = b"hello") -> bytes:
    connection.sendall(data)
    return connection.recv(65_536)


def until_gone(connection: socket.socket) -> None:
    """Ask until the connection has ended; raise ConnectionError then."""
    while ask(connection):
        pass
    raise ConnectionResetError


def test_it_forwards_both_ways(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"
    assert proxy.connections == 1


def test_a_delay_holds_each_way_up_and_can_be_ended(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.2)
        began = time.monotonic()
        assert ask(connection) == b"hello"
        assert time.monotonic() - began >= 0.4
        proxy.delay(0.0)
        assert ask(connection) == b"hello"


def test_a_reset_ends_what_is_connected_and_serves_what_comes(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"
        proxy.reset()
        with pytest.raises(ConnectionError):
            until_gone(connection)
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"


def test_a_half_closed_connection_ends_one_way_only(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"
        proxy.half_close()
        assert connection.recv(10) == b""
        connection.sendall(b"still taken")


def test_a_cut_refuses_until_it_is_healed(proxy: Proxy) -> None:
    proxy.cut()
    with connect(proxy) as connection, pytest.raises(ConnectionError):
        until_gone(connection)
    proxy.heal()
    with connect(proxy) as connection:
        assert ask(connection) == b"hello"

"""Connections to HBase's two Thrift servers: calls are bounded by their deadlines, failures are SinkUnavailable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

import happybase
from Hbase_thrift import AlreadyExists, Hbase  # a module that exists once happybase has been imported
from Hbase_thrift import IOError as HBaseIOError
from thriftpy2.http import THttpClient
from thriftpy2.protocol import TCyBinaryProtocolFactory
from thriftpy2.thrift import TClient, TException
from thriftpy2.transport import TCyBufferedTransportFactory, TSocket, TSSLSocket, TTransportException

from parrot_faust import tls
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks.hbase.settings import HBaseSettings, address
from parrot_faust.sinks.hbase.shape import api

__all__ = ["NAME", "AlreadyExists", "HBaseIOError", "Servers", "unavailable"]

NAME = "hbase"
FAILURES = (OSError, TException, HTTPException)
SHARE = 0.9  # of the time left, for a socket's time-out: it is noticed a little late, and what follows takes time too


class Connection(happybase.Connection):  # type: ignore[misc]
    """happybase's connection over a socket of our making: it has no setting for TLS."""

    def __init__(self, socket: Any) -> None:
        self._made = socket
        super().__init__(socket.host, socket.port, autoconnect=False)

    def _refresh_thrift_client(self) -> None:
        self.transport = self._transport_class(self._made)
        self.client = TClient(Hbase, self._protocol_class(self.transport, decode_response=False))


class Servers:
    """`tables` gives the first API for one step, `write` calls the second one, whose connection is kept."""

    def __init__(self, settings: HBaseSettings) -> None:
        self._settings = settings
        self._context = None if settings.tls is None else tls.context(settings.tls)
        self._writer: Any = None
        self._socket: Any = None

    @contextmanager
    def tables(self, deadline: float) -> Iterator[happybase.Connection]:
        """A connection for what is done in here, made anew: its time-out is fixed when it is made, and a server ends
        one that was idle for a minute. What Thrift or the network raises in here becomes SinkUnavailable.
        """
        connection = Connection(self._socket_to("thrift", self._wait_ms(deadline)))
        try:
            connection.open()
            yield connection
        except FAILURES as error:
            raise unavailable(error) from None
        finally:
            with suppress(*FAILURES):
                connection.close()

    def write(self, method: str, deadline: float, *arguments: Any) -> Any:
        """Call the second API. Raise TIOError as it comes: it may be about the rows."""
        while True:
            reused = self._writer is not None
            writer = self._connected(deadline)
            try:
                return getattr(writer, method)(*arguments)
            except api.TIOError:
                raise
            except FAILURES as error:
                self.close()  # it may hold half an answer
                # A server that was started again, or ended an idle connection, is only found out by the next call.
                # Sending again does no harm: a row carries its version.
                if reused and isinstance(error, (ConnectionError, TTransportException)):
                    continue
                raise unavailable(error) from None
            except BaseException:
                self.close()  # half a call may lie in its buffer
                raise

    def close(self) -> None:
        """Let go of the kept connection; never raises."""
        writer, self._writer, self._socket = self._writer, None, None
        if writer is not None:
            with suppress(*FAILURES):
                writer.close()

    def _connected(self, deadline: float) -> Any:
        wait_ms = self._wait_ms(deadline)
        if self._writer is None:
            socket = self._socket_to("thrift2", wait_ms)
            transport = TCyBufferedTransportFactory().get_transport(socket)
            try:
                transport.open()
            except FAILURES as error:
                raise unavailable(error) from None
            self._socket = socket
            self._writer = TClient(api.THBaseService, TCyBinaryProtocolFactory().get_protocol(transport))
        self._socket.set_timeout(self._wait_ms(deadline))
        return self._writer

    def _socket_to(self, name: str, wait_ms: int) -> Any:
        """A socket, not connected yet, to the server that a setting names."""
        host, port = address(getattr(self._settings, name), name)
        if self._settings.http:
            # Without keeping connections alive: a kept one has the time-out of the call that made it.
            scheme = "http" if self._context is None else "https"
            return THttpClient(f"{scheme}://{host}:{port}/", wait_ms, ssl_context_factory=lambda: self._context)
        if self._context is None:
            return TSocket(host, port, socket_timeout=wait_ms)
        return TSSLSocket(host, port, socket_timeout=wait_ms, ssl_context=self._context)

    def _wait_ms(self, deadline: float) -> int:
        left = deadline - time.monotonic()
        if left <= 0:
            raise SinkUnavailable(NAME, "the deadline has passed; nothing more was sent")
        return max(1, int(min(left * SHARE, self._settings.timeout_s) * 1000))


def unavailable(error: Exception) -> SinkUnavailable:
    """The error for what Thrift or the network raised: its class, and the first line of its message."""
    if refused := tls.refusal(error, "sinks.hbase.tls"):
        return SinkUnavailable(NAME, f"{getattr(error, 'message', None) or 'TLS'}: {refused}")
    message = getattr(error, "message", None) or str(error)
    if isinstance(message, bytes):
        message = message.decode("utf-8", "replace")
    first = str(message).splitlines()[0] if message else "no reason given"
    return SinkUnavailable(NAME, f"{type(error).__name__}: {first}")

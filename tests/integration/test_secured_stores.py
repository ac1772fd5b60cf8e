"""HBase's Thrift servers behind TLS, and Kudu that encrypts: rows go there and back, and what is wrong is named."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

import hbase_servers
import kudu_servers
import msgspec
import pytest
from certificates import Authority, Identity
from pipelines import eventually

from models import Column, Kind, Row, RowOp, TableSchema
from parrot_faust.demo.leftovers import drop_targets
from parrot_faust.distribution import Addresses, Local
from parrot_faust.errors import SinkUnavailable
from parrot_faust.sinks.hbase import HBaseSettings, HBaseSink
from parrot_faust.sinks.kudu import KuduSettings, KuduSink
from parrot_faust.tls import Tls

pytestmark = pytest.mark.integration

NAME = f"secured{uuid4().hex[:8]}"
SHAPE = TableSchema.of(
    f"shop.public.{NAME}",
    (Column("id", Kind.INT64, nullable=False), Column("text", Kind.STRING)),
    ("id",),
    database="shop",
    namespace="public",
    relation=NAME,
)
ROWS = [Row(0, 1_700_000_000_000_000, RowOp.UPSERT, (1, "one")), Row(1, 1_700_000_000_000_001, RowOp.UPSERT, (2, None))]


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def thrift(local: Local, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of both Thrift servers, which speak TLS alone."""
    identity: Identity = authority.issue("thrift")
    settings = {
        "hbase.regionserver.thrift.http": "true",
        "hbase.thrift.ssl.enabled": "true",
        "hbase.thrift.ssl.keystore.store": identity.store,
        "hbase.thrift.ssl.keystore.password": identity.password,
        "hbase.thrift.ssl.keystore.keypassword": identity.password,
        "hbase.thrift.ssl.keystore.type": "PKCS12",
    }
    with hbase_servers.running(local, tmp_path_factory.mktemp("thrift"), settings) as (first, second):
        yield first.address, second.address


def hbase(thrift: tuple[str, str], tls: Tls | None) -> HBaseSink:
    return HBaseSink(HBaseSettings(thrift=thrift[0], thrift2=thrift[1], http=True, tls=tls))


def test_rows_go_to_hbase_and_back_through_tls(
    thrift: tuple[str, str], authority: Authority, distribution: Addresses
) -> None:
    sink = hbase(thrift, Tls(ca=str(authority.ca)))
    try:

        def written() -> bool:
            try:
                sink.open()
                return not sink.write(SHAPE, ROWS, soon()).failures
            except SinkUnavailable:
                return False  # the servers take connections before they have found HBase

        eventually(written)
        assert sorted(sink.read(SHAPE)) == [(1, "one"), (2, None)]
    finally:
        sink.close()
        drop_targets(distribution, {f"public.{NAME}"})


@pytest.mark.parametrize(("wrong", "says"), [("authority", "sinks.hbase.tls.ca"), ("clear", "BadStatusLine")])
def test_what_keeps_us_out_of_hbase_is_said(thrift: tuple[str, str], tmp_path: Path, wrong: str, says: str) -> None:
    sink = hbase(thrift, Tls(ca=str(Authority(tmp_path).ca)) if wrong == "authority" else None)
    try:
        with pytest.raises(SinkUnavailable) as caught:
            sink.open()
        assert says in str(caught.value), caught.value
    finally:
        sink.close()


@contextmanager
def tls_in_front(address: str, identity: Identity) -> Iterator[str]:
    """The address of a front that ends TLS and hands on to `address`, as a proxy beside a Thrift server does."""
    host, _, port = address.rpartition(":")
    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(identity.certificate, identity.key)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, onward_writer), pump(onward_reader, writer))

    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = asyncio.run_coroutine_threadsafe(asyncio.start_server(join, "127.0.0.1", 0, ssl=secured), loop)
    server = serving.result(10)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def test_rows_go_to_hbase_and_back_through_a_proxy_that_ends_tls(
    authority: Authority, distribution: Addresses, tmp_path: Path
) -> None:
    identity = authority.issue("front")
    with (
        tls_in_front(distribution.hbase_thrift, identity) as first,
        tls_in_front(distribution.hbase_thrift2, identity) as second,
    ):
        sink = HBaseSink(HBaseSettings(thrift=first, thrift2=second, tls=Tls(ca=str(authority.ca))))
        try:
            sink.open()
            assert not sink.write(SHAPE, ROWS, soon()).failures
            assert sorted(sink.read(SHAPE)) == [(1, "one"), (2, None)]
        finally:
            sink.close()
            drop_targets(distribution, {f"public.{NAME}"})
        unknown = Tls(ca=str(Authority(tmp_path).ca))
        with pytest.raises(SinkUnavailable, match=r"sinks[.]hbase[.]tls[.]ca"):
            HBaseSink(HBaseSettings(thrift=first, thrift2=second, tls=unknown)).open()


@pytest.fixture(scope="module")
def encrypting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The master of a Kudu that encrypts everything, also on loopback."""
    flags = ("--rpc_encryption=required", "--rpc_authentication=optional", "--rpc_encrypt_loopback_connections")
    with kudu_servers.running(tmp_path_factory.mktemp("kudu"), *flags) as servers:
        yield servers.masters


@pytest.fixture(scope="module")
def open_kudu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """The master of a Kudu that neither encrypts nor asks who is there."""
    flags = ("--rpc_encryption=disabled", "--rpc_authentication=disabled")
    with kudu_servers.running(tmp_path_factory.mktemp("open-kudu"), *flags) as servers:
        yield servers.masters


@pytest.mark.parametrize("encryption", ["optional", "required", "required_remote"])
def test_rows_go_to_a_kudu_that_encrypts_and_back(encrypting: tuple[str, ...], encryption: str) -> None:
    sink = KuduSink(KuduSettings(masters=encrypting, buckets=2, encryption=encryption))  # type: ignore[arg-type]
    sink.open()
    try:
        assert not sink.write(SHAPE, ROWS, soon()).failures
        assert sorted(sink.read(SHAPE)) == [(1, "one"), (2, None)]
    finally:
        sink.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (KuduSettings(masters=("x",), encryption="required"), "server does not support required TLS encryption"),
        (KuduSettings(masters=("x",), require_authentication=True), "must be provided in order to require auth"),
    ],
    ids=["encryption", "authentication"],
)
def test_a_kudu_that_does_not_offer_what_is_required_is_refused(
    open_kudu: tuple[str, ...], settings: KuduSettings, says: str
) -> None:
    sink = KuduSink(msgspec.structs.replace(settings, masters=open_kudu, timeout_s=3.0))
    with pytest.raises(SinkUnavailable) as caught:
        sink.open()
    assert says in str(caught.value)
    sink.close()

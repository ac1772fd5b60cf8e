"""TLS as a client: settings that can't be used, and handshakes that fail, each in words that name the setting."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificates import Authority, Identity

from parrot_faust.tls import Tls, TlsError, context, refusal


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def listening(identity: Identity | None, *, clients: Authority | None = None) -> AsyncIterator[int]:
    """A server on loopback that says hello; without an identity it speaks no TLS, with `clients` it wants theirs."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello, this is no handshake\n")
        writer.close()

    secured = None
    if identity is not None:
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured.load_cert_chain(identity.certificate, identity.key)
        if clients is not None:
            secured.verify_mode = ssl.CERT_REQUIRED
            secured.load_verify_locations(clients.ca)
    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=secured)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def greeting(port: int, tls: Tls) -> str:
    """What the server says, or why it can't be heard."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context(tls))
        said = await reader.readline()
        writer.close()
    except (ssl.SSLError, OSError) as error:
        return refusal(error, "some.tls") or repr(error)
    return said.decode()


async def test_a_server_whose_authority_is_trusted_is_heard(authority: Authority) -> None:
    async with listening(authority.issue("server")) as port:
        assert "hello" in await greeting(port, Tls(ca=str(authority.ca)))


async def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    async with listening(authority.issue("server")) as port:
        said = await greeting(port, Tls(ca=str(Authority(tmp_path, "other").ca)))
        assert "some.tls.ca" in said
        assert "some.tls.ca" in await greeting(port, Tls()), "the system does not know it either"


async def test_a_certificate_for_another_host_is_refused_unless_names_do_not_matter(authority: Authority) -> None:
    async with listening(authority.issue("server", ("kafka.example.org",))) as port:
        assert "some.tls.verify_host" in await greeting(port, Tls(ca=str(authority.ca)))
        assert "hello" in await greeting(port, Tls(ca=str(authority.ca), verify_host=False))


async def test_an_expired_certificate_is_refused_though_names_do_not_matter(authority: Authority) -> None:
    async with listening(authority.issue("server", expired=True)) as port:
        for tls in (Tls(ca=str(authority.ca)), Tls(ca=str(authority.ca), verify_host=False)):
            assert await greeting(port, tls) == "its certificate has expired: it needs a new one (some.tls)"


async def test_a_port_without_tls_is_said_to_be_one(authority: Authority) -> None:
    async with listening(None) as port:
        assert "does not speak TLS" in await greeting(port, Tls(ca=str(authority.ca)))


async def test_a_client_certificate_is_shown_to_a_server_that_wants_one(authority: Authority) -> None:
    client = authority.issue("client", password="of the key")
    own = {"certificate": str(client.certificate), "key": str(client.key), "key_password": "of the key"}
    async with listening(authority.issue("server"), clients=authority) as port:
        assert "hello" in await greeting(port, Tls(ca=str(authority.ca), **own))
        assert "hello" not in await greeting(port, Tls(ca=str(authority.ca)))


@pytest.mark.parametrize(
    ("setting", "change"),
    [
        ("ca", {"ca": "{folder}/absent.pem"}),
        ("ca", {"ca": "{folder}/client.key"}),
        ("certificate", {"certificate": "{folder}/absent.pem"}),
        ("certificate", {"certificate": "{folder}/client.key"}),
        ("certificate", {"key": "{folder}/authority.pem"}),
        ("certificate", {"key_password": "wrong"}),
        ("certificate", {"key_password": ""}),
        ("key", {"key": "{folder}/absent.key"}),
        ("key", {"certificate": None}),
    ],
)
def test_files_that_do_not_fit_are_refused_by_their_setting(
    authority: Authority, tmp_path: Path, setting: str, change: dict[str, str | None]
) -> None:
    client = authority.issue("client", password="of the key")
    fitting = {
        "ca": str(authority.ca),
        "certificate": str(client.certificate),
        "key": str(client.key),
        "key_password": "of the key",
    }
    context(Tls(**fitting))  # type: ignore[arg-type]
    changed = {name: value.format(folder=tmp_path) if value else value for name, value in change.items()}
    with pytest.raises(TlsError) as caught:
        context(Tls(**(fitting | changed)))  # type: ignore[arg-type]
    assert caught.value.setting == setting
    assert "of the key" not in str(caught.value)


def test_the_password_of_a_key_is_not_printed() -> None:
    assert "geheim" not in repr(Tls(key_password="geheim"))
    assert "Tls(ca=None" in repr(Tls(key_password="geheim"))


def test_errors_of_other_kinds_are_not_explained() -> None:
    assert refusal(ConnectionResetError("reset"), "x") is None
    assert refusal(None, "x") is None


def test_a_library_s_own_error_is_looked_behind() -> None:
    error = RuntimeError("could not connect")
    error.__context__ = ssl.SSLCertVerificationError(1, "certificate verify failed")
    assert "some.tls" in (refusal(error, "some.tls") or "")

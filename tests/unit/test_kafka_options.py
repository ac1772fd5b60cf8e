"""What Kafka's clients are made with, for each way of security."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import Authority
from faust import SASLCredentials, SSLCredentials

from parrot_faust.kafka import client_options, faust_credentials
from parrot_faust.settings import Kafka, Sasl, Settings, Sinks, Source
from parrot_faust.tls import Tls

PASSWORD = "geheim"
LOGIN = Sasl(user="parrot", password=PASSWORD)


def options(kafka: Kafka) -> dict[str, object]:
    return client_options(Settings(source=Source(topics="x"), sinks=Sinks(), brokers=("a:1", "b:2"), kafka=kafka))


@pytest.mark.parametrize(
    ("secured", "login", "protocol"),
    [
        (False, None, "PLAINTEXT"),
        (True, None, "SSL"),
        (False, LOGIN, "SASL_PLAINTEXT"),
        (True, LOGIN, "SASL_SSL"),
    ],
)
def test_protocol_follows_from_what_is_set(tmp_path: Path, secured: bool, login: Sasl | None, protocol: str) -> None:
    made = options(Kafka(tls=Tls(ca=str(Authority(tmp_path).ca)) if secured else None, sasl=login))
    assert made["bootstrap_servers"] == ["a:1", "b:2"]
    assert made["security_protocol"] == protocol
    assert ("ssl_context" in made) is secured
    assert made.get("sasl_plain_password") == (PASSWORD if login else None)
    assert made.get("sasl_mechanism") == ("SCRAM-SHA-512" if login else None)
    credentials = faust_credentials(made)
    assert (credentials.protocol.value if credentials else "PLAINTEXT") == protocol
    assert PASSWORD not in repr(credentials)


def test_faust_gets_the_same_login_and_context(tmp_path: Path) -> None:
    made = options(Kafka(tls=Tls(ca=str(Authority(tmp_path).ca)), sasl=LOGIN))
    login = faust_credentials(made)
    assert isinstance(login, SASLCredentials)
    assert (login.username, login.password, login.mechanism.value) == ("parrot", PASSWORD, "SCRAM-SHA-512")
    assert login.ssl_context is made["ssl_context"]
    only_tls = faust_credentials(options(Kafka(tls=Tls(ca=str(Authority(tmp_path).ca)))))
    assert isinstance(only_tls, SSLCredentials)


def test_passwords_are_not_printed() -> None:
    assert PASSWORD not in repr(Kafka(sasl=LOGIN))
    assert "parrot" in repr(LOGIN)

"""How every Kafka client of ours is made: addresses, TLS and login, from the settings."""

from __future__ import annotations

from typing import Any

from faust import SASLCredentials, SSLCredentials

from parrot_faust import tls
from parrot_faust.settings import Settings

#: By whether there is a login and whether there is TLS.
_PROTOCOL = {
    (False, False): "PLAINTEXT",
    (False, True): "SSL",
    (True, False): "SASL_PLAINTEXT",
    (True, True): "SASL_SSL",
}


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments for any client of aiokafka, as in ``AIOKafkaConsumer(topic, **client_options(settings))``."""
    return {"bootstrap_servers": list(settings.brokers), **connection_options(settings)}


def connection_options(settings: Settings) -> dict[str, Any]:
    """The same without the brokers' addresses: TLS and login alone.

    They hold the password, so they are not to be shown. Raise `parrot_faust.tls.TlsError` when a certificate's file
    can't be read any more.
    """
    login, secured = settings.kafka.sasl, settings.kafka.tls
    options: dict[str, Any] = {"security_protocol": _PROTOCOL[login is not None, secured is not None]}
    if secured is not None:
        options["ssl_context"] = tls.context(secured)
    if login is not None:
        options["sasl_mechanism"] = login.mechanism
        options["sasl_plain_username"] = login.user
        options["sasl_plain_password"] = login.password
    return options


def faust_credentials(options: dict[str, Any]) -> SASLCredentials | SSLCredentials | None:
    """The same for Faust's own consumer and producer; None where the broker asks for nothing."""
    context = options.get("ssl_context")
    if "sasl_mechanism" in options:
        return SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=options["sasl_mechanism"],
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None

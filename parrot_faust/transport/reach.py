"""Whether a broker can be reached, and whether it is one that will never let this worker in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError

from parrot_faust import tls

PROBE_TIMEOUT_MS = 10_000


class Refused(NamedTuple):
    """Why no broker could be used. `final` says that only other settings, or another certificate, can help."""

    final: bool
    reason: str


async def refused(options: Mapping[str, Any]) -> Refused | None:
    """Connect to the brokers of a client's `options` in turn; None once one lets us in."""
    connecting = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    found: list[Refused] = []
    for host, port, _ in collect_hosts(options["bootstrap_servers"], randomize=False):
        try:
            connection = await create_conn(host, port, request_timeout_ms=PROBE_TIMEOUT_MS, **connecting)
        except (TimeoutError, KafkaError, OSError) as error:
            found.append(_why(f"{host}:{port}", error, options))
        else:
            with suppress(KafkaError, OSError):
                connection.close()
            return None
    return next((each for each in found if each.final), found[0])


def _why(address: str, error: BaseException, options: Mapping[str, Any]) -> Refused:
    user, mechanism = options.get("sasl_plain_username"), options.get("sasl_mechanism")
    words: str | None = None
    if isinstance(error, SaslAuthenticationFailed):
        words = f"it does not accept user {user!r} with this password by {mechanism} (kafka.sasl.password)"
    elif isinstance(error, UnsupportedSaslMechanismError):
        words = f"it does not take logins by {mechanism} (kafka.sasl.mechanism)"
    else:
        words = tls.refusal(error, "kafka.tls")
    if words is not None:
        return Refused(True, f"Kafka broker {address}: {words}")
    hint = "" if isinstance(error, ConnectionRefusedError) else _HINT["ssl_context" in options]
    return Refused(False, f"{address}: {_text(error)}{hint}")


#: Why a broker ends a connection without a word, by whether this worker speaks TLS.
_HINT = {
    False: "; if it listens, see whether it wants TLS or a login (kafka.tls, kafka.sasl)",
    True: "; if it listens, see whether it speaks TLS there (kafka.tls), or wants a client certificate or a login "
    "(kafka.tls.certificate, kafka.sasl)",
}


def _text(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

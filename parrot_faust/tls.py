"""TLS as a client: what can be set, the context made of it, and what went wrong in words that name the setting."""

from __future__ import annotations

import ssl
from pathlib import Path

from parrot_faust.secret import Secret, Section


class Tls(Section, frozen=True, kw_only=True):
    """`ca` is a PEM file of the authorities to trust, the system's without it. `certificate` and `key` are PEM files by
    which this worker shows who it is. `verify_host` off takes any certificate of a trusted authority for any host.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: Secret = ""
    verify_host: bool = True


class TlsError(ValueError):
    """A TLS setting that can't be used: `setting` is its name within the section."""

    def __init__(self, setting: str, message: str) -> None:
        self.setting = setting
        super().__init__(message)


def context(tls: Tls) -> ssl.SSLContext:
    """The context for connections under these settings. Raise TlsError for files that can't be read or do not fit."""
    try:
        made = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise TlsError("ca", f"{tls.ca} is no file of certificates in PEM form ({_reason(error)})") from None
    made.check_hostname = tls.verify_host
    if tls.certificate is None:
        if tls.key is not None:
            raise TlsError("key", "needs certificate beside it")
        return made
    for name, file in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            if file is not None:
                Path(file).read_bytes()
        except OSError as error:
            raise TlsError(name, f"{file} can't be read ({error.strerror})") from None
    try:
        # A function, because without a password OpenSSL would ask the terminal for one.
        made.load_cert_chain(tls.certificate, tls.key, password=lambda: tls.key_password)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise TlsError("certificate", f"{tls.certificate} and its key can't be used ({_reason(error)})") from None
    return made


def refusal(error: BaseException | None, section: str) -> str | None:
    """Why TLS failed, as a sentence about the server that names the setting in `section`; None for other errors.

    What a library has raised in place of the error is looked behind.
    """
    seen = error
    while seen is not None:
        # aiohttp's errors are of OpenSSL's kind too, and hold the one that says what is wrong.
        inner = getattr(seen, "certificate_error", None) or getattr(seen, "os_error", None)
        if inner is None and isinstance(seen, ssl.SSLError):
            break
        seen = inner or seen.__cause__ or seen.__context__
    if seen is None:
        return None
    if isinstance(seen, ssl.SSLCertVerificationError):
        words = _CERTIFICATE.get(getattr(seen, "verify_code", 0))
        return words.format(section) if words else f"its certificate is refused: {_reason(seen)} ({section})"
    reason = str(seen.reason or "").upper()
    for part, words in _HANDSHAKE:
        if part in reason:
            return words.format(section)
    return f"TLS fails: {_reason(seen)} ({section})"


_UNKNOWN = "its certificate is signed by nobody that is trusted here: {0}.ca must hold the authority's certificate"
_CLIENT = "it wants a client certificate, or another one: {0}.certificate and {0}.key"
_NAME = "its certificate is for another host name; connect by a name it has, or set {0}.verify_host to false"
#: OpenSSL's numbers of what is wrong with a certificate.
_CERTIFICATE = {
    9: "its certificate is not valid yet, by this machine's clock ({0})",
    10: "its certificate has expired: it needs a new one ({0})",
    18: _UNKNOWN,
    19: _UNKNOWN,
    20: _UNKNOWN,
    21: _UNKNOWN,
    62: _NAME,
    64: _NAME,
}
#: Parts of OpenSSL's reasons for a handshake that failed.
_HANDSHAKE = (
    ("WRONG_VERSION_NUMBER", "it does not speak TLS on this port: leave {0} out, or name its TLS port"),
    ("RECORD_LAYER_FAILURE", "it does not speak TLS on this port: leave {0} out, or name its TLS port"),
    ("CERTIFICATE_REQUIRED", _CLIENT),
    ("ALERT_BAD_CERTIFICATE", _CLIENT),
    ("ALERT_CERTIFICATE", _CLIENT),
    ("ALERT_UNKNOWN_CA", "it does not trust who signed the client certificate of {0}.certificate"),
)


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
    return str(reason).replace("_", " ").lower()

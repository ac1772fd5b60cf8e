"""The ways of masking a value: a written word such as ``sha256`` or ``keep 2``, made into a function."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

import msgspec

from models import Kind

#: What stands for text that is not shown. Of one length, so that it does not tell how long the text was.
REDACTED = "***"
WORDS = ("sha256", "redact", "null", "keep N", "keep last N")

_KEEP = re.compile(r"keep (last )?([1-9]\d{0,2})")
#: Kinds of which a part of the text means something.
_PARTIAL = frozenset({Kind.STRING, Kind.INT8, Kind.INT16, Kind.INT32, Kind.INT64, Kind.DECIMAL})


class MaskError(ValueError):
    """A way of masking that does not exist, or that does not fit its column."""


class Way(msgspec.Struct, frozen=True):
    """`mask` takes a value that is not null. `text` says that its result is text, whatever the column was; `injective`
    that different values stay different, as a key's must.
    """

    word: str
    text: bool
    injective: bool
    kinds: frozenset[Kind]
    mask: Callable[[Any], Any]


def way_of(word: str | None, secret: bytes = b"") -> Way:
    """The way that a settings file names. With a `secret`, sha256 is HMAC-SHA-256 under it. Raise MaskError."""
    every = frozenset(Kind)
    if word == "sha256":
        return Way(word, text=True, injective=True, kinds=every, mask=_keyed(secret) if secret else _hashed)
    if word == "redact":
        return Way(word, text=True, injective=False, kinds=every, mask=lambda _: REDACTED)
    if word in (None, "null"):
        return Way("null", text=False, injective=False, kinds=every, mask=lambda _: None)
    if found := _KEEP.fullmatch(word or ""):
        return Way(word or "", text=True, injective=False, kinds=_PARTIAL, mask=_kept(int(found[2]), bool(found[1])))
    raise MaskError(f"{word!r} is no way of masking; there are {', '.join(WORDS)}")


def bytes_of(value: Any) -> bytes:
    """What is hashed of a value as rows carry it: bytes as they are, text as UTF-8, all else as its text."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode("utf-8", "surrogatepass")


def _hashed(value: Any) -> str:
    return hashlib.sha256(bytes_of(value)).hexdigest()


def _keyed(secret: bytes) -> Callable[[Any], str]:
    return lambda value: hmac.digest(secret, bytes_of(value), "sha256").hex()


def _kept(count: int, last: bool) -> Callable[[Any], str]:
    def mask(value: Any) -> str:
        text = str(value)
        if len(text) <= count:
            return REDACTED  # to keep it would be to show all of it
        return REDACTED + text[-count:] if last else text[:count] + REDACTED

    return mask

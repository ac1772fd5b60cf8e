"""Making a record that is held back small enough for the topics that keep it.

A source topic may carry records that no topic of ours takes. Such a record must stop nothing: of a part that is too
large the head is kept, with the size and hash of the whole, and its address says where the original is.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from models import CutPart, DeadLetter

#: Bytes of key, value and headers up to which a letter is kept whole: with its reason it stays below the 15 MB that
#: the producer sends and the 16 MB that the topics take.
LARGEST_LETTER = 14 << 20
HEAD_BYTES = 16 << 10  # enough for a person to see what it is
TEXT_CHARACTERS = 2_000  # of a reason: some libraries put the whole value into their message


def weight(letter: DeadLetter) -> int:
    """Bytes of the original record in a letter."""
    return len(letter.key or b"") + len(letter.value or b"") + _headers_size(letter.headers)


def fit(letter: DeadLetter, limit: int = LARGEST_LETTER) -> DeadLetter:
    """The letter with its texts bounded and, where the record has more than `limit` bytes, in its head form."""
    bounded = msgspec.structs.replace(
        letter,
        error=bounded_text(letter.error),
        message=bounded_text(letter.message),
        rule=bounded_text(letter.rule),
    )
    return bounded if weight(bounded) <= limit else head_form(bounded)


def head_form(letter: DeadLetter) -> DeadLetter:
    """The letter with each part of the record cut that is larger than a head."""
    cut = {part.part: part for part in letter.cut}
    headers = letter.headers
    if (size := _headers_size(headers)) > HEAD_BYTES:
        cut.setdefault("headers", CutPart("headers", size, sha256(msgspec.msgpack.encode(headers)).hexdigest()))
        headers = ()
    heads: dict[str, bytes | None] = {}
    for part, data in (("key", letter.key), ("value", letter.value)):
        heads[part] = data
        if data is not None and len(data) > HEAD_BYTES:
            cut.setdefault(part, CutPart(part, len(data), sha256(data).hexdigest()))
            heads[part] = data[:HEAD_BYTES]
    return msgspec.structs.replace(
        letter, key=heads["key"], value=heads["value"], headers=headers, cut=tuple(cut.values())
    )


def bounded_text(text: str) -> str:
    """A text short enough for a header, and one that can be written as UTF-8 whatever it was made from."""
    whole = text.encode("utf-8", "backslashreplace").decode()
    left = len(whole) - TEXT_CHARACTERS
    return whole if left <= 0 else f"{whole[:TEXT_CHARACTERS]}… ({left} more characters)"


def _headers_size(headers: Iterable[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode("utf-8", "backslashreplace")) + len(value or b"") for name, value in headers)

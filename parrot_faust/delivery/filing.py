"""Dead letters as they stand in their topics: the record's own bytes and headers, then headers that say why.

Ours are named as Kafka Connect names them, but for the prefix. They come after the record's own, so that a record that
already had such headers, because it comes from another's dead letters, keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from models import CutPart, DeadLetter, Stage

PREFIX = "parrot."
GONE = "gone"  # the broker no longer had the record when it was to be filed

Headers = Sequence[tuple[str, bytes | None]]


def headers_of(letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """The record's own headers, and why and where it was held."""
    pairs = (
        ("topic", letter.topic),
        ("partition", str(letter.partition)),
        ("offset", str(letter.offset)),
        ("timestamp", str(letter.timestamp_ms)),
        ("stage", letter.stage.value),
        ("error", letter.error),
        ("message", letter.message),
        ("sink", letter.sink),
        ("rule", letter.rule),
        ("rules_version", letter.rules_version),
        ("version", str(letter.version) if letter.version else ""),
        ("truncated", ",".join(part.part for part in letter.cut)),
        *((f"{part.part}_size", str(part.size)) for part in letter.cut),
        *((f"{part.part}_sha256", part.sha256) for part in letter.cut),
        ("masked", ",".join(letter.masked)),
        ("withheld", "1" if letter.withheld else ""),
        ("original", "" if letter.carried else GONE),
    )
    ours = [(f"{PREFIX}{name}", value.encode("utf-8", "replace")) for name, value in pairs if value]
    return [*letter.headers, *ours]


def letter_of(key: bytes | None, value: bytes | None, headers: Headers) -> DeadLetter | None:
    """The letter in a record of a dead-letter or quarantine topic; None when its headers are not ours.

    One whose original was gone has `carried` False.
    """
    first = max((index for index, (name, _) in enumerate(headers) if name == f"{PREFIX}topic"), default=None)
    if first is None:
        return None
    why = {
        name.removeprefix(PREFIX): (text or b"").decode("utf-8", "replace")
        for name, text in headers[first:]
        if name.startswith(PREFIX)
    }
    try:
        cut = tuple(
            CutPart(part, int(why[f"{part}_size"]), why[f"{part}_sha256"])
            for part in why.get("truncated", "").split(",")
            if part
        )
        return DeadLetter(
            topic=why["topic"],
            partition=int(why["partition"]),
            offset=int(why["offset"]),
            key=key,
            value=value,
            stage=Stage(why["stage"]),
            error=why.get("error", ""),
            message=why.get("message", ""),
            sink=why.get("sink", ""),
            timestamp_ms=int(why.get("timestamp", "0")),
            carried=why.get("original") != GONE,
            rule=why.get("rule", ""),
            rules_version=why.get("rules_version", ""),
            headers=tuple(headers[:first]),
            version=int(why.get("version", "0")),
            cut=cut,
            masked=tuple(name for name in why.get("masked", "").split(",") if name),
            withheld=bool(why.get("withheld")),
        )
    except (KeyError, ValueError):
        return None


def original_of(letter: DeadLetter, key: bytes | None, value: bytes | None, headers: Headers, at_ms: int) -> DeadLetter:
    """The letter with the bytes that were read again at its address."""
    return msgspec.structs.replace(
        letter, key=key, value=value, headers=tuple(headers), timestamp_ms=at_ms, carried=True
    )

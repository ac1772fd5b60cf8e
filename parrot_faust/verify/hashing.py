"""Rows as digests, digests as sums by range of the key's hash: what says that millions of rows are equal. Pure.

The three stores sort keys each in its own way (a collation, bytes of decimal text, hash partitions), so the ranges are
those of a hash of the key: bucket `n` of `N` holds the keys whose CRC-32, of `N` as many low bits, is `n`. A bucket's
sum is that of its rows' 128-bit BLAKE2b digests, each over the key and every value, and of their count in the bits
above: it does not depend on the order in which rows come, and equal rows do not cancel each other out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

DIGEST_BYTES = 16
#: One row in the count above the digests. 2^64 of them can't reach it: no store has more rows.
_ONE = 1 << 192
ROWS_A_BUCKET = 16  # so that a row that differs costs the second pass few others
MIN_BUCKETS, MAX_BUCKETS = 1 << 10, 1 << 20  # the latter are 90 MB of sums a store

#: Keys and rows, both as tuples of values.
Batch = tuple[Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list).decode


def buckets_for(rows: int) -> int:
    """How many buckets a table of about so many rows gets: a power of two."""
    wanted = max(1, rows // ROWS_A_BUCKET)
    return min(MAX_BUCKETS, max(MIN_BUCKETS, 1 << (wanted - 1).bit_length()))


def encode_key(key: Sequence[Any]) -> bytes:
    """A key as bytes, and back by `decode_key`."""
    return _encode(tuple(key))


def decode_key(data: bytes) -> tuple[Any, ...]:
    """The key of `encode_key`; what was malformed in it stays a list of its tag and text."""
    return tuple(tuple(part) if isinstance(part, list) else part for part in _decode(data))


def bucket_of(key: bytes, buckets: int) -> int:
    """The bucket of an encoded key."""
    return zlib.crc32(key) & (buckets - 1)


def add(sums: list[int], batch: Batch) -> None:
    """Add rows to the sums of their buckets. `len(sums)` is a power of two."""
    encode, crc, digest, number, mask = _encode, zlib.crc32, blake2b, int.from_bytes, len(sums) - 1
    for key, row in zip(*batch, strict=True):
        name = encode(key)
        sums[crc(name) & mask] += number(digest(name + encode(row), digest_size=DIGEST_BYTES).digest(), "little") + _ONE


def split(batch: Batch, old: Callable[[Sequence[Any]], bool]) -> tuple[Batch, Batch]:
    """The rows whose keys are not old, and those whose are."""
    parts: tuple[Any, Any] = (([], []), ([], []))
    for key, row in zip(*batch, strict=True):
        keys, rows = parts[old(key)]
        keys.append(key)
        rows.append(row)
    return parts


def count_of(total: int) -> int:
    """The rows in a bucket's sum."""
    return total // _ONE


def digests(batch: Batch, chosen: bytes | None) -> Iterable[tuple[bytes, bytes]]:
    """Encoded key and digest of the rows whose bucket is one of `chosen` (a byte a bucket, 1 where wanted), all when
    it is None.
    """
    encode, crc, digest = _encode, zlib.crc32, blake2b
    mask = len(chosen) - 1 if chosen is not None else 0
    for key, row in zip(*batch, strict=True):
        name = encode(key)
        if chosen is None or chosen[crc(name) & mask]:
            yield name, digest(name + encode(row), digest_size=DIGEST_BYTES).digest()

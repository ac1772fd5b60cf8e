"""What a store does not take. Such a row is dead-lettered there by name, and the other store gets it."""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """`what` is measured, `kudu` and `hbase` say how much of it each store takes."""

    what: str
    kudu: str
    hbase: str


LIMITS: tuple[Limit, ...] = (
    Limit("a cell of text or bytes", "65,536 bytes", "10,485,760 bytes with its row key and names"),
    Limit("the whole key", "16,384 bytes", "32,767 bytes less the table's name and 16"),
    Limit("a date", "0001-01-01 to 9999-12-31", "any, with PostgreSQL's infinities as the ends of 32 bits"),
    Limit(
        "a timestamp",
        "64 bits of microseconds; PostgreSQL's infinities are 9223372036825200000 and -9223372036832400000",
        "the same",
    ),
    Limit("a decimal column", "as declared, up to 38 digits; any other is text", "any number of digits"),
    Limit("text", "valid Unicode, NUL included; lone surrogates are refused", "the same"),
    Limit(
        "a column's name",
        "1 to 256 bytes; from JSON without quotation marks, backslashes and control characters",
        "the same from JSON; any other",
    ),
    Limit("columns of a table", "300", "any number"),
    Limit("a key column", "no boolean, real or double precision", "any"),
    Limit("a row with all its values", "`delivery.chunk_bytes`, 900,000 bytes unless set", "the same"),
)

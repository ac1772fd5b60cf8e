"""A source table's shape, in terms that no database and no store owns."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """Logical type of a column, and the Python value that stands for it in a row.

    ==================  =====================================================================
    kind                value in a row (``None`` is null everywhere)
    ==================  =====================================================================
    BOOL                ``bool``
    INT8 ... INT64      ``int`` within the range of that width
    FLOAT32, FLOAT64    ``float``, NaN and infinities included
    DECIMAL             ``decimal.Decimal`` up to the checks, its text (``str``) in a chunk
    STRING              ``str``
    BYTES               ``bytes``
    DATE                ``int``: days since 1970-01-01; infinity is the greatest of 32 bits, -infinity the least
    TIME                ``int``: microseconds since midnight
    TIMESTAMP           ``int``: microseconds since 1970-01-01T00:00:00Z
    ==================  =====================================================================
    """

    BOOL = "bool"
    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    DECIMAL = "decimal"
    STRING = "string"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"


class Column(msgspec.Struct, frozen=True, array_like=True):
    """One column. `semantic` says what a STRING, BYTES or TIMESTAMP really is, for example ``json``, ``uuid``,
    ``enum``, ``array``, ``bits``, ``zoned``; it is empty where the kind says it all. `precision` and `scale` belong to
    DECIMAL; a DECIMAL without precision has none declared. `comment` is the source's, where its changes carry one:
    another comment makes no other shape.
    """

    name: str
    kind: Kind
    nullable: bool = True
    precision: int | None = None
    scale: int | None = None
    semantic: str = ""
    comment: str = ""

    @property
    def typed(self) -> tuple[str, Kind, bool, int | None, int | None, str]:
        """All but the comment."""
        return self.name, self.kind, self.nullable, self.precision, self.scale, self.semantic


class TableSchema(msgspec.Struct, frozen=True, array_like=True):
    """The shape of a source table as its changes carry it.

    `table` is the table's identity here: the name of its Debezium topic, for example ``shop.public.orders``.
    `database`, `namespace` and `relation` are the parts for naming target tables (``shop``, ``public``, ``orders``).
    `key` names the key columns in key order. `fingerprint` is equal exactly when all of this is equal, comments
    left aside.

    What follows belongs to shapes on their way to a store. `generation` numbers the target table, where the source
    table has had another key before; `without` names columns that the target is to have no more, and `drops` counts how
    often columns were dropped: a shape of a lower count is from before that.
    """

    table: str
    database: str
    namespace: str
    relation: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    fingerprint: str
    generation: int = 1
    without: tuple[str, ...] = ()
    drops: int = 0

    @classmethod
    def of(
        cls,
        table: str,
        columns: tuple[Column, ...],
        key: tuple[str, ...],
        *,
        database: str = "",
        namespace: str = "",
        relation: str = "",
        generation: int = 1,
        without: tuple[str, ...] = (),
        drops: int = 0,
    ) -> TableSchema:
        """Return the schema with its fingerprint. Raise ValueError when a key column is not a column."""
        names = [column.name for column in columns]
        if missing := [name for name in key if name not in names]:
            raise ValueError(f"{table}: key columns {missing} are not among the columns {names}")
        content: tuple[object, ...] = (table, database, namespace, relation, [each.typed for each in columns], key)
        if generation != 1 or drops:
            content += (generation, without, drops)
        fingerprint = hashlib.sha256(msgspec.msgpack.encode(content)).hexdigest()[:16]
        return cls(table, database, namespace, relation, columns, key, fingerprint, generation, without, drops)

    def key_positions(self) -> tuple[int, ...]:
        """Positions of the key columns in a row, in key order."""
        position = {column.name: index for index, column in enumerate(self.columns)}
        return tuple(position[name] for name in self.key)


# A key may be 16 KiB of text, and this is for a line of a log and a header of a message.
_SHOWN = 60


def key_text(names: Sequence[str], values: Sequence[Any]) -> str:
    """A key for people, for example ``id=5, part='a'``; long values are cut."""
    shown = (text if len(text) <= _SHOWN else text[:_SHOWN] + "..." for text in map(repr, values))
    return ", ".join(f"{name}={text}" for name, text in zip(names, shown, strict=False))

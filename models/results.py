"""What a sink answers: a result per row, failures named, the rest applied."""

from __future__ import annotations

import msgspec


class RowFailure(msgspec.Struct, frozen=True, array_like=True):
    """A row that was not applied. `index` is its position in the rows handed to `write`.

    `transient` says whether writing it again may succeed. `error` is the class of the failure (a name from
    `parrot_faust.errors`), `message` its text for people.
    """

    index: int
    transient: bool
    error: str
    message: str


class AppliedDdl(msgspec.Struct, frozen=True, array_like=True):
    """A change made to a store's table: `change` is the vocabulary's name (``CreateTable``, ``AddColumn``)."""

    table: str
    target: str
    change: str
    detail: str
    seconds: float


class PlannedDdl(msgspec.Struct, frozen=True, array_like=True):
    """A change that a store's table would need: as `AppliedDdl`, and `statement` says it in the store's own terms."""

    table: str
    target: str
    change: str
    statement: str


class StoreShape(msgspec.Struct, frozen=True, array_like=True):
    """A table as a store has it now: (name, type) of its columns; the type is empty where the store keeps none."""

    target: str
    columns: tuple[tuple[str, str], ...]


class WriteResult(msgspec.Struct, frozen=True, array_like=True):
    """`rows` were handed over; those not named in `failures` are durable in the store."""

    rows: int
    failures: tuple[RowFailure, ...] = ()
    ddl: tuple[AppliedDdl, ...] = ()

"""What a verification has found. Frozen data, shown by the command and published."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from parrot_faust.verify.plan import Skipped


class Verdict(StrEnum):
    """Of a table, or of all. The strongest wins: here the last."""

    EQUAL = "equal"
    EXPLAINED = "explained"
    UNDECIDED = "undecided"
    UNEXPLAINED = "unexplained"


#: The command's exit status.
STATUS = {Verdict.EQUAL: 0, Verdict.EXPLAINED: 1, Verdict.UNEXPLAINED: 2, Verdict.UNDECIDED: 3}
_STRENGTH = list(Verdict)


class Reason(StrEnum):
    """Why a store differs."""

    QUARANTINED = "quarantined"
    DROPPED = "dropped"
    REPLACED = "replaced by a rule"
    DEAD_LETTER = "dead letter"
    SCHEMA_HELD = "schema change held"
    OLDER_COLUMN = "in an older column"
    AGED_OUT = "aged out"
    UNEXPLAINED = "unexplained"


class Kind(StrEnum):
    """How a store's row differs from the source's."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERS = "differs"


class Value(msgspec.Struct, frozen=True):
    """A column's value in the source and in the stores, as text; None stands for null, an absent store for no row."""

    column: str
    source: str | None
    stores: dict[str, str | None]


class StoreDifference(msgspec.Struct, frozen=True):
    """How one store's row differs, and why."""

    store: str
    kind: Kind
    reason: Reason = Reason.UNEXPLAINED
    detail: str = ""


class RowDifference(msgspec.Struct, frozen=True):
    """A row of which a store does not hold what the source holds. `values` are those of the columns that differ."""

    table: str
    key: dict[str, str]
    stores: tuple[StoreDifference, ...]
    values: tuple[Value, ...]

    @property
    def explained(self) -> bool:
        """Whether every store's difference has a reason."""
        return all(store.reason is not Reason.UNEXPLAINED for store in self.stores)


class TableResult(msgspec.Struct, frozen=True):
    """One table. `rows` counts what was read of each store. `in_flight` rows kept changing, or could not be held
    against the stores because the pipeline did not pass the source's position in time (`undecided` says what was
    missing); they count neither as equal nor as different. `unexamined` buckets of key hashes differed and were not
    looked into, because the rows found before were enough. `aged_out` rows of the source are too old for Kudu, which
    has dropped their ranges (`aging` says which are); they are no differences.
    """

    table: str
    verdict: Verdict
    rows: dict[str, int]
    differences: int = 0
    explained: int = 0
    in_flight: int = 0
    caught_up: int = 0
    unexamined: int = 0
    undecided: str = ""
    reasons: dict[str, int] = {}
    aged_out: int = 0
    aging: str = ""


class Paused(msgspec.Struct, frozen=True):
    """A sink or a table that waits, so that what differs may come of that. `command` lets it go on."""

    what: str
    since: str
    reason: str
    command: str


class Report(msgspec.Struct, frozen=True):
    """All of it. `seconds` is the whole time, `rows_per_second` source rows compared a second while scanning.

    `repaired` counts rows that were sent again and are right now, `not_repaired` says why others could not be sent; the
    tables and differences are those after it. `paused` says which of their sinks, and which of
    themselves, waited meanwhile.
    """

    verdict: Verdict
    tables: tuple[TableResult, ...]
    differences: tuple[RowDifference, ...]
    not_compared: tuple[Skipped, ...]
    seconds: float
    rows: int
    rows_per_second: int
    at: str
    repaired: int = 0
    not_repaired: tuple[str, ...] = ()
    since: str | None = None
    sample: float | None = None
    paused: tuple[Paused, ...] = ()


def strongest(verdicts: list[Verdict]) -> Verdict:
    """The verdict of all together."""
    return max(verdicts, key=_STRENGTH.index, default=Verdict.EQUAL)


def shown(value: Any) -> str | None:
    """A value as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)

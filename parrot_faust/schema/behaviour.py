"""What is to happen when a table's shape changes: chosen for all, for one table, and for one kind of change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Behaviour(StrEnum):
    """The six behaviours. The first five are Flink CDC's.

    ==========  ==================================================================================================
    EXCEPTION   the table stops at the change and says so; the others go on
    EVOLVE      the change is applied as it is; what a store can't do stops the table
    TRY_EVOLVE  the change is applied as it is; what a store can't do is left out, and said
    LENIENT     no value is lost: a dropped column stays and becomes null, an impossible type gets a column beside
                the old one, another key a new generation of the table beside the old one
    IGNORE      the stores' tables stay as they are; values that have no place in them are not written, and it is said
    REVIEW      the table waits for `parrot schema approve` or `reject`; the others go on
    ==========  ==================================================================================================
    """

    EXCEPTION = "exception"
    EVOLVE = "evolve"
    TRY_EVOLVE = "try_evolve"
    LENIENT = "lenient"
    IGNORE = "ignore"
    REVIEW = "review"


#: Under these a change waits for a person.
HOLDING = frozenset({Behaviour.EXCEPTION, Behaviour.REVIEW})

#: Kinds of change that a behaviour can be chosen for.
KINDS = ("CreateTable", "AddColumn", "DropColumn", "AlterColumnType", "AlterNullability", "AlterKey")
#: Kinds that none can be chosen for, and why.
NOT_KINDS = {
    "RenameColumn": "the source's events do not tell a rename from a dropped and an added column; choose for those",
    "AlterComment": "a comment is taken when its column is made, and not followed",
    "DropTable": "the source's events do not tell of it; the stores keep the table",
    "Truncate": "truncates are reported and not applied; see `truncate`",
}


@dataclass(frozen=True, slots=True)
class TableChoice:
    """What one table has of its own."""

    all: Behaviour | None = None
    kinds: Mapping[str, Behaviour] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """The behaviours that were chosen. What is said of a table goes before what is said of all, and within each what
    is said of a kind of change before what is said of every kind.
    """

    all: Behaviour = Behaviour.LENIENT
    kinds: Mapping[str, Behaviour] = field(default_factory=dict)
    tables: Mapping[str, TableChoice] = field(default_factory=dict)

    def of(self, table: str, kind: str) -> Behaviour:
        """The behaviour for a kind of change of a table.

        A table that is new is made, unless `CreateTable` is named: what is said of every kind is about tables that are
        there already.
        """
        own = self.tables.get(table, TableChoice())
        if kind in own.kinds:
            return own.kinds[kind]
        if kind == "CreateTable":
            return self.kinds.get(kind, Behaviour.LENIENT)
        if own.all is not None:
            return own.all
        return self.kinds.get(kind, self.all)

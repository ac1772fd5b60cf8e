"""Which encodings Kudu has for which type, and what of the settings goes to which column. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parrot_faust.creation import KuduColumn, column_of
from parrot_faust.errors import TableRefused
from parrot_faust.sinks.kudu.mapping import StoreColumn

_NUMBERS = frozenset({"plain", "bitshuffle", "rle"})
_REALS = frozenset({"plain", "bitshuffle"})
_BYTES = frozenset({"plain", "prefix", "dict"})

SHORT_DIGITS = 18  # a decimal of so many is an integer of 64 bits within Kudu, a longer one of 128
SHORT_DECIMAL = f"decimal up to {SHORT_DIGITS} digits"

#: Kudu's type -> its encodings beside ``auto``, which every type has.
ENCODINGS: Mapping[str, frozenset[str]] = {
    "bool": frozenset({"plain", "rle"}),
    "int8": _NUMBERS,
    "int16": _NUMBERS,
    "int32": _NUMBERS,
    "int64": _NUMBERS,
    "date": _NUMBERS,
    "unixtime_micros": _NUMBERS,
    "float": _REALS,
    "double": _REALS,
    SHORT_DECIMAL: _NUMBERS,
    "decimal": _REALS,
    "string": _BYTES,
    "binary": _BYTES,
}


def encodings_of(column: StoreColumn) -> frozenset[str]:
    """The encodings of a column beside ``auto``."""
    short = column.type == "decimal" and column.precision <= SHORT_DIGITS
    return ENCODINGS[SHORT_DECIMAL if short else column.type]


def layout_of(column: StoreColumn, patterns: Mapping[str, KuduColumn]) -> KuduColumn:
    """How a column is laid out: a pattern's encoding goes to those of its columns whose type has it."""
    takes = encodings_of(column) | {"auto"}
    fitting = {
        pattern: KuduColumn(encoding=said.encoding if said.encoding in takes else None, compression=said.compression)
        for pattern, said in patterns.items()
    }
    return column_of(column.name, fitting)


def layouts_of(table: str, columns: Sequence[StoreColumn], patterns: Mapping[str, KuduColumn]) -> None:
    """Raise TableRefused when a column named in full is to have an encoding that its type has not."""
    wrong = [
        f"column {column.name} is {column.type}, which Kudu has no encoding {said.encoding} for: take one of "
        f"{', '.join(sorted(encodings_of(column)))} in the settings (kudu.columns)"
        for column in columns
        if (said := patterns.get(column.name)) is not None
        and said.encoding not in (None, "auto")
        and said.encoding not in encodings_of(column)
    ]
    if wrong:
        raise TableRefused(table, "; ".join(wrong))

"""Values that a person puts in the place of others before a row that was held back is sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from models import Change, Column, Kind, TableSchema
from parrot_faust.quality.repairs import fitting

_WORDS = {"true": True, "false": False}
_INTEGERS = {Kind.INT8, Kind.INT16, Kind.INT32, Kind.INT64}
#: What a text of such a column must be; columns of another semantic are corrected at the source.
_TEXTS: Mapping[str, Callable[[str], Any]] = {"": str, "enum": str, "json": json.loads, "uuid": UUID}


def edit(schema: TableSchema, change: Change, values: Mapping[str, str | None]) -> None:
    """Give `change` these values, by column as a person has written them, None for null.

    Raise ValueError, and leave the change as it is, when one can't be: the key names the row, a deleted row has none.
    """
    if change.after is None:
        raise ValueError("it is a delete, which has no values to correct")
    after, set_now = list(change.after), set()
    names = [column.name for column in schema.columns]
    for name, text in values.items():
        if name not in names:
            raise ValueError(f"the table has no column {name}; it has {', '.join(names)}")
        if name in schema.key:
            raise ValueError(f"{name} is part of the key, which names the row: correct it at the source")
        position = names.index(name)
        after[position] = _value(text, schema.columns[position])
        set_now.add(position)
    change.after = tuple(after)
    change.unset = tuple(position for position in change.unset if position not in set_now)


def _value(text: str | None, column: Column) -> Any:
    if text is None:
        if not column.nullable:
            raise ValueError(f"{column.name} can't be null")
        return None
    kind = column.kind
    try:
        if kind in _INTEGERS:
            return fitting(int(text), column)
        if kind in (Kind.FLOAT32, Kind.FLOAT64):
            return float(text)
        if kind is Kind.BOOL:
            return _WORDS[text.lower()]
        if kind is Kind.DECIMAL:
            return fitting(Decimal(text), column)
        if kind is Kind.STRING:
            _TEXTS[column.semantic](text)
            return text
        if kind is not Kind.BYTES:
            return fitting(text, column)
    except (ValueError, ArithmeticError, LookupError):
        pass
    what = f"{kind} {column.semantic}".strip()
    raise ValueError(f"{text!r} is no value of {column.name}, whose kind is {what}")

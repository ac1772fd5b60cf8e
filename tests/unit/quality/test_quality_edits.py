"""Values that a person puts into a row that was held back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality.edits import edit

SCHEMA = TableSchema.of(
    "t",
    (
        Column("id", Kind.INT64, nullable=False),
        Column("n", Kind.INT16),
        Column("price", Kind.DECIMAL, precision=6, scale=2),
        Column("note", Kind.STRING, nullable=False),
        Column("extra", Kind.STRING, semantic="json"),
        Column("tags", Kind.STRING, semantic="array"),
        Column("placed", Kind.DATE),
        Column("ok", Kind.BOOL),
        Column("share", Kind.FLOAT64),
        Column("data", Kind.BYTES),
    ),
    ("id",),
)
NAMES = [column.name for column in SCHEMA.columns]


def change(op: Op = Op.CREATE, unset: tuple[int, ...] = ()) -> Change:
    row = (1, 5, Decimal("1.00"), "x", "{}", "[]", 0, True, 0.5, b"")
    return Change(op, 0, 0, 0, (1,), None, None if op is Op.DELETE else row, unset)


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("n", "-7", -7),
        ("n", None, None),
        ("price", "12.5", Decimal("12.50")),
        ("note", "", ""),
        ("note", "null", "null"),
        ("extra", '{"a": 1}', '{"a": 1}'),
        ("placed", "1970-01-03", 2),
        ("ok", "False", False),
        ("share", "1e3", 1000.0),
    ],
)
def test_a_value_becomes_what_the_row_holds(column: str, text: str | None, value: Any) -> None:
    made = change(unset=(3, NAMES.index(column)))
    edit(SCHEMA, made, {column: text})
    assert made.after is not None
    assert (made.after[NAMES.index(column)], type(made.after[NAMES.index(column)])) == (value, type(value))
    assert NAMES.index(column) not in made.unset, "a value that was left out is there now"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"n": "40000"}, "'40000' is no value of n, whose kind is int16"),
        ({"n": "1.5"}, "no value of n"),
        ({"price": "1.234"}, "no value of price"),
        ({"price": "NaN"}, "no value of price"),
        ({"extra": "{"}, "kind is string json"),
        ({"tags": "{}"}, "kind is string array"),
        ({"data": "00"}, "kind is bytes"),
        ({"ok": "yes"}, "no value of ok"),
        ({"placed": "soon"}, "no value of placed"),
        ({"note": None}, "note can't be null"),
        ({"id": "2"}, "id is part of the key"),
        ({"n": "1", "nope": "1"}, "has no column nope; it has id, n,"),
    ],
)
def test_what_the_row_cannot_hold_is_refused_and_nothing_of_it_is_taken(
    values: dict[str, str | None], reason: str
) -> None:
    made, before = change(), change().after
    with pytest.raises(ValueError, match=reason):
        edit(SCHEMA, made, values)
    assert made.after == before


def test_a_delete_has_no_values() -> None:
    with pytest.raises(ValueError, match="a delete"):
        edit(SCHEMA, change(Op.DELETE), {"n": "1"})

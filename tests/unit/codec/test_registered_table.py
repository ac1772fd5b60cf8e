"""A table's shape from its topic's schemas alone."""

from __future__ import annotations

import json

import pytest

from models import Column, Kind
from parrot_faust.codec.registered_table import registered_table
from parrot_faust.errors import DecodeError

ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"]},
        {"name": "placed", "type": {"type": "long", "connect.name": "io.debezium.time.MicroTimestamp"}},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", ROW]},
        {"name": "after", "type": ["null", "Value"]},
        {"name": "op", "type": "string"},
    ],
}
KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}


def test_columns_kinds_and_key_are_those_of_the_schemas() -> None:
    table = registered_table("shop.public.orders", json.dumps(ENVELOPE), json.dumps(KEY))
    assert table.columns == (
        Column("id", Kind.INT64, nullable=False),
        Column("note", Kind.STRING),
        Column("placed", Kind.TIMESTAMP, nullable=False),
    )
    assert (table.table, table.key) == ("shop.public.orders", ("id",))
    assert registered_table("t", json.dumps(ENVELOPE), None).key == ()


def test_what_is_no_schema_of_changes_is_refused() -> None:
    with pytest.raises(DecodeError):
        registered_table("t", json.dumps(ROW), None)

"""What a schema says of a column for people comes along, and is no change of the table's shape."""

from __future__ import annotations

import json

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.codec.avro import schema as avro
from parrot_faust.codec.columns import MAX_COMMENT, column_of
from parrot_faust.codec.jsons import schema as jsons
from parrot_faust.codec.shape import Shape
from parrot_faust.sinks.kudu.mapping import store_column


def in_avro(field: dict[str, object]) -> Shape:
    return avro.parse(json.dumps({"type": "record", "name": "Value", "fields": [{"name": "a", **field}]}))


@pytest.mark.parametrize(
    "shape",
    [
        in_avro({"type": "string", "doc": "a word"}),
        in_avro({"type": {"type": "string", "connect.doc": "a word"}}),
        in_avro({"type": ["null", {"type": "string", "connect.doc": "a word"}]}),
        jsons.parse({"type": "struct", "fields": [{"field": "a", "type": "string", "doc": "a word"}]}),
    ],
)
def test_a_column_has_its_comment(shape: Shape) -> None:
    ((name, field),) = shape.fields
    assert column_of(name, field).comment == "a word"


@pytest.mark.parametrize("doc", [None, "", 5, ["x"]])
def test_what_is_no_comment_is_none(doc: object) -> None:
    for shape in (
        in_avro({"type": "string", "doc": doc}),
        jsons.parse({"type": "struct", "fields": [{"field": "a", "type": "string", "doc": doc}]}),
    ):
        assert column_of("a", shape.fields[0][1]).comment == ""


def test_a_long_comment_is_cut() -> None:
    column = column_of("a", in_avro({"type": "string", "doc": "é" * 5_000}).fields[0][1])
    assert len(column.comment) == MAX_COMMENT
    assert store_column(column, key=False).comment == "é" * 128


def test_another_comment_is_no_other_shape() -> None:
    one = TableSchema.of("s.p.t", (Column("id", Kind.INT64, False, comment="old"),), ("id",))
    two = TableSchema.of("s.p.t", (Column("id", Kind.INT64, False, comment="new"),), ("id",))
    assert (
        one.fingerprint
        == two.fingerprint
        == TableSchema.of("s.p.t", (Column("id", Kind.INT64, False),), ("id",)).fingerprint
    )

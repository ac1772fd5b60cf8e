"""The documented table of types against the decoder, the sinks and the document."""

from __future__ import annotations

from pathlib import Path

import pytest

from models import Column, Kind, TableSchema
from parrot_faust.codec.columns import column_of
from parrot_faust.codec.shape import Base, Shape
from parrot_faust.schema.losses import LOSSES, Place, losses
from parrot_faust.schema.type_docs import filled
from parrot_faust.schema.types import POSTGRES, STORES, SourceType
from parrot_faust.sinks.hbase.cells import encoder
from parrot_faust.sinks.kudu.mapping import TYPES, store_column

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "types.md"


def test_the_document_has_the_tables_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert filled(text) == text, "run: .venv/bin/python -m parrot_faust.schema.type_docs docs/types.md"
    assert text.count("<!-- table ") == 4
    assert all(loss.what in text for loss in LOSSES)


@pytest.mark.parametrize("row", POSTGRES, ids=[f"{row.source} {row.option}" for row in POSTGRES])
def test_the_decoder_makes_the_documented_column(row: SourceType) -> None:
    connect = row.connect
    shape = Shape(Base(connect.base), connect.name, True, precision=connect.precision, scale=connect.scale)
    column = column_of("v", shape)
    assert (column.kind, column.semantic) == (row.kind, row.semantic)
    assert (column.precision, column.scale) == (connect.precision, connect.scale)


def test_kudu_has_the_documented_types() -> None:
    for kind, store in STORES.items():
        if kind is not Kind.DECIMAL:
            assert store.kudu == TYPES[kind]
    assert store_column(Column("v", Kind.DECIMAL, precision=38, scale=38), key=False).shape == "decimal(38,38)"
    assert store_column(Column("v", Kind.DECIMAL, precision=39, scale=0), key=False).shape == "string"


@pytest.mark.parametrize(("kind", "value"), [(Kind.BOOL, True), (Kind.DATE, 1), (Kind.TIME, 1), (Kind.FLOAT32, 0.5)])
def test_hbase_has_cells_of_the_documented_size(kind: Kind, value: object) -> None:
    assert len(encoder(Column("v", kind))(value)) == int(STORES[kind].hbase.split()[0])


def test_every_kind_has_a_place_in_the_stores() -> None:
    assert set(STORES) == set(Kind)


def test_the_losses_of_a_table_are_known_from_its_columns() -> None:
    schema = TableSchema.of(
        "t",
        (
            Column("id", Kind.INT32),
            Column("fits", Kind.DECIMAL, precision=38, scale=2),
            Column("wide", Kind.DECIMAL, precision=39, scale=2),
            Column("fine", Kind.TIMESTAMP, semantic="nanos"),
            Column("zoned", Kind.TIMESTAMP, semantic="zoned"),
            Column("clock", Kind.TIME),
        ),
        ("id",),
    )
    both = [(column.name, loss.name) for column, loss in losses(schema)]
    assert both == [
        ("wide", "decimal-text"),
        ("fine", "nanoseconds"),
        ("zoned", "zone-name"),
        ("clock", "time-number"),
    ]
    assert [column.name for column, _ in losses(schema, ("hbase",))] == ["fine", "zoned"]


def test_losses_have_names_of_their_own_and_an_advice() -> None:
    assert len({loss.name for loss in LOSSES}) == len(LOSSES)
    assert all(loss.what and loss.instead and loss.types and loss.option for loss in LOSSES)
    assert {loss.place for loss in LOSSES} == {Place.CONNECTOR, Place.WORKER, Place.KUDU}

"""The reader's own decoding against the writers' encoding: two codes written from one documented table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Column, Kind
from parrot_faust.sinks.hbase.cells import encoder
from parrot_faust.sinks.hbase.cells import row_key as written_key
from parrot_faust.verify.differences import same
from parrot_faust.verify.stored import Logical, hbase_column, row_key, row_key_column

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))
VALUES: dict[Logical, tuple[Kind, st.SearchStrategy[Any]]] = {
    Logical.BOOL: (Kind.BOOL, st.booleans()),
    Logical.INT16: (Kind.INT16, st.integers(-(2**15), 2**15 - 1)),
    Logical.INT32: (Kind.INT32, st.integers(-(2**31), 2**31 - 1)),
    Logical.INT64: (Kind.INT64, st.integers(-(2**63), 2**63 - 1)),
    Logical.FLOAT32: (Kind.FLOAT32, st.floats(width=32, allow_nan=False)),
    Logical.FLOAT64: (Kind.FLOAT64, st.floats(allow_nan=False)),
    Logical.DECIMAL: (Kind.DECIMAL, st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str)),
    Logical.TEXT: (Kind.STRING, TEXTS),
    Logical.BYTES: (Kind.BYTES, st.binary()),
    Logical.DATE: (Kind.DATE, st.integers(-(2**31), 2**31 - 1)),
    Logical.TIME: (Kind.TIME, st.integers(0, 86_400_000_000)),
    Logical.MOMENT: (Kind.TIMESTAMP, st.integers(-(2**63), 2**63 - 1)),
}


@pytest.mark.parametrize("logical", VALUES)
def test_a_written_cell_is_read_as_the_value_it_was_written_from(logical: Logical) -> None:
    kind, values = VALUES[logical]
    encode, read = encoder(Column("c", kind)), hbase_column(logical)

    @given(st.lists(st.none() | values))
    def check(given_values: list[Any]) -> None:
        found = read([None if value is None else encode(value) for value in given_values])
        plain = [
            format(Decimal(value), "f") if logical is Logical.DECIMAL and value is not None else value
            for value in given_values
        ]
        assert same(tuple(found), tuple(plain))

    check()


KEY_PARTS = {
    Logical.INT64: VALUES[Logical.INT64][1],
    Logical.TEXT: TEXTS,
    Logical.BYTES: st.binary(),
    Logical.BOOL: st.booleans(),
    Logical.DATE: VALUES[Logical.DATE][1],
}


@given(
    st.lists(st.sampled_from(list(KEY_PARTS)), min_size=1, max_size=3).flatmap(
        lambda types: st.tuples(st.just(types), st.tuples(*(KEY_PARTS[kind] for kind in types)))
    )
)
def test_a_written_row_key_is_read_as_its_key(drawn: tuple[list[Logical], tuple[Any, ...]]) -> None:
    types, key = drawn
    assert row_key(key) == written_key(key)
    assert row_key_column(types)([written_key(key)]) == [key]

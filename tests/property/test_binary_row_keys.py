"""Binary row keys sort as their values do, and are read back by code that shares nothing with the writers."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Column, Kind
from parrot_faust.sinks.hbase.rowkeys import binary_key, maker
from parrot_faust.verify.binary_keys import RowKeys
from parrot_faust.verify.stored import Logical, Malformed

TEXTS = st.text(st.characters(blacklist_categories=["Cs"])) | st.text("\0\1\2|\\aé\uffff\U0001f99c")
BYTES = st.binary() | st.lists(st.sampled_from([0, 1, 2, 254, 255])).map(bytes)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False) | st.decimals(-1000, 1000, places=3)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.INT8: st.integers(-(2**7), 2**7 - 1),
    Kind.INT16: st.integers(-(2**15), 2**15 - 1),
    Kind.INT32: st.integers(-(2**31), 2**31 - 1),
    Kind.INT64: st.integers(-(2**63), 2**63 - 1),
    Kind.DATE: st.integers(-(2**31), 2**31 - 1),
    Kind.TIME: st.integers(0, 86_400_000_000),
    Kind.TIMESTAMP: st.integers(-(2**63), 2**63 - 1),
    Kind.BOOL: st.booleans(),
    Kind.STRING: TEXTS,
    Kind.BYTES: BYTES,
    Kind.DECIMAL: DECIMALS,
}
LOGICAL = {
    Kind.INT16: Logical.INT16,
    Kind.INT32: Logical.INT32,
    Kind.INT64: Logical.INT64,
    Kind.DATE: Logical.DATE,
    Kind.TIME: Logical.TIME,
    Kind.TIMESTAMP: Logical.MOMENT,
    Kind.BOOL: Logical.BOOL,
    Kind.STRING: Logical.TEXT,
    Kind.BYTES: Logical.BYTES,
    Kind.DECIMAL: Logical.DECIMAL,
}


def columns(kinds: list[Kind]) -> list[Column]:
    return [Column(f"k{place}", kind, False) for place, kind in enumerate(kinds)]


def sent(kinds: list[Kind], values: tuple[Any, ...]) -> list[Any]:
    """Values as they come in a row: decimals as text."""
    return [str(value) if kind is Kind.DECIMAL else value for kind, value in zip(kinds, values, strict=True)]


def keys_of(choices: list[Kind]) -> st.SearchStrategy[Any]:
    return st.lists(st.sampled_from(choices), min_size=1, max_size=4).flatmap(
        lambda kinds: st.tuples(st.just(kinds), *(st.tuples(*(VALUES[kind] for kind in kinds)) for _ in range(2)))
    )


@pytest.mark.parametrize("kind", VALUES)
def test_bytes_of_one_column_sort_as_its_values(kind: Kind) -> None:
    key = binary_key(columns([kind]))

    @given(VALUES[kind], VALUES[kind])
    def check(one: Any, other: Any) -> None:
        first, second = key(sent([kind], (one,))), key(sent([kind], (other,)))
        assert (first < second) == (one < other)
        assert (first == second) == (one == other)

    check()


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_bytes_of_floats_sort_as_their_values(one: float, other: float) -> None:
    for kind in (Kind.FLOAT64, Kind.FLOAT32):
        if kind is Kind.FLOAT32 and max(abs(one), abs(other)) > 3e38:
            continue
        key = binary_key(columns([kind]))
        if one < other:
            assert key([one]) <= key([other]) if kind is Kind.FLOAT32 else key([one]) < key([other])
    assert binary_key(columns([Kind.FLOAT64]))([float("inf")]) < binary_key(columns([Kind.FLOAT64]))([float("nan")])


@given(keys_of(list(VALUES)))
def test_bytes_of_composite_keys_sort_as_their_values(drawn: tuple[list[Kind], Any, Any]) -> None:
    kinds, one, other = drawn
    key = binary_key(columns(kinds))
    first, second = key(sent(kinds, one)), key(sent(kinds, other))
    assert (first < second) == (one < other)
    assert (first == second) == (one == other)


@given(st.lists(TEXTS, min_size=2, max_size=2), st.integers(-(2**63), 2**63 - 1))
def test_no_text_reaches_into_the_next_column(texts: list[str], number: int) -> None:
    key = binary_key(columns([Kind.STRING, Kind.INT64]))
    first, second = (key([text, number]) for text in texts)
    assert (first < second) == (texts[0] < texts[1])


@given(keys_of(list(LOGICAL)), st.sampled_from(["text", "binary"]), st.sampled_from([1, 2, 16, 256]))
def test_a_written_row_key_is_read_as_its_key(drawn: tuple[list[Kind], Any, Any], form: str, salt: int) -> None:
    kinds, one, _ = drawn
    if form == "text" and Kind.DECIMAL in kinds:
        return  # a decimal's text is its key there, as it came
    values = tuple(plain(value) if kind is Kind.DECIMAL else value for kind, value in zip(kinds, one, strict=True))
    data = maker(columns(kinds), form, salt)(sent(kinds, one))
    reader = RowKeys([LOGICAL[kind] for kind in kinds], [None] * len(kinds), form, salt)
    assert list(reader.read([data])) == [values]
    assert reader.written(values) == data


def plain(number: Decimal) -> str:
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if number == 0 else text


def test_decimal_of_a_declared_scale_is_read_with_it() -> None:
    data = maker(columns([Kind.DECIMAL]), "binary", 1)(["1.50"])
    assert RowKeys([Logical.DECIMAL], [2], "binary", 1).read([data]) == [("1.50",)]
    assert data == maker(columns([Kind.DECIMAL]), "binary", 1)(["1.5"])


@given(st.binary(max_size=20))
def test_bytes_that_are_no_key_are_malformed_and_found_again(data: bytes) -> None:
    reader = RowKeys([Logical.INT32, Logical.TEXT, Logical.DECIMAL], [None] * 3, "binary", 4)
    ((first, *rest),) = reader.read([data])
    if isinstance(first, Malformed):
        assert rest == []
    assert reader.written((first, *rest)) == data


def test_keys_as_they_are_documented() -> None:
    number, text = binary_key(columns([Kind.INT32])), binary_key(columns([Kind.STRING]))
    assert [number([value]).hex() for value in (-1, 0, 1)] == ["7fffffff", "80000000", "80000001"]
    assert text(["a\0b"]) == b"a\0\1b\0\0"
    assert binary_key(columns([Kind.DECIMAL]))(["-12.5"]).hex() == "01" + "7ffffffd" + "f2cc" + "ff"
    salted = maker(columns([Kind.INT64]), "text", 16)([5])
    assert salted == f"{zlib.crc32(b'5') % 16:02x}|5".encode()

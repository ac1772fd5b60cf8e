from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Column, Kind
from parrot_faust.sinks.hbase.cells import decoder, encoder, plain, row_key

DAY_US = 86_400_000_000
#: The bytes are the promise: other programs read them.
CELLS: list[tuple[Kind, Any, bytes]] = [
    (Kind.INT8, -128, b"\x80"),
    (Kind.INT8, 127, b"\x7f"),
    (Kind.INT16, -2, b"\xff\xfe"),
    (Kind.INT16, 2**15 - 1, b"\x7f\xff"),
    (Kind.INT32, 1, b"\0\0\0\x01"),
    (Kind.INT32, -(2**31), b"\x80\0\0\0"),
    (Kind.INT64, 2**63 - 1, b"\x7f" + b"\xff" * 7),
    (Kind.INT64, -(2**63), b"\x80" + b"\0" * 7),
    (Kind.FLOAT32, 1.0, b"\x3f\x80\0\0"),
    (Kind.FLOAT32, -math.inf, b"\xff\x80\0\0"),
    (Kind.FLOAT64, -0.0, b"\x80" + b"\0" * 7),
    (Kind.FLOAT64, math.inf, b"\x7f\xf0" + b"\0" * 6),
    (Kind.FLOAT64, 5e-324, b"\0" * 7 + b"\x01"),
    (Kind.BOOL, True, b"\x01"),
    (Kind.BOOL, False, b"\0"),
    (Kind.STRING, "", b""),
    (Kind.STRING, "ü🦜", b"\xc3\xbc\xf0\x9f\xa6\x9c"),
    (Kind.STRING, "a\0b", b"a\0b"),
    (Kind.BYTES, b"", b""),
    (Kind.BYTES, b"\0\xff", b"\0\xff"),
    (Kind.DECIMAL, "-0.50", b"-0.50"),
    (Kind.DECIMAL, "9" * 60, b"9" * 60),
    (Kind.DECIMAL, "NaN", b"NaN"),
    (Kind.DECIMAL, "-Infinity", b"-Infinity"),
    (Kind.DATE, -1, b"\xff\xff\xff\xff"),
    (Kind.DATE, 19_000, b"\0\0\x4a\x38"),
    (Kind.TIME, DAY_US - 1, b"\0\0\0\x14\x1d\xd7\x5f\xff"),
    (Kind.TIMESTAMP, -1, b"\xff" * 8),
    (Kind.TIMESTAMP, 253_402_300_800_000_000, b"\x03\x84\x44\x0c\xcc\x73\x60\x00"),
]


def test_every_kind_has_its_bytes_written_down() -> None:
    assert {kind for kind, _, _ in CELLS} == set(Kind)


@pytest.mark.parametrize(("kind", "value", "data"), CELLS)
def test_value_lies_as_documented_and_comes_back(kind: Kind, value: Any, data: bytes) -> None:
    column = Column("v", kind)
    assert encoder(column)(value) == data
    back = decoder(column)(data)
    assert (back, type(back)) == (value, type(value))
    assert str(back) == str(value)  # negative zero, too


@pytest.mark.parametrize("kind", [Kind.FLOAT32, Kind.FLOAT64])
def test_not_a_number_comes_back(kind: Kind) -> None:
    column = Column("v", kind)
    assert math.isnan(decoder(column)(encoder(column)(math.nan)))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INT8, 128),
        (Kind.INT16, -(2**15) - 1),
        (Kind.INT32, 2**31),
        (Kind.INT64, 2**63),
        (Kind.DATE, 2**31),
        (Kind.TIMESTAMP, -(2**63) - 1),
        (Kind.FLOAT32, 1e39),
        (Kind.STRING, "\ud800"),
        (Kind.DECIMAL, "1E+999999999"),
        (Kind.DECIMAL, "1E-999999999"),
    ],
)
def test_value_beyond_its_cell_is_never_cut(kind: Kind, value: Any) -> None:
    with pytest.raises(Exception, match=r".+"):
        encoder(Column("v", kind))(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1E+3", "1000"), ("1.50E-7", "0.000000150"), ("-1.5e2", "-150"), ("0E+3", "0"), ("1.10", "1.10"), ("NaN", "NaN")],
)
def test_decimal_has_no_exponent(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ((7,), b"7"),
        ((-(2**63),), b"-9223372036854775808"),
        (("a", 7, True, False), b"a|7|true|false"),
        ((b"\0\xff", "ü"), b"00ff|\xc3\xbc"),
        (("a|b", "c\\d"), b"a\\|b|c\\\\d"),
        (("",), b"\\e"),
        ((b"",), b"\\e"),
        (("", ""), b"|"),
        (("1.50", -1), b"1.50|-1"),
    ],
)
def test_row_key_is_its_values_text_as_documented(values: tuple[Any, ...], key: bytes) -> None:
    assert row_key(values) == key


# Few letters, so that alike ones meet often.
ALIKE = st.text("|\\ea", max_size=4)


@given(st.tuples(ALIKE, ALIKE), st.tuples(ALIKE, ALIKE))
def test_two_composite_keys_are_never_written_alike(one: tuple[str, str], two: tuple[str, str]) -> None:
    assert (row_key(one) == row_key(two)) == (one == two)


@given(ALIKE, ALIKE)
def test_two_single_keys_are_never_written_alike_and_never_empty(one: str, two: str) -> None:
    assert (row_key([one]) == row_key([two])) == (one == two)
    assert row_key([one])


TEXT = st.text(st.characters(exclude_characters="|\\", exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(TEXT, TEXT)
def test_keys_of_one_text_sort_by_code_points(one: str, two: str) -> None:
    assert (row_key([one]) < row_key([two])) == (one < two)


@given(st.binary(min_size=1, max_size=6), st.binary(min_size=1, max_size=6))
def test_keys_of_bytes_sort_as_the_bytes_do(one: bytes, two: bytes) -> None:
    assert (row_key([one]) < row_key([two])) == (one < two)


@given(TEXT, st.binary(max_size=3), st.binary(max_size=3))
def test_rows_of_one_first_key_column_lie_together_in_order_of_the_second(text: str, one: bytes, two: bytes) -> None:
    first, second = row_key([text, one]), row_key([text, two])
    prefix = row_key([text]) + b"|"
    assert first.startswith(prefix)
    assert second.startswith(prefix)
    assert (first < second) == (one < two)

"""The documented form of each type in the stores, read from literal bytes."""

from __future__ import annotations

import math
import struct

import pytest

from parrot_faust.verify.stored import (
    Logical,
    Malformed,
    array_text,
    hbase_column,
    kudu_column,
    row_key,
    row_key_column,
)

CELLS = [
    (Logical.BOOL, b"\x01", True),
    (Logical.BOOL, b"\x00", False),
    (Logical.INT16, b"\xff\xfe", -2),
    (Logical.INT32, b"\x00\x00\x01\x00", 256),
    (Logical.INT64, b"\x80" + bytes(7), -(2**63)),
    (Logical.FLOAT32, b"\x3f\xc0\x00\x00", 1.5),
    (Logical.FLOAT64, struct.pack(">d", -0.1), -0.1),
    (Logical.DECIMAL, b"-12.50", "-12.50"),
    (Logical.TEXT, "Ø🦜".encode(), "Ø🦜"),
    (Logical.BYTES, b"\x00\xff", b"\x00\xff"),
    (Logical.DATE, b"\xff\xff\xff\xff", -1),
    (Logical.TIME, (86_399_999_999).to_bytes(8, "big"), 86_399_999_999),
    (Logical.MOMENT, b"\x00\x05\xd6\xb4\x8b\xe8\xe0\x40", 1_643_445_813_305_408),
]


@pytest.mark.parametrize(("logical", "cell", "value"), CELLS)
def test_a_cell_is_read_as_documented_also_beside_a_null(logical: Logical, cell: bytes, value: object) -> None:
    assert list(hbase_column(logical)([cell, cell])) == [value, value]
    assert list(hbase_column(logical)([None, cell])) == [None, value]


@pytest.mark.parametrize(
    ("logical", "cell"),
    [
        (Logical.INT64, b"\x00\x00\x00\x01"),
        (Logical.INT32, bytes(8)),
        (Logical.FLOAT64, b"1.5"),
        (Logical.MOMENT, b""),
        (Logical.BOOL, b"\x03"),
        (Logical.BOOL, b"true"),
        (Logical.TEXT, b"\xff"),
        (Logical.DECIMAL, b"1E+3"),
    ],
)
def test_a_cell_of_another_form_is_malformed_and_its_neighbours_are_read(logical: Logical, cell: bytes) -> None:
    good, value = next((known, value) for kind, known, value in CELLS if kind is logical)
    found = hbase_column(logical)([good, cell, good])
    assert (found[0], found[2]) == (value, value)
    assert isinstance(found[1], Malformed)


def test_two_cells_of_wrong_width_do_not_make_up_for_each_other() -> None:
    found = hbase_column(Logical.INT32)([bytes(3), bytes(5), bytes(4)])
    assert [isinstance(value, Malformed) for value in found] == [True, True, False]


def test_every_nan_is_the_same_and_minus_zero_keeps_its_sign() -> None:
    one, other, zero = hbase_column(Logical.FLOAT64)(
        [b"\x7f\xf8" + bytes(6), b"\xff\xf8" + bytes(5) + b"\x01", b"\x80" + bytes(7)]
    )
    assert one is other
    assert math.copysign(1, zero) == -1


def test_decimals_of_kudu_lose_their_exponent_and_keep_their_digits() -> None:
    convert = kudu_column(Logical.DECIMAL)
    assert convert is not None
    assert list(convert(["12.50", None, "0E-10", "1.2E+3", "NaN"])) == ["12.50", None, "0.0000000000", "1200", "NaN"]


def test_zeros_at_the_end_count_only_where_a_scale_is_declared() -> None:
    assert list(hbase_column(Logical.DECIMAL)([b"1.10", b"100"])) == ["1.10", "100"]
    assert list(hbase_column(Logical.DECIMAL, scaled=False)([b"1.10", b"100", b"0.000", None])) == [
        "1.1",
        "100",
        "0",
        None,
    ]


def test_arrays_are_equal_when_their_elements_are() -> None:
    convert = hbase_column(Logical.ARRAY, Logical.FLOAT64)
    assert list(convert([b'[1, 2.50,null,"NaN"]'])) == [array_text([1.0, 2.5, None, float("nan")], Logical.FLOAT64)]
    assert list(hbase_column(Logical.ARRAY, Logical.DECIMAL)([b'["1.50",null]'])) == ['["1.5",null]']
    for text in (b"[1.5]", b"{}", b"[", b"[true]"):
        assert isinstance(hbase_column(Logical.ARRAY, Logical.INT32)([text])[0], Malformed)


KEYS = [
    ((Logical.INT64,), (-5,), b"-5"),
    ((Logical.TEXT,), ("a|b\\c",), b"a\\|b\\\\c"),
    ((Logical.TEXT,), ("",), b"\\e"),
    ((Logical.TEXT, Logical.TEXT), ("", ""), b"|"),
    ((Logical.INT32, Logical.TEXT), (7, "Ø"), "7|Ø".encode()),
    ((Logical.BYTES,), (b"\x00\xff",), b"00ff"),
    ((Logical.BOOL, Logical.DECIMAL), (True, "1.50"), b"true|1.50"),
]


@pytest.mark.parametrize(("types", "key", "data"), KEYS)
def test_row_keys_are_written_and_read_as_documented(
    types: tuple[Logical, ...], key: tuple[object, ...], data: bytes
) -> None:
    assert row_key(key) == data
    assert row_key_column(types)([data]) == [key]


@pytest.mark.parametrize("data", [b"01", b"+1", b"1 ", b"x", b"", b"1|2", b"1_0", b"\xff"])
def test_a_row_key_that_is_not_written_as_documented_stands_for_no_key(data: bytes) -> None:
    good, found = row_key_column((Logical.INT64,))([b"1", data])
    assert good == (1,)
    assert isinstance(found[0], Malformed)
    assert data.hex() in found[0].shown

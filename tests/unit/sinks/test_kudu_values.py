from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parrot_faust.sinks.kudu.values import (
    CONVERT,
    FIRST_DATE,
    LAST_DATE,
    MAX_CELL,
    Misfit,
    decimal_text,
    decimals,
    exact_unscaled,
)

EXACT = decimal.Context(prec=2000)


@given(
    st.integers(1, 38).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p), st.integers(-(10**p) + 1, 10**p - 1)))
)
def test_decimal_comes_back_as_it_went(case: tuple[int, int, int]) -> None:
    precision, scale, unscaled = case
    text = decimal_text(unscaled, scale)
    assert decimals(precision, scale)([text]) == [unscaled]
    assert Decimal(text) == Decimal(unscaled).scaleb(-scale, EXACT)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(0, 38))
def test_decimal_is_exact_or_refused_never_rounded(number: Decimal, scale: int) -> None:
    try:
        found = exact_unscaled(str(number), scale)
    except Misfit:
        scaled = number.scaleb(scale, EXACT)
        assert scaled.adjusted() > 900 or scaled != scaled.to_integral_value(context=EXACT)
    else:
        assert Decimal(found).scaleb(-scale, EXACT) == number


@pytest.mark.parametrize(
    ("text", "unscaled"),
    [
        ("1.50", 150),
        ("-1.50", -150),
        ("-0.05", -5),
        ("7", 700),
        ("1.5000", 150),
        ("1E+2", 10_000),
        ("1E-2", 1),
        ("0E-9", 0),
    ],
)
def test_every_way_to_write_a_decimal_is_understood(text: str, unscaled: int) -> None:
    assert decimals(12, 2)([text]) == [unscaled]


@pytest.mark.parametrize(
    "text",
    [
        "1.005",
        "10000000000",
        "-10000000000.00",
        "NaN",
        "Infinity",
        "",
        "1,5",
        "1E+999999999",
        "1E-999999999",
        "1" * 5000,
    ],
)
def test_decimal_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(Misfit):
        decimals(12, 2)([None, text])


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("bool", [True, False, None], [3, 0, 1, "true"]),
        ("int8", [-128, 127, None], [-129, 128, True, 1.0, "1"]),
        ("int16", [-32768, 32767], [-32769, 32768]),
        ("int32", [-(2**31), 2**31 - 1], [2**31, -(2**31) - 1]),
        ("int64", [-(2**63), 2**63 - 1], [2**63, -(2**63) - 1, Decimal(1)]),
        ("float", [0.1, 3.4e38, float("inf"), None, 2], [1e39, "1", True]),
        ("double", [1e308, float("-inf"), 2**53, None], [2**53 + 1, "1", True]),
        ("date", [FIRST_DATE, LAST_DATE, None], [FIRST_DATE - 1, LAST_DATE + 1]),
        ("unixtime_micros", [-(2**63), 2**63 - 1], [2**63, 1.5]),
    ],
)
def test_only_what_the_type_holds_exactly_is_taken(type_: str, good: list[object], bad: list[object]) -> None:
    assert CONVERT[type_](good) == good
    for value in bad:
        with pytest.raises(Misfit):
            CONVERT[type_]([*good, value])


@pytest.mark.parametrize(
    ("type_", "full", "over"),
    [
        ("string", "x" * MAX_CELL, "x" * (MAX_CELL + 1)),
        ("string", "ü" * (MAX_CELL // 2), "ü" * (MAX_CELL // 2) + "x"),
        ("binary", bytes(MAX_CELL), bytes(MAX_CELL + 1)),
    ],
)
def test_cell_is_counted_in_bytes(type_: str, full: str | bytes, over: str | bytes) -> None:
    assert len(CONVERT[type_]([full, None])[0]) == MAX_CELL
    with pytest.raises(Misfit, match="65537"):
        CONVERT[type_]([full, over])


def test_text_with_half_a_character_is_refused() -> None:
    with pytest.raises(Misfit, match="Unicode"):
        CONVERT["string"](["fine", "\ud800"])


@pytest.mark.parametrize("type_", sorted(CONVERT))
def test_column_of_nulls_stays_one(type_: str) -> None:
    convert: Callable[[Sequence[Any]], Sequence[Any]] = CONVERT[type_]
    assert list(convert((None, None))) == [None, None]

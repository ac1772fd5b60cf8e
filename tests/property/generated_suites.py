"""Frames of odd values and suites about them, made of a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

LETTERS = "aAbzZ019_-. @\n\tåÅßøЖ中٣²😀\xa0\u2003"
NAN = math.nan
Values = list[Any]


def text(rng: random.Random) -> str:
    usual = [f"ola{rng.randrange(99)}@example.com", "ABC-1234", "NO", "SE", "", "1", "a\n", "new", "2024-02-29", "{}"]
    return rng.choice([rng.choice(usual), "".join(rng.choices(LETTERS, k=rng.randrange(6)))])


def whole(rng: random.Random) -> int:
    return rng.choice([rng.randrange(-4, 5), rng.randrange(-4, 5), 2**53, 2**53 + 1, -(2**63), 2**63 - 1])


def small(rng: random.Random) -> Any:
    return rng.choice([rng.randrange(-4, 5), rng.randrange(-8, 9) / 2, rng.random() < 0.5])


def broken(rng: random.Random) -> float:
    return rng.choice([rng.uniform(-9, 9), float(rng.randrange(-4, 5)), math.inf, -math.inf, 0.5])


def decimal(rng: random.Random) -> Decimal:
    return Decimal(rng.randrange(-16, 17)) / 4


def anything(rng: random.Random) -> Any:
    return rng.choice([text, whole, broken, decimal, lambda _: True, lambda _: b"ab", lambda _: "x"])(rng)


def unhashable(rng: random.Random) -> Any:
    return rng.choice([[1], {"a": 1}, 1, "a"])


def document(rng: random.Random) -> str:
    return rng.choice(['{"a": 1}', '{"a": "x"}', "5", "null", '"a"', "[1, 2]", '{"b": 2}'])


#: What a column holds, by the name of the kind.
MAKERS: dict[str, Callable[[random.Random], Any]] = {
    "text": text,
    "whole": whole,
    "small": small,
    "broken": broken,
    "decimal": decimal,
    "bool": lambda rng: rng.random() < 0.5,
    "bytes": lambda rng: rng.choice([b"ab", b"", "ø1".encode()]),
    "anything": anything,
    "unhashable": unhashable,
    "document": document,
    "few": lambda rng: rng.choice(["a", "b"]),
}
NULLS = (None, None, NAN, Decimal("NaN"))


def column(rng: random.Random, kind: str, rows: int) -> Values:
    share = rng.choice([0, 0.2, 0.2, 0.6, 1]) if rng.random() < 0.9 else 0
    null = rng.choice([(None,), NULLS]) if kind in ("broken", "decimal", "anything") else (None,)
    return [rng.choice(null) if rng.random() < share else MAKERS[kind](rng) for _ in range(rows)]


def frame(rng: random.Random, rows: int) -> dict[str, Values]:
    """Columns of values of some kind each, with more or fewer nulls."""
    kinds = {name: rng.choice(list(MAKERS)) for name in "abc"}
    kinds |= {"n": "small", "m": "small", "s": "few"}
    return {name: column(rng, kind, rows) for name, kind in kinds.items()}


SETS: list[Values] = [[1, 2, 3], [True], [0.5, "NO", "1"], ["NO", "SE", "", "a"], [-1.0, 0], ["a"], [0, 1, 2, 3, 4]]
REGEXES = [
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$", r"^[A-Z]{3}-[0-9]{4,}$", r"\d", r"^\w+$", r"\s", r"^a$", r"^.$", r"(?i)å|ß",
    r"[^\W\d_]", r"^-?1", r"^$|e", r"(a|b)\1", r"^(?!a)", r"1(?=\d)",
]  # fmt: skip
TYPES = ["int", "float", "str", "bytes", "bool", "list", "dict"]
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object"},
    {"type": "object", "required": ["a"]},
    {"type": ["integer", "null"]},
]


def bounds(rng: random.Random, values: Callable[[random.Random], Any]) -> dict[str, Any]:
    low, high = sorted((values(rng), values(rng)))
    kwargs: dict[str, Any] = {"min_value": low, "max_value": high}
    if rng.random() < 0.5:
        del kwargs[rng.choice(["min_value", "max_value"])]
    for name in ("strict_min", "strict_max"):
        if rng.random() < 0.3:
            kwargs[name] = rng.random() < 0.7
    return kwargs


def number(rng: random.Random) -> Any:
    return rng.choice([rng.randrange(-4, 5), rng.randrange(-8, 9) / 2, 2**53 + 1])


def count(rng: random.Random) -> int:
    return rng.randrange(6)


def comparison(rng: random.Random) -> dict[str, Any]:
    """A leaf of a condition that raises for no row: order only among numbers without null."""
    name = rng.choice(["s", "a", "n"])
    if rng.random() < 0.3:
        return {"type": "nullity", "column": {"name": name}, "is_null": rng.random() < 0.5}
    if name == "s":
        sign = rng.choice(["==", "!=", "IN", "NOT_IN"])
        value: Any = rng.choice([["a"], ["a", "x"]]) if "IN" in sign else rng.choice(["a", "b", "it's"])
    else:
        sign = rng.choice(["==", "!=", "IN", "NOT_IN"])
        value = rng.choice([[1, 2], [0, -1, 0.5]]) if "IN" in sign else rng.choice([1, 0.5, -2])
    return {"type": "comparison", "column": {"name": name}, "operator": sign, "parameter": value}


def condition(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.5:
        return comparison(rng)
    parts = [comparison(rng) for _ in range(rng.choice([2, 3]))]
    return {"type": rng.choice(["and", "or"]), "conditions": parts}


PAIR = ("both_values_are_missing", "either_value_is_missing", "neither")
MULTI = ("all_values_are_missing", "any_value_is_missing", "never")


def _one(**more: Callable[[random.Random], Any]) -> Callable[[random.Random], dict[str, Any]]:
    return lambda rng: {"column": rng.choice("abcns"), **{name: make(rng) for name, make in more.items()}}


def _numeric(make: Callable[[random.Random], dict[str, Any]]) -> Callable[[random.Random], dict[str, Any]]:
    return lambda rng: {"column": rng.choice("abcnnmm"), **make(rng)}


def _pair(**more: Callable[[random.Random], Any]) -> Callable[[random.Random], dict[str, Any]]:
    def make(rng: random.Random) -> dict[str, Any]:
        first, second = rng.choice([("n", "m"), ("a", "b"), ("s", "c")])
        kwargs = {"column_A": first, "column_B": second, **{name: one(rng) for name, one in more.items()}}
        return {**kwargs, "ignore_row_if": rng.choice(PAIR)} if rng.random() < 0.7 else kwargs

    return make


def _multi(**more: Callable[[random.Random], Any]) -> Callable[[random.Random], dict[str, Any]]:
    def make(rng: random.Random) -> dict[str, Any]:
        columns = rng.choice([["n", "m"], ["n", "m", "s"], ["a", "b"], ["a", "b", "c"]])
        kwargs = {"column_list": columns, **{name: one(rng) for name, one in more.items()}}
        return {**kwargs, "ignore_row_if": rng.choice(MULTI)} if rng.random() < 0.7 else kwargs

    return make


def quantiles(rng: random.Random) -> dict[str, Any]:
    shares = sorted(rng.sample([0, 0.25, 0.5, 0.75, 1], 2))
    ranges = [sorted((rng.randrange(-4, 5), rng.randrange(-4, 5))) for _ in shares]
    return {"quantiles": shares, "value_ranges": [[rng.choice([None, low]), high] for low, high in ranges]}


ROW: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "expect_column_values_to_not_be_null": _one(),
    "expect_column_values_to_be_null": _one(),
    "expect_column_values_to_be_between": _numeric(lambda rng: bounds(rng, number)),
    "expect_column_values_to_be_in_set": _one(value_set=lambda rng: rng.choice(SETS)),
    "expect_column_values_to_not_be_in_set": _one(value_set=lambda rng: rng.choice(SETS)),
    "expect_column_values_to_match_regex": _one(regex=lambda rng: rng.choice(REGEXES)),
    "expect_column_values_to_not_match_regex": _one(regex=lambda rng: rng.choice(REGEXES)),
    "expect_column_values_to_match_regex_list": _one(
        regex_list=lambda rng: rng.sample(REGEXES, 2), match_on=lambda rng: rng.choice(["any", "all"])
    ),
    "expect_column_values_to_not_match_regex_list": _one(regex_list=lambda rng: rng.sample(REGEXES, 2)),
    "expect_column_value_lengths_to_be_between": lambda rng: {"column": rng.choice("abcs"), **bounds(rng, count)},
    "expect_column_value_lengths_to_equal": _one(value=count),
    "expect_column_values_to_be_of_type": _one(type_=lambda rng: rng.choice(TYPES)),
    "expect_column_values_to_be_in_type_list": _one(type_list=lambda rng: rng.sample(TYPES, 2)),
    "expect_column_values_to_match_strftime_format": _one(strftime_format=lambda rng: rng.choice(["%Y-%m-%d", "%H"])),
    "expect_column_values_to_be_json_parseable": _one(),
    "expect_column_values_to_match_json_schema": _one(json_schema=lambda rng: rng.choice(SCHEMAS)),
    "expect_column_pair_values_to_be_equal": _pair(),
    "expect_column_pair_values_a_to_be_greater_than_b": _pair(or_equal=lambda rng: rng.random() < 0.5),
    "expect_column_pair_values_to_be_in_set": _pair(
        value_pairs_set=lambda rng: rng.choice([[[1, 1], [0, 2]], [[None, 1], ["a", None]], [["a", "NO"], [1, -1]]])
    ),
    "expect_multicolumn_sum_to_equal": _multi(sum_total=lambda rng: rng.randrange(-3, 4)),
    "expect_multicolumn_values_to_be_equal": _multi(),
    "expect_select_column_values_to_be_unique_within_record": _multi(),
}
OVER: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "expect_column_values_to_be_unique": _one(),
    "expect_compound_columns_to_be_unique": _multi(),
    "expect_column_values_to_be_increasing": _one(strictly=lambda rng: rng.random() < 0.5),
    "expect_column_values_to_be_decreasing": _one(strictly=lambda rng: rng.random() < 0.5),
    "expect_column_mean_to_be_between": _numeric(lambda rng: bounds(rng, number)),
    "expect_column_min_to_be_between": _numeric(lambda rng: bounds(rng, number)),
    "expect_column_max_to_be_between": _numeric(lambda rng: bounds(rng, number)),
    "expect_column_sum_to_be_between": _numeric(lambda rng: bounds(rng, number)),
    "expect_column_median_to_be_between": _numeric(lambda rng: bounds(rng, number)),
    "expect_column_stdev_to_be_between": _numeric(lambda rng: bounds(rng, count)),
    "expect_column_quantile_values_to_be_between": _numeric(lambda rng: {"quantile_ranges": quantiles(rng)}),
    "expect_column_unique_value_count_to_be_between": _one(min_value=count),
    "expect_column_proportion_of_unique_values_to_be_between": _one(min_value=lambda rng: rng.choice([0, 0.2, 0.5, 1])),
    "expect_column_proportion_of_non_null_values_to_be_between": _one(max_value=lambda rng: rng.choice([0, 0.5, 1])),
    "expect_column_distinct_values_to_be_in_set": _one(value_set=lambda rng: rng.choice(SETS)),
    "expect_column_distinct_values_to_contain_set": _one(value_set=lambda rng: rng.choice(SETS)),
    "expect_column_distinct_values_to_equal_set": _one(value_set=lambda rng: rng.choice([["a", "b"], ["a"], [1]])),
    "expect_column_most_common_value_to_be_in_set": _one(
        value_set=lambda rng: rng.choice(SETS), ties_okay=lambda rng: rng.random() < 0.5
    ),
    "expect_table_row_count_to_be_between": lambda rng: {"min_value": rng.choice([0, 10, 60])},
    "expect_table_row_count_to_equal": lambda rng: {"value": rng.choice([10, 40])},
}
SHAPE: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "expect_column_to_exist": lambda rng: {"column": rng.choice("az"), "column_index": rng.choice([None, 0, 1])},
    "expect_table_columns_to_match_set": lambda rng: {
        "column_set": rng.choice([list("abcnms"), list("ab"), list("abz")]),
        "exact_match": rng.random() < 0.5,
    },
    "expect_table_columns_to_match_ordered_list": lambda rng: {
        "column_list": rng.choice([list("abcnms"), list("abc")])
    },
    "expect_table_column_count_to_be_between": lambda rng: {"min_value": rng.choice([5, 7])},
    "expect_table_column_count_to_equal": lambda rng: {"value": rng.choice([5, 6])},
}
MAKING = {**ROW, **OVER, **SHAPE}
#: Of these the pandas engine takes no share or no condition.
_NO_MOSTLY = {*OVER, *SHAPE} - {
    "expect_column_values_to_be_unique",
    "expect_compound_columns_to_be_unique",
    "expect_column_values_to_be_increasing",
    "expect_column_values_to_be_decreasing",
}


def suite(rng: random.Random, names: list[str]) -> dict[str, Any]:
    """A suite with one expectation of each name."""
    expectations = []
    for name in names:
        kwargs = MAKING[name](rng)
        if name not in _NO_MOSTLY and rng.random() < 0.5:
            kwargs["mostly"] = rng.choice([0, 0.3, 0.5, 0.75, 0.9, 1])
        if name not in SHAPE and name != "expect_column_pair_values_to_be_in_set" and rng.random() < 0.4:
            kwargs["row_condition"] = condition(rng)
        one = {"type": name, "kwargs": kwargs}
        if one not in expectations:  # the same twice is one in a suite
            expectations.append(one)
    return {"name": "t", "expectations": expectations}

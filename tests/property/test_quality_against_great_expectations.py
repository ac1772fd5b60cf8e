"""Compiled rules against Great Expectations itself: random rows get the same verdicts, row by row."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import RuleSet, compile_rules, load
from parrot_faust.quality.expectations import EXPECTATIONS, short_name
from parrot_faust.quality.refused import NOT_HERE

ROWS = 150
Oracle = Callable[[dict[str, list[Any]], str, dict[str, Any]], set[int]]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    """Ask Great Expectations which rows of a frame are unexpected."""
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False}
    batches: dict[int, Any] = {}

    def ask(columns: dict[str, list[Any]], name: str, kwargs: dict[str, Any]) -> set[int]:
        if id(columns) not in batches:
            frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
            asset = context.data_sources.add_pandas(f"source{len(batches)}").add_dataframe_asset("asset")
            batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
            batches[id(columns)] = (batch, columns)  # kept, so that no other columns get this identity
        expectation = getattr(gxe, "".join(part.title() for part in name.split("_")))(**kwargs)
        result = batches[id(columns)][0].validate(expectation, result_format={"result_format": "COMPLETE"})
        assert not any(one.get("raised_exception") for one in _infos(result.exception_info)), result.exception_info
        return set(result.result.get("unexpected_index_list") or [])

    return ask


def _infos(info: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in info.values() if isinstance(one, dict)] or [info]


def failed(kinds: dict[str, Kind], columns: dict[str, list[Any]], suite: dict[str, Any]) -> set[int]:
    """The rows that the compiled suite does not let pass."""
    schema = TableSchema.of("t", tuple(Column(name, kind) for name, kind in kinds.items()), ())
    rules: RuleSet = load(json.dumps(suite), "suite.json")
    compiled = compile_rules(rules, schema)
    assert not compiled.suspended, compiled.suspended
    rows = list(zip(*columns.values(), strict=True))
    return {
        position
        for position, _ in compiled.scan([Change(Op.CREATE, n, n, 0, (n,), None, row) for n, row in enumerate(rows)])
    }


def suite_of(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"name": "t", "expectations": [{"type": name, "kwargs": kwargs}]}


# -- random values ----------------------------------------------------------------------------------------------------

LETTERS = "aAbzZ019_-. @\n\tåÅßøЖ中٣²😀\xa0\u2003"


def _text(rng: random.Random) -> str:
    usual = [f"ola{rng.randrange(99)}@example.com", "ABC-1234", "NO", "SE", "", "1", "a\n", "new", "paid"]
    return rng.choice([rng.choice(usual), "".join(rng.choices(LETTERS, k=rng.randrange(6)))])


MAKERS: dict[Kind, Callable[[random.Random], Any]] = {
    Kind.STRING: _text,
    Kind.INT64: lambda rng: rng.choice([rng.randrange(-9, 10), 2**53, 2**53 + 1, -(2**63), 2**63 - 1]),
    Kind.FLOAT64: lambda rng: rng.choice([rng.uniform(-9, 9), float(rng.randrange(-9, 9)), math.inf, -math.inf, 0.1]),
    Kind.DECIMAL: lambda rng: Decimal(rng.randrange(-900, 900)).scaleb(-2),
    Kind.BOOL: lambda rng: rng.random() < 0.5,
    Kind.BYTES: lambda rng: _text(rng).encode(),
}
NULL: dict[Kind, tuple[Any, ...]] = {Kind.FLOAT64: (None, math.nan), Kind.DECIMAL: (None, Decimal("NaN"))}


def values(kind: Kind, seed: int) -> list[Any]:
    rng = random.Random(f"{kind}{seed}")
    return [rng.choice(NULL.get(kind, (None,))) if rng.random() < 0.2 else MAKERS[kind](rng) for _ in range(ROWS)]


FRAMES = {kind: {"c": values(kind, 1)} for kind in MAKERS}
NUMBERS = (Kind.INT64, Kind.FLOAT64, Kind.DECIMAL, Kind.BOOL)
#: Bounds that a float holds exactly: at others a decimal is judged more kindly here (see the test on that below).
BETWEEN = [
    {"min_value": -2, "max_value": 5.5},
    {"min_value": 1, "strict_min": True},
    {"max_value": 3, "strict_max": True},
    {"min_value": 0, "max_value": 1, "strict_min": True, "strict_max": True},
    {"min_value": -3, "max_value": 3, "strict_max": True},
    {"min_value": 2**53 + 1},
    {"max_value": -0.0},
]
SETS: list[list[Any]] = [[1, 2, 3], [True], [0.5, "NO", "1"], ["NO", "SE", "", "paid"], [-1.0, 2**53]]
REGEXES = [
    r"^[^@\s]+@[^@\s]+\.[a-z]{2,}$",
    r"^[A-Z]{3}-[0-9]{4,}$",
    r"\d",
    r"^\w+$",
    r"\s",
    r"^a$",
    r"^.$",
    r"(?i)å|ß",
    r"[^\W\d_]",
    r"^-?1",
    r"^$|e",
]
TYPES = ["int", "float", "str", "bytes", "bool", "Decimal"]


def cases() -> Iterator[tuple[Kind, str, dict[str, Any]]]:
    for kind in MAKERS:
        yield kind, "not_be_null", {}
        yield kind, "be_null", {}
        yield kind, "be_of_type", {"type_": TYPES[list(MAKERS).index(kind) - 1]}
        for name in TYPES:
            yield kind, "be_of_type", {"type_": name}
        yield kind, "be_in_type_list", {"type_list": ["int", "str"]}
        yield kind, "be_in_type_list", {"type_list": ["float", "bytes", "bool"]}
        for members in SETS:
            yield kind, "be_in_set", {"value_set": members}
            yield kind, "not_be_in_set", {"value_set": members}
        yield kind, "value_lengths_to_be_between", {"min_value": 1, "max_value": 4}
        yield kind, "value_lengths_to_be_between", {"max_value": 3}
        yield kind, "value_lengths_to_be_between", {"min_value": 2}
        yield kind, "value_lengths_to_equal", {"value": 4}
        for regex in REGEXES if kind is Kind.STRING else REGEXES[2::3]:
            yield kind, "match_regex", {"regex": regex}
            yield kind, "not_match_regex", {"regex": regex}
    for kind in NUMBERS:
        for bounds in BETWEEN:
            yield kind, "be_between", bounds


CASES = {
    name: [(kind, kwargs) for kind, one, kwargs in cases() if one == name] for name in sorted({c[1] for c in cases()})
}


def _full(short: str) -> str:
    return next(name for name in EXPECTATIONS if short_name(name) == short)


@pytest.mark.parametrize("name", CASES)
def test_rows_are_judged_as_great_expectations_judges_them(name: str, oracle: Oracle) -> None:
    failing: list[int] = []
    for kind, kwargs in CASES[name]:
        given = {"column": "c", **kwargs}
        ours = failed({"c": kind}, FRAMES[kind], suite_of(_full(name), given))
        theirs = oracle(FRAMES[kind], _full(name), given)
        shown = {index: FRAMES[kind]["c"][index] for index in ours ^ theirs}
        assert ours == theirs, f"{name} {kwargs} on {kind}: judged differently {shown}"
        failing.append(len(ours))
    assert max(failing) > 0, "nothing failed, so nothing was compared"
    assert min(failing) < ROWS, "nothing passed, so nothing was compared"


def test_pairs_are_judged_as_great_expectations_judges_them(oracle: Oracle) -> None:
    # No row with one null: Great Expectations then raises for the whole frame where it compares their order.
    rng = random.Random(3)
    both = [(None, None) if rng.random() < 0.2 else (rng.randrange(4), rng.randrange(4)) for _ in range(ROWS)]
    columns = {"a": [one[0] for one in both], "b": [one[1] for one in both]}
    kinds = {"a": Kind.INT64, "b": Kind.INT64}
    for name, more in [
        ("expect_column_pair_values_to_be_equal", {}),
        ("expect_column_pair_values_a_to_be_greater_than_b", {}),
        ("expect_column_pair_values_a_to_be_greater_than_b", {"or_equal": True}),
    ]:
        given = {"column_A": "a", "column_B": "b", **more}
        ours = failed(kinds, columns, suite_of(name, given))
        assert ours == oracle(columns, name, given)
        assert 0 < len(ours) < ROWS


def test_dates_and_timestamps_are_judged_as_great_expectations_judges_them(oracle: Oracle) -> None:
    rng = random.Random(4)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    days = [None if rng.random() < 0.2 else rng.randrange(-2_000, 20_000) for _ in range(ROWS)]
    days[:3] = [0, 10_957, 10_958]
    theirs = {
        "date": {"c": [None if day is None else date(1970, 1, 1) + timedelta(days=day) for day in days]},
        "moment": {"c": [None if day is None else epoch + timedelta(days=day) for day in days]},
    }
    bound = {"min_value": "2000-01-01", "strict_min": True}
    expected = oracle(
        theirs["date"], "expect_column_values_to_be_between", {"column": "c", **bound, "min_value": date(2000, 1, 1)}
    )
    moments = [None if day is None else day * 86_400_000_000 for day in days]
    given = suite_of("expect_column_values_to_be_between", {"column": "c", **bound})
    assert failed({"c": Kind.DATE}, {"c": days}, given) == expected
    assert failed({"c": Kind.TIMESTAMP}, {"c": moments}, given) == expected
    assert 1 in expected
    assert 2 not in expected


def test_a_decimal_at_a_bound_is_where_we_differ_on_purpose(oracle: Oracle) -> None:
    # Great Expectations compares the decimal 0.1 with the float 0.1, which is a little more, and finds it too small.
    columns = {"c": [Decimal("0.1"), Decimal("0.09")]}
    given = {"column": "c", "min_value": 0.1}
    assert oracle(columns, "expect_column_values_to_be_between", given) == {0, 1}
    assert failed({"c": Kind.DECIMAL}, columns, suite_of("expect_column_values_to_be_between", given)) == {1}


def test_a_suite_that_great_expectations_writes_is_read_and_judges_the_same(oracle: Oracle) -> None:
    suite = gx.ExpectationSuite(
        "shop.public.all",
        expectations=[
            gxe.ExpectColumnValuesToNotBeNull(column="c", mostly=0.9),
            gxe.ExpectColumnValuesToBeBetween(column="c", min_value=-2, max_value=5, severity="warning"),
            gxe.ExpectColumnValuesToNotBeInSet(column="c", value_set=[1, 2], meta={"owner": "sales"}),
        ],
    )
    written = suite.to_json_dict()
    assert written["meta"]["great_expectations_version"]
    text = msgspec.json.encode(written).decode()
    rules = load(text, "suite.json")
    assert rules.table == "shop.public.all"
    assert [(rule.mostly, str(rule.severity)) for rule in rules.rules] == [
        (0.9, "critical"),
        (1, "warning"),
        (1, "critical"),
    ]
    columns = FRAMES[Kind.INT64]
    expected = set()
    for one in written["expectations"]:
        expected |= oracle(columns, one["type"], one["kwargs"])
    assert failed({"c": Kind.INT64}, columns, json.loads(text)) == expected


def test_every_expectation_of_great_expectations_is_here_or_refused_with_the_reason() -> None:
    theirs = {one.expectation_type for one in _core()}
    assert theirs
    assert theirs <= {*EXPECTATIONS, *NOT_HERE}, theirs - {*EXPECTATIONS, *NOT_HERE}
    ours = {"condition", "transitions", "immutable", "monotonic", "freshness", "volume"}
    assert set(EXPECTATIONS) - theirs == ours, "what no batch tool has"
    assert not set(EXPECTATIONS) & set(NOT_HERE)


def _core() -> Iterator[Any]:
    for name in dir(gxe):
        one = getattr(gxe, name)
        if isinstance(one, type) and getattr(one, "expectation_type", None) and not name.endswith("Expectation"):
            yield one
    yield gxe.UnexpectedRowsExpectation

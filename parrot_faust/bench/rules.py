"""What checking a row costs: ten rules as a generated function, as closures, in Great Expectations; and windows."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.bench.transport import machine
from parrot_faust.quality import RuleSet, compile_rules, load
from parrot_faust.quality.compiling import Compiled
from parrot_faust.quality.folding import Fold

#: Ten rules on ten columns, as a table of orders has them. What each asks holds for every row that is measured.
RULES = """
table: bench
columns:
  c0: [not_be_null, {be_between: {min_value: 0}}]
  c1: [{be_in_set: [new, paid, shipped, cancelled]}]
  c2: [{match_regex: '^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$'}]
  c3: [{be_between: {min_value: 0, max_value: 100000}}]
  c4: [{value_lengths_to_be_between: {min_value: 1, max_value: 200}}]
  c5: [not_be_null]
  c6: [{be_in_set: [NO, SE, DK]}]
  c7: [{be_between: {min_value: 0, max_value: 1000}}]
  c8: [{be_of_type: int}]
"""
#: Five rules over all rows of a window.
WINDOWS = """
table: bench
windows:
  - every: 1m
    checks:
      - row_count_to_be_between: {min_value: 1}
      - mean_to_be_between: {column: c3, min_value: 0}
      - proportion_of_non_null_values_to_be_between: {column: c5, min_value: 0.9}
      - distinct_values_to_be_in_set: {column: c1, value_set: [new, paid]}
      - median_to_be_between: {column: c7, min_value: 0}
"""
KINDS = (
    Kind.INT64, Kind.STRING, Kind.STRING, Kind.FLOAT64, Kind.STRING,
    Kind.STRING, Kind.STRING, Kind.INT64, Kind.INT64, Kind.STRING,
)  # fmt: skip
MOST_US = 3.0  # what ten rules may cost an event that passes them
MOST_COMPILE_MS = 50.0  # for a hundred rules on fifty columns


@dataclass(frozen=True, slots=True)
class RulesReport:
    """Microseconds of the processor's time a row by way of checking; milliseconds to compile by number of rules."""

    us: dict[str, float]
    compile_ms: dict[int, float]
    met: bool
    machine: str


def measure_rules(rows: int, *, great_expectations: bool, say: Callable[[str], None]) -> RulesReport:
    """Measure every way on the same rows. Great Expectations is measured where it is installed."""
    schema = TableSchema.of("bench", tuple(Column(f"c{n}", kind) for n, kind in enumerate(KINDS)), ("c0",))
    rules = load(RULES, "bench.yaml")
    compiled = compile_rules(rules, schema)
    changes = [_change(number) for number in range(rows)]
    say("the generated function")
    us = {"generated function": _fastest(lambda: compiled.scan(changes), rows)}
    say("closures")
    us["list of closures"] = _fastest(lambda: _closures(compiled, changes), rows)
    say("windows")
    fold, times = Fold(load(WINDOWS, "bench.yaml"), schema), [0] * rows
    us["folding five window rules"] = _fastest(lambda: fold.take(changes, times, 0) and None, rows)
    if great_expectations:
        for size in (1_000, 1):
            say(f"Great Expectations, batches of {size:,}")
            us[f"Great Expectations, batches of {size:,}"] = _great_expectations(rules, changes[:size], size)
    say("compiling")
    compile_ms = {count: _compiling(count) for count in (10, 50, 100, 200)}
    met = us["generated function"] <= MOST_US and compile_ms[100] <= MOST_COMPILE_MS
    return RulesReport({way: round(value, 2) for way, value in us.items()}, compile_ms, met, machine())


def _change(number: int) -> Change:
    row = (number, "paid", f"ola{number}@example.com", 12.5 + number, "a note", "x", "NO", number % 1_000, number, "y")
    return Change(Op.CREATE, number, number, 0, (number,), None, row)


def _fastest(run: Callable[[], Any], rows: int) -> float:
    """Microseconds a row: the median of five runs, the garbage collector held off."""
    times = []
    gc.disable()
    try:
        for _ in range(5):
            began = time.process_time()
            found = run()
            times.append(time.process_time() - began)
            assert not found, "the rows that are measured pass"
    finally:
        gc.enable()
    return median(times) / rows * 1e6


def _closures(compiled: Compiled, changes: Sequence[Change]) -> list[int]:
    """What one would write first: each rule's test, asked one after the other."""
    tests = compiled.tests()
    return [
        position
        for position, change in enumerate(changes)
        if change.after is None or not all(test(change.after) for test in tests)
    ]


def _compiling(count: int) -> float:
    """Milliseconds to compile so many rules on half as many columns."""
    columns = tuple(Column(f"c{n}", Kind.INT64 if n % 2 else Kind.STRING) for n in range(max(1, count // 2)))
    checks = [
        f"  {one.name}: [not_be_null, "
        + (f"{{be_between: {{min_value: {n}}}}}]" if n % 2 else f"{{match_regex: '^[a-z]{{2,{n + 3}}}$'}}]")
        for n, one in enumerate(columns)
    ]
    rules, schema = load("table: t\ncolumns:\n" + "\n".join(checks), "t.yaml"), TableSchema.of("t", columns, ())
    began = time.process_time()
    made = compile_rules(rules, schema)
    took = time.process_time() - began
    assert len(made.rules) == count
    return round(took * 1e3, 1)


def _great_expectations(rules: RuleSet, changes: Sequence[Change], size: int) -> float:
    """Microseconds a row of a validation of `size` rows, without building the batch's source."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import great_expectations.expectations as gxe
    import pandas as pd

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    rows = [change.after or () for change in changes]
    frame = pd.DataFrame({f"c{n}": pd.Series([row[n] for row in rows], dtype=object) for n in range(len(KINDS))})
    asset = context.data_sources.add_pandas(f"bench{size}").add_dataframe_asset("rows")
    suite = gx.ExpectationSuite(name=f"bench{size}")
    for rule in rules.rules:
        kind = getattr(gxe, "".join(part.title() for part in rule.type.split("_")))
        suite.add_expectation(kind(column=rule.column, **rule.kwargs))
    definition = asset.add_batch_definition_whole_dataframe("all")
    times = []
    for _ in range(3):
        batch = definition.get_batch({"dataframe": frame})
        began = time.process_time()
        result = batch.validate(suite, result_format="BOOLEAN_ONLY")
        times.append(time.process_time() - began)
        assert result.success, "the rows that are measured pass"
    return median(times) / size * 1e6

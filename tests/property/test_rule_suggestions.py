"""A proposed rule file holds for the very rows that it was made of, whatever they are."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import load
from parrot_faust.quality.compiling import compile_rules
from parrot_faust.quality.profile import Profile
from parrot_faust.quality.suggestion import suggestion

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.sampled_from(["a@b.org", "NO", "yes", "null", "2024-02-29", "2024-02-29T10:00:00Z", "ABC-12", "", "1e5", "{}"]),
    st.uuids().map(str),
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.BOOL: st.booleans(),
    Kind.INT8: st.integers(-128, 127),
    Kind.INT16: st.integers(-(2**15), 2**15 - 1),
    Kind.INT32: st.integers(-(2**31), 2**31 - 1),
    Kind.INT64: st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**53, 2**53 + 1, 0, 1]),
    Kind.FLOAT32: st.floats(width=32),
    Kind.FLOAT64: st.floats() | st.sampled_from([0.1, 5e-324, 1.7e308, -0.0]),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False) | st.just(Decimal("NaN")),
    Kind.STRING: TEXTS,
    Kind.BYTES: st.binary(max_size=5),
    Kind.DATE: st.integers(-(2**31), 2**31 - 1) | st.integers(0, 20_000),
    Kind.TIME: st.integers(0, 86_400_000_000 - 1),
    Kind.TIMESTAMP: st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2**51),
}
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6) | st.sampled_from(["no", "a.b", "#"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[TableSchema, list[Change]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    kinds = [draw(st.sampled_from(list(Kind))) for _ in names]
    semantic = draw(st.sampled_from(["", "json"]))
    columns = tuple(Column(name, kind, semantic=semantic) for name, kind in zip(names, kinds, strict=True))
    pools = [
        draw(st.lists(st.none() | VALUES[kind] if draw(st.booleans()) else VALUES[kind], min_size=1, max_size=5))
        for kind in kinds
    ]
    row = st.tuples(*(st.sampled_from(pool) for pool in pools))
    changes = []
    for index in range(draw(st.integers(1, 25))):
        op = draw(st.sampled_from([Op.CREATE, Op.UPDATE, Op.UPDATE, Op.DELETE, Op.READ]))
        before = draw(row) if op in (Op.UPDATE, Op.DELETE) and draw(st.integers(0, 30)) else None
        after = None if op is Op.DELETE else draw(row)
        unset: tuple[int, ...] = ()
        if op is Op.UPDATE and not draw(st.integers(0, 5)):
            unset = (draw(st.integers(0, len(names) - 1)),)
            assert after is not None
            after = tuple(None if place in unset else value for place, value in enumerate(after))
        changes.append(Change(op, index, index, 0, (index,), before, after, unset))
    return TableSchema.of("shop.public.t", columns, (names[0],)), changes


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.sampled_from([0, 1, 10]), st.booleans())
def test_a_suggestion_holds_for_all_that_it_was_made_of(
    table: tuple[TableSchema, list[Change]], least: int, masked: bool
) -> None:
    schema, changes = table
    profile = Profile()
    half = len(changes) // 2
    profile.take(schema, changes[:half])
    profile.take(schema, changes[half:])
    if profile.schema is None:
        return
    hidden = frozenset(column.name for column in schema.columns) if masked else frozenset()
    text = suggestion(schema.table, profile, hidden, least=least)
    rules = load(text, "suggestion.yaml")
    compiled = compile_rules(rules, schema)
    assert not compiled.suspended, text
    assert not compiled.concerns, text
    failed = [
        (changes[position], [f.reason for f in compiled.explain(changes[position], mask)])
        for position, mask in compiled.scan(changes)
    ]
    assert not failed, text
    assert load(text, "again.yaml").version == rules.version

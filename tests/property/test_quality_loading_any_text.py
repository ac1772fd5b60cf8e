"""Whatever a rule file holds, it is a rule set or refused with the file's name; nothing else comes out."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Column, Kind, TableSchema
from parrot_faust.errors import RuleError
from parrot_faust.quality import RuleSet, compile_rules, load
from parrot_faust.quality.expectations import EXPECTATIONS, short_name

SHIPPED = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parents[2].glob("quality_rules/*.yaml"))]
SCHEMA = TableSchema.of("t", tuple(Column(str(kind), kind) for kind in Kind), ())
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["2000-01-01", "("])
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
ARGUMENTS = sorted(
    {name for one in EXPECTATIONS.values() for name in one.named()} | {"mostly", "action", "id", "row_condition"}
)
CHECKS = st.dictionaries(
    st.sampled_from([short_name(name) for name in EXPECTATIONS]),
    st.dictionaries(st.sampled_from(ARGUMENTS), SCALARS | ANY, max_size=3) | ANY,
    max_size=2,
)
SETTINGS = settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])


def taken(text: str) -> bool:
    """Read and compile; a set that is taken survives the rules topic and compiles for any table."""
    refusal: RuleError | None = None
    try:
        rules = load(text, "any.yaml")
    except RuleError as error:
        refusal = error
    if refusal is not None:
        place = f"any.yaml:{refusal.line}:" if refusal.line else "any.yaml: "
        assert str(refusal).startswith(place)
        return False
    assert RuleSet.from_json(rules.to_json()) == rules
    compile_rules(rules, SCHEMA)
    assert len({rule.id for rule in rules.rules}) == len(rules.rules)
    return True


@SETTINGS
@given(st.text(max_size=60) | st.text("[]{}:,-?&*!|>'\"%@#\n\t ab1", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    taken(text)
    taken(f"table: t\ncolumns:\n  a:\n    - {text}")


@SETTINGS
@given(st.lists(CHECKS, max_size=3), st.sampled_from([str(kind) for kind in Kind]), ANY)
def test_any_tree_is_read_or_refused(checks: list[Any], column: str, other: Any) -> None:
    taken(json.dumps({"table": "t", "columns": {column: checks}}))
    taken(json.dumps({"table": "t", "rows": checks, "defaults": other}))
    taken(json.dumps({"table": "t", "when": other, "columns": other}))
    suite = [{"type": name, "kwargs": one} for check in checks for name, one in check.items()]
    taken(json.dumps({"name": "t", "expectations": suite, "meta": other}))


def test_a_shipped_file_with_any_one_place_broken_is_read_or_refused() -> None:
    rng, outcomes = random.Random(5), set()
    for _ in range(150):
        text = rng.choice(SHIPPED)
        at = rng.randrange(len(text))
        outcomes.add(
            taken(
                text[:at]
                + rng.choice(["", "\n", "x", "&a ", "[", "'", ": ", "\x00", " "])
                + text[at + rng.randrange(3) :]
            )
        )
    assert outcomes == {True, False}

from __future__ import annotations

from pathlib import Path

from parrot_faust.schema.behaviour import HOLDING, KINDS, NOT_KINDS, Behaviour
from parrot_faust.schema.cells import EXAMPLES, Outcome, filled, outcome
from parrot_faust.schema.stores import STORES

PAGE = Path(__file__).parents[3] / "docs" / "schema-changes.md"


def test_the_page_has_the_table_that_the_planner_gives() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text) == text, "run: .venv/bin/python -m parrot_faust.schema.cells docs/schema-changes.md"


def test_every_kind_has_an_example_and_every_behaviour_a_line() -> None:
    assert set(EXAMPLES) == set(KINDS)
    assert not set(KINDS) & set(NOT_KINDS)
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"| `{behaviour}` |" in text for behaviour in Behaviour)


def test_what_waits_for_a_person_is_held_in_every_store_and_lenient_never_loses() -> None:
    for kind in KINDS:
        for store in STORES.values():
            assert all(outcome(kind, behaviour, store) is Outcome.HELD for behaviour in HOLDING)
            assert outcome(kind, Behaviour.LENIENT, store) not in (
                Outcome.HELD, Outcome.LEFT_OUT, Outcome.DEAD_LETTERS, Outcome.DROPPED, Outcome.CLEARED,
            )  # fmt: skip

"""Suites that are imported say the same as they did, whatever is in them."""

from __future__ import annotations

import random
from copy import deepcopy
from typing import Any

import generated_suites as make
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from parrot_faust.quality import RuleSet, load
from parrot_faust.quality.importing import imported, suite_of
from parrot_faust.quality.loading import load_tree


def content(rules: RuleSet) -> list[Any]:
    """What a set says, but for the names and the order of its rules."""
    plain = [{**msgspec.to_builtins(rule), "id": "", "mostly": float(rule.mostly)} for rule in rules.every_rule()]
    return sorted(msgspec.json.encode(one, order="deterministic") for one in plain)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_imported_suite_is_the_suite(seed: int) -> None:
    rng = random.Random(seed)
    suite = make.suite(rng, rng.sample(list(make.MAKING), 12))
    for one in suite["expectations"]:
        if rng.random() < 0.3:
            one["severity"] = rng.choice(["info", "warning", "critical"])
        if one["type"] in make.ROW and rng.random() < 0.3:
            one["meta"] = {"parrot": {"action": rng.choice(["drop", "warn"]), "id": f"x{rng.random()}", "ops": ["c"]}}
    suite["meta"] = {"parrot": {"table": "shop.public.t", "every": rng.choice(["30s", "2h"])}}
    text = msgspec.json.encode(suite).decode()
    made = imported(suite_of(text, "s.json"), "s.json")
    assert (made.taken, made.refused, made.guessed) == (len(suite["expectations"]), (), False)
    ours, theirs = load(made.text, "s.yaml"), load_tree(deepcopy(suite), "s.json")
    assert content(ours) == content(theirs), made.text
    assert [one.every_ms for one in ours.windows] == [one.every_ms for one in theirs.windows]
    named = {rule.id for rule in theirs.every_rule() if rule.id.startswith("x0.")}
    assert named <= {rule.id for rule in ours.every_rule()}

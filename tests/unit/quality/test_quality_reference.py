"""The document about rules: its table is the vocabulary's, its example is good, and its arithmetic holds."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ruamel.yaml import YAML

from models import Change, Op
from parrot_faust.quality import load
from parrot_faust.quality.expectations import EXPECTATIONS, short_name
from parrot_faust.quality.loading import load_tree
from parrot_faust.quality.reference import replaced
from parrot_faust.quality.rule_tests import run_case
from parrot_faust.quality.verdicts import judge_suite

ROOT = Path(__file__).parents[3]
AGREEMENT = json.loads((ROOT / "docs" / "agreement.json").read_text(encoding="utf-8"))
#: What Great Expectations has no word for.
OWN = {"condition", "transitions", "immutable", "monotonic", "freshness", "volume"}
TEXT = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def test_the_table_is_the_one_the_code_makes() -> None:
    assert replaced(TEXT, AGREEMENT) == TEXT, "python -m parrot_faust.quality.reference"


def test_the_table_says_of_every_expectation_whether_it_was_compared() -> None:
    listed = dict(re.findall(r"^\| `([^`]+)` \| (?:gate|window|table).*\| ([^|]+) \|$", TEXT, re.MULTILINE))
    assert list(listed) == [short_name(name) for name in EXPECTATIONS]
    own = {short_name(name) for name in OWN}
    assert {name for name, said in listed.items() if said == "own"} == own
    counted = {name for name, said in listed.items() if re.fullmatch(r"[0-9,]+(; [0-9,]+ rows)?", said)}
    assert listed.keys() - counted - own == {"type_to_be"}


def test_the_example_of_a_rule_file_is_one() -> None:
    rules = load(blocks()[0], "docs/rules.md")
    assert rules.table == "shop.public.orders"
    assert len(rules.every_rule()) == 16


def test_the_example_of_a_test_passes() -> None:
    (case,) = YAML(typ="safe", pure=True).load(blocks()[1])["cases"]
    folder = ROOT / "quality_rules" / "tests"
    outcome = run_case(case, "docs/rules.md", lambda name: (folder / name).read_text(encoding="utf-8"))
    assert outcome.passed, outcome


def test_the_example_of_mostly_comes_out_as_it_says() -> None:
    check = {"be_between": {"min_value": 0, "max_value": 10}, "mostly": 0.9}
    rules = load_tree({"table": "t", "columns": {"a": [check]}}, "t.yaml")
    changes = [Change(Op.CREATE, n, n, 0, (n,), None, (value,)) for n, value in enumerate([1, 2, None, 99])]
    verdict = judge_suite(rules, changes, {"a": None}, ["a"])
    (rule,) = verdict.rules
    assert (rule.considered, rule.unexpected, verdict.success) == (3, (3,), False)
    assert [str(action) for action in verdict.actions if action] == ["quarantine"]

"""Rules tried on changes that have been, beside those in force."""

from __future__ import annotations

from itertools import count

import pytest

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.masking import Masking
from parrot_faust.quality import RuleSet
from parrot_faust.quality import trial_windows as windows
from parrot_faust.quality.loading import load_tree
from parrot_faust.quality.trial import RuleTrial, Shown, Trial, as_they_are, view

T = "shop.public.goods"
GOODS = TableSchema.of(T, (Column("id", Kind.INT64), Column("n", Kind.INT64), Column("mail", Kind.STRING)), ("id",))
MINUTE = 60_000


def rules(**parts: object) -> RuleSet:
    return load_tree({"table": T, **parts}, "t.yaml")


def between(most: int, **more: object) -> dict[str, object]:
    return {"columns": {"n": [{"be_between": {"max_value": most}, **more}]}}


def created(*numbers: int | None, first: int = 0) -> list[Change]:
    return [
        Change(Op.CREATE, i, first + i, 0, (first + i,), None, (first + i, n, f"m{first + i}@x.org"))
        for i, n in enumerate(numbers)
    ]


def tried(new: RuleSet, active: RuleSet | None, changes: list[Change], shown: object = as_they_are) -> Trial:
    ticks = count()
    trial = Trial(new, active, shown, lambda: float(next(ticks)))  # type: ignore[arg-type]
    trial.take(GOODS, changes, [0] * len(changes), (T, 3))
    return trial


def results(trial: Trial, now_ms: int = 0) -> dict[str, RuleTrial]:
    return {one.rule: one for one in trial.results(now_ms, 0)}


def test_a_rule_is_counted_beside_the_one_of_its_name_in_force() -> None:
    trial = tried(rules(**between(10)), rules(**between(100)), created(5, 50, 500, None))
    (one,) = trial.results(0, 0)
    assert (one.rule, one.failed, one.of, one.now, one.share) == ("n.be_between", 2, 4, 1, 0.5)
    assert view(one)["change"] == 1
    assert one.us is not None
    outcome = trial.outcome
    assert (outcome.held, outcome.held_now, outcome.newly_held, outcome.let_through) == (2, 1, 1, 0)
    assert outcome.actions == {"quarantine": 2}


def test_rules_that_come_and_go_are_told_apart() -> None:
    new, old = rules(columns={"mail": ["not_be_null"]}), rules(**between(10))
    found = results(tried(new, old, created(5, 50)))
    assert (found["mail.not_be_null"].failed, found["mail.not_be_null"].now) == (0, None)
    assert (found["n.be_between"].action, found["n.be_between"].now) == ("gone", 1)


def test_what_only_warns_or_is_mended_is_not_held_and_the_change_stays_as_it_came() -> None:
    changes = created(5, 50)
    mended = tried(rules(**between(10, default=1)), rules(**between(10, action="warn")), changes)
    assert (mended.outcome.held, mended.outcome.actions) == (0, {"default": 1})
    assert changes[1].after == (1, 50, "m1@x.org")
    again = tried(rules(**between(10, default=99)), None, changes)
    assert again.outcome.actions == {"quarantine": 1}, "what is put in is checked like any other value"


def test_three_samples_are_kept_with_different_values_where_there_are_such() -> None:
    (one,) = tried(rules(**between(10)), None, created(*[50] * 9, 60, 70, 80)).results(0, 0)
    assert [sample.value for sample in one.samples] == ["50", "70", "60"]
    assert one.samples[0].address == f"{T}/3/0"
    assert one.samples[0].key == "id=0"
    assert one.samples[0].reason == "be_between does not hold for 50"


def test_samples_show_masked_columns_and_keys_masked() -> None:
    mask = Masking({T: {"mail": "redact", "id": "sha256"}}).of(GOODS)
    assert mask is not None
    new = rules(columns={"mail": [{"match_regex": "@y"}]}, rows=[{"condition": "mail == 'x' or id > 100"}])
    found = results(tried(new, None, created(1, 2), lambda _: Shown(mask.change, mask.failures)))
    assert len(found) == 2
    for one in found.values():
        assert len(one.samples) == 2
        assert "m0@x.org" not in repr(one.samples)
        assert "id=0" not in repr(one.samples)


def test_a_rule_looks_at_its_own_operations_only() -> None:
    new = rules(columns={"n": [{"be_null": None, "ops": ["d"], "image": "before"}]}, immutable=["mail"])
    gone = Change(Op.DELETE, 0, 9, 0, (9,), (9, 1, "a"), None)
    moved = Change(Op.UPDATE, 1, 10, 0, (9,), (9, 1, "a"), (9, 1, "b"))
    blind = Change(Op.UPDATE, 2, 11, 0, (9,), None, (9, 1, "b"))
    found = results(tried(new, None, [gone, moved, blind, *created(1, 2)]))
    assert (found["n.be_null"].failed, found["n.be_null"].of) == (1, 1)
    assert (found["mail.immutable"].failed, found["mail.immutable"].of) == (2, 2)


def test_a_rule_that_does_not_fit_the_table_is_said_to_be_suspended() -> None:
    found = results(tried(rules(columns={"gone": ["not_be_null"]}), None, created(1)))
    assert found["gone.not_be_null"].suspended == "the table has no column gone"
    assert found["gone.not_be_null"].us is None


def test_deletes_that_carry_their_key_alone_do_not_suspend_what_fits_the_table() -> None:
    trial = tried(rules(**between(10)), None, created(1))
    key = TableSchema.of(T, GOODS.columns[:1], ("id",))
    trial.take(key, [Change(Op.DELETE, 0, 5, 0, (1,), (1,), None)], [0], (T, 0))
    assert results(trial)["n.be_between"].suspended == ""


# -- windows and shapes ----------------------------------------------------------------------------------------------

EACH = {
    "windows": [{"every": "1m", "grace": "10s", "checks": [{"mean_to_be_between": {"column": "n", "max_value": 9}}]}]
}


def at_minutes(trial: Trial, *numbers: tuple[int, int], partition: int = 0) -> None:
    changes = created(*(n for _, n in numbers))
    trial.take(GOODS, changes, [minute * MINUTE for minute, _ in numbers], (T, partition))


def test_windows_are_judged_over_all_partitions_and_only_when_seen_whole() -> None:
    trial = Trial(rules(**EACH), rules(**EACH), as_they_are, lambda: 0.0)
    at_minutes(trial, (1, 50), (2, 5), (3, 5), (4, 50))
    at_minutes(trial, (2, 50), (3, 6), partition=1)
    (one,) = trial.results(5 * MINUTE, 2 * MINUTE)
    assert (one.judges, one.failed, one.of, one.now) == ("windows", 1, 2, 1), "the first is cut off, the last open"


def test_empty_windows_between_are_judged_by_rules_about_counts() -> None:
    new = rules(windows=[{"every": "1m", "checks": [{"row_count_to_be_between": {"min_value": 1}}]}])
    trial = Trial(new, None, as_they_are, lambda: 0.0)
    at_minutes(trial, (1, 1), (4, 1), (100_000, 1))
    (one,) = trial.results(200_000 * MINUTE, 0)
    assert (one.failed, one.of) == (2 + windows.LONGEST_GAP, 3 + 2 + windows.LONGEST_GAP)


def test_windows_that_hold_too_many_values_are_left_out_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_VALUES", 100)
    new = rules(windows=[{"every": "1m", "checks": [{"be_unique": {"column": "id"}}]}])
    trial = Trial(new, None, as_they_are, lambda: 0.0)
    for minute in range(1, 6):
        at_minutes(trial, *[(minute, 1)] * 40)
    at_minutes(trial, (1, 1))
    (one,) = trial.results(100 * MINUTE, 0)
    assert (one.of + trial.windows_left_out(), one.failed) == (5, 0)
    assert 0 < one.of < 5


def test_a_rule_about_the_shape_is_judged_once() -> None:
    found = results(tried(rules(schema=[{"column_count_to_equal": {"value": 9}}]), None, created(1)))
    assert (found["column_count_to_equal"].failed, found["column_count_to_equal"].judges) == (1, "shape")


def test_nothing_that_came_fails_nothing() -> None:
    (one,) = Trial(rules(**between(10)), None, as_they_are, lambda: 0.0).results(0, 0)
    assert (one.failed, one.of, one.share, one.us) == (0, 0, 0.0, None)

"""What many rows come to, by any way of cutting and merging them, and when a sketch takes over."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import load
from parrot_faust.quality.folding import Fold
from parrot_faust.quality.rules import RuleSet
from parrot_faust.quality.tallies import Numbers, Ranks, Values, is_hashed, key_of
from parrot_faust.quality.window_verdicts import OpenWindow, merged
from parrot_faust.quality.windows import judge_window, tally_for

SCHEMA = TableSchema.of(
    "t", (Column("id", Kind.INT64), Column("amount", Kind.DECIMAL), Column("note", Kind.STRING)), ("id",)
)


def rules(checks: str, more: str = "") -> RuleSet:
    return load(f"table: t\nwindows: [{{every: 1m, {more} checks: [{checks}]}}]\n", "t.yaml")


def change(offset: int, *row: Any, time_ms: int = 0, op: Op = Op.CREATE, unset: tuple[int, ...] = ()) -> Change:
    return Change(op, offset, offset, time_ms * 1000, row[:1], None, row, unset)


def fold(found: RuleSet, changes: list[Change], **more: Any) -> list[Any]:
    return Fold(found, SCHEMA, **more).take(changes, [one.time_us // 1000 for one in changes], 0)


def verdict(found: RuleSet, *runs: list[Change]) -> Any:
    window, known = found.windows[0], None
    for run in runs:
        for part in fold(found, run):
            sent = msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=type(part))
            known = merged(known, [sent], window.rules, window.exact)
    assert isinstance(known, OpenWindow)
    (rule,) = window.rules
    if known.broken[0]:
        return known.broken[0]
    tally = tally_for(rule, limit=window.exact)
    tally.unpack(known.tallies[0])
    return judge_window(rule, tally, Kind.DECIMAL if rule.column == "amount" else None)


@pytest.mark.parametrize(
    "pair", [(1, 1.0), (1, True), (1, Decimal("1.00")), (0.5, Decimal("0.5")), (10**30, 1e30 // 1)]
)
def test_keys_are_equal_as_values_are(pair: tuple[Any, Any]) -> None:
    assert (key_of(pair[0]) == key_of(pair[1])) is (pair[0] == pair[1])


def test_a_long_value_is_known_by_a_hash_and_a_text_is_no_number() -> None:
    assert key_of("1") != key_of(1)
    assert is_hashed(key_of("x" * 41))
    assert key_of("x" * 41) != key_of("x" * 42)
    assert is_hashed(key_of("secret", b"key"))
    assert key_of("secret", b"key") != key_of("secret", b"another")
    assert key_of([1, {"a": 2.0}]) == key_of([True, {"a": 2}]) != key_of([1, {"a": 3}])
    with pytest.raises(TypeError):
        key_of((1, []))


def test_uniqueness_beyond_the_bound_fails_only_where_it_is_sure() -> None:
    found = rules("{be_unique: {column: id}}", "exact: 100,")
    unique = [change(number, number, None, None) for number in range(3_000)]
    assert verdict(found, unique[:1_000], unique[1_000:]).success
    twice = verdict(found, unique, unique)
    assert not twice.success
    assert twice.observed["estimated"]
    assert abs(twice.observed["repeated"] - 3_000) < 3_000 * 0.05


def test_the_number_of_different_values_is_estimated_within_five_percent() -> None:
    values = Values(limit=10)
    values.extend(20_000, list(range(20_000)))
    assert abs(values.distinct - 20_000) < 1_000
    again = Values(limit=10)
    again.unpack(values.packed())
    again.merge(values)
    assert again.distinct == pytest.approx(values.distinct, rel=0.05)
    assert again.count == 40_000


def test_sets_are_exact_whatever_the_bound() -> None:
    found = rules("{distinct_values_to_contain_set: {column: note, value_set: [a, b]}}", "exact: 2,")
    rows = [change(number, number, None, f"n{number}") for number in range(50)]
    assert not verdict(found, rows, [change(50, 50, None, "a")]).success
    assert verdict(found, rows, [change(50, 50, None, "a")], [change(51, 51, None, "b")]).success


def test_quantiles_beyond_the_bound_are_near() -> None:
    ranks = Ranks(limit=100)
    ranks.extend(10_000, list(range(10_000)))
    other = Ranks(limit=100)
    other.unpack(ranks.packed())
    other.merge(ranks)
    median = other.median()
    assert median is not None
    assert abs(median - 5_000) < 200


def test_what_can_t_be_tallied_fails_and_says_why() -> None:
    found = rules("{median_to_be_between: {column: note, min_value: 1}}")
    assert verdict(found, [change(0, 0, None, "x")], [change(1, 1, None, None)]) == "TypeError: str is no number"


def test_great_numbers_survive_being_sent() -> None:
    numbers = Numbers()
    numbers.extend(2, [10**40, 1])
    sent = Numbers()
    sent.unpack(msgspec.msgpack.decode(msgspec.msgpack.encode(numbers.packed())))
    assert (sent.sum, sent.low, sent.high) == (10**40 + 1, 1, 10**40)


def test_a_value_that_an_update_left_out_does_not_count() -> None:
    found = rules("{proportion_of_non_null_values_to_be_between: {column: note, min_value: 1}}")
    update = change(1, 1, None, None, op=Op.UPDATE, unset=(2,))
    assert verdict(found, [change(0, 0, None, "x"), update]).success
    assert not verdict(found, [change(0, 0, None, "x"), change(1, 1, None, None)]).success


def test_rows_count_in_the_window_of_their_own_time_and_deletes_do_not() -> None:
    found = rules("{row_count_to_equal: 1}")
    changes = [
        change(0, 0, None, "x", time_ms=59_999),
        change(1, 1, None, "x", time_ms=60_000),
        change(2, 2, None, "x", time_ms=59_000),
        change(3, 3, None, None, op=Op.DELETE),
    ]
    assert [(part.start_ms, part.rows, part.newest_ms) for part in fold(found, changes)] == [
        (0, 2, 59_999),
        (60_000, 1, 60_000),
    ]


def test_a_rule_without_its_column_is_suspended_and_the_others_are_tallied() -> None:
    found = rules("{be_unique: {column: gone}}, {be_unique: {column: id}}")
    folded = Fold(found, SCHEMA)
    assert [(rule.id, why) for rule, why in folded.suspended] == [("gone.be_unique", "the table has no column gone")]
    (part,) = folded.take([change(0, 0, None, "x")], [0], 0)
    assert part.broken == ("the table has no column gone", "")
    assert part.tallies[1] is not None


def test_of_a_masked_column_no_single_value_is_told() -> None:
    found = rules(
        "{be_unique: {column: note}}, {max_to_be_between: {column: note, min_value: a}}, "
        "{median_to_be_between: {column: amount, min_value: 0}}, {mean_to_be_between: {column: amount, min_value: 0}}"
    )
    folded = Fold(found, SCHEMA, {"note", "amount"}, b"key")
    assert [rule.id for rule, _ in folded.suspended] == ["note.max_to_be_between", "amount.median_to_be_between"]
    (part,) = folded.take([change(0, 0, Decimal("12345.5"), "a secret")], [0], 0)
    sent = msgspec.msgpack.encode(part)
    assert b"a secret" not in sent
    assert part.tallies[3] is not None

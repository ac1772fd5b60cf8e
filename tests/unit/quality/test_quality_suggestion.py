"""What a proposed rule file says of rows that have something in common, and what it keeps to itself."""

from __future__ import annotations

import pytest

from models import Change, Column, Kind, Op, TableSchema
from parrot_faust.quality import load
from parrot_faust.quality.profile import Profile
from parrot_faust.quality.suggestion import suggestion

COLUMNS = (
    Column("id", Kind.INT64, nullable=False),
    Column("mail", Kind.STRING),
    Column("status", Kind.STRING),
    Column("total", Kind.FLOAT64),
    Column("note", Kind.STRING),
    Column("placed", Kind.TIMESTAMP),
    Column("version", Kind.INT32),
    Column("data", Kind.STRING, semantic="json"),
)
T = TableSchema.of("shop.public.orders", COLUMNS, ("id",))
YEAR_2024_US = 1_704_067_200_000_000


def row(number: int, version: int = 1) -> tuple[object, ...]:
    note = None if number % 3 else f"It's note {number}, written by hand"
    status = ("new", "paid", "no")[number % 3]
    return (number, f"u{number}@x.org", status, number / 4, note, YEAR_2024_US + number, version, "{}")


def changes(count: int) -> list[Change]:
    made = [Change(Op.CREATE, n, n, 0, (n,), None, row(n)) for n in range(count)]
    return made + [Change(Op.UPDATE, n, n, 0, (n,), row(n), row(n, 2)) for n in range(count)]


def proposed(made: list[Change], masked: frozenset[str] = frozenset()) -> str:
    profile = Profile()
    profile.take(T, made)
    return suggestion(T.table, profile, masked)


def test_what_rows_have_in_common_is_proposed_and_said_why() -> None:
    text = proposed(changes(300))
    rules = load(text, "t.yaml")
    assert [rule.id for rule in rules.rules] == [
        "id.not_be_null", "id.be_of_type", "id.be_between",
        "mail.not_be_null", "mail.be_of_type", "mail.match_regex",
        "status.not_be_null", "status.be_of_type", "status.be_in_set",
        "total.not_be_null", "total.be_of_type", "total.be_between",
        "note.be_of_type", "note.value_lengths_to_be_between",
        "placed.not_be_null", "placed.be_of_type", "placed.be_between",
        "version.not_be_null", "version.be_of_type", "version.be_between",
        "data.not_be_null", "data.be_of_type", "data.be_json_parseable",
        "id.immutable", "mail.immutable", "status.immutable", "total.immutable", "note.immutable", "placed.immutable",
        "data.immutable",
        "version.monotonic",
    ]  # fmt: skip
    assert "    - be_in_set: [new, 'no', paid]  # 3 different\n" in text
    assert "  mail:  # string; 600 values, 0 nulls\n" in text
    assert "# e-mail\n" in text
    assert "    - be_between: {min_value: 0, max_value: 100}  # 0 to 74.75\n" in text
    assert "    - be_between: {min_value: '2024-01-01'}  # 2024 to 2024\n" in text
    assert "  - {column: version, strict: true}  # grew in 300 of 300 updates\n" in text
    assert "300 created, 300 updated." in text
    assert {str(rule.action) for rule in rules.rules} == {"warn"}, "what is only proposed holds nothing back"


def test_few_rows_have_nothing_in_common() -> None:
    text = proposed(changes(5)[:5])
    assert "be_in_set" not in text
    assert "match_regex" not in text
    assert "immutable" not in text


def test_a_masked_column_shows_no_value() -> None:
    every = frozenset(column.name for column in COLUMNS)
    text = proposed(changes(300), every)
    assert load(text, "t.yaml").rules
    for shown in ("paid", "be_in_set", "min_value", "74.75", "2024", "characters"):
        assert shown not in text
    assert "- match_regex: " in text, "a form tells no value"


def test_updates_without_the_row_before_tell_nothing_of_changes() -> None:
    made = changes(100)
    made[-1].before = None
    text = proposed(made)
    assert "immutable" not in text.replace("# What changes may do", "")
    assert "1 updates came without the row before" in text


def test_a_value_that_an_update_left_out_is_no_null() -> None:
    made = changes(100)
    for change in made[100:]:
        assert change.after is not None
        change.after, change.unset = (*change.after[:1], None, *change.after[2:]), (1,)
    assert "  mail:  # string; 100 values, 0 nulls\n" in proposed(made)


def test_a_column_of_several_kinds_is_asked_for_nulls_only() -> None:
    profile = Profile()
    other = TableSchema.of(T.table, (*COLUMNS[:3], Column("total", Kind.STRING), *COLUMNS[4:]), ("id",))
    profile.take(T, changes(100))
    profile.take(other, [Change(Op.CREATE, 0, 0, 0, (0,), None, (*row(0)[:3], "x", *row(0)[4:]))])
    text = suggestion(T.table, profile)
    assert "  total:  # string of several kinds; 201 values, 0 nulls\n    - not_be_null\n  note:" in text


def test_where_no_row_was_seen_nothing_is_proposed() -> None:
    with pytest.raises(ValueError, match="no event that carries a row"):
        suggestion("t", Profile())

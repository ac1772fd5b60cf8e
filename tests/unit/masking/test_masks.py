"""Masks of values and tables."""

from __future__ import annotations

import hashlib
import hmac
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Action, Change, Column, Kind, Op, RuleFailure, Severity, TableSchema
from parrot_faust.errors import DecodeError, TableRefused
from parrot_faust.masking import MaskError, Masking, read_masked, way_of
from parrot_faust.masking.masked_change import write_masked
from parrot_faust.quality.compiling import compile_rules
from parrot_faust.quality.loading import load_tree

TABLE = "shop.public.people"
PEOPLE = TableSchema.of(
    TABLE,
    (
        Column("id", Kind.INT64, nullable=False),
        Column("email", Kind.STRING, nullable=False),
        Column("card", Kind.DECIMAL, precision=16, scale=0),
        Column("seen", Kind.TIMESTAMP),
        Column("photo", Kind.BYTES),
    ),
    ("id",),
)


def failure(column: str, value: object) -> RuleFailure:
    return RuleFailure("r", "v", Action.WARN, Severity.INFO, column, value, f"does not hold for {value!r}")


@pytest.mark.parametrize(
    ("word", "value", "masked"),
    [
        ("sha256", "é", hashlib.sha256("é".encode()).hexdigest()),
        ("sha256", b"\xff", hashlib.sha256(b"\xff").hexdigest()),
        ("sha256", 5, hashlib.sha256(b"5").hexdigest()),
        ("sha256", True, hashlib.sha256(b"true").hexdigest()),
        ("sha256", Decimal("1.50"), hashlib.sha256(b"1.50").hexdigest()),
        ("redact", "anything", "***"),
        ("null", "anything", None),
        (None, "anything", None),
        ("keep 2", "Ada Lovelace", "Ad***"),
        ("keep 2", "Ad", "***"),
        ("keep last 4", 4111111111111111, "***1111"),
        ("keep last 4", "1111", "***"),
    ],
)
def test_a_way_masks_as_it_says(word: str | None, value: object, masked: object) -> None:
    assert way_of(word).mask(value) == masked


def test_with_a_key_the_hash_is_one_that_nobody_else_can_make() -> None:
    assert way_of("sha256", b"k" * 16).mask("x") == hmac.digest(b"k" * 16, b"x", "sha256").hex()


@pytest.mark.parametrize("word", ["", "sha1", "keep", "keep 0", "keep -1", "keep 2 ", "keep 9999", "SHA256"])
def test_a_way_that_does_not_exist_is_refused(word: str) -> None:
    with pytest.raises(MaskError, match="no way of masking"):
        way_of(word)


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        ({"emial": "sha256"}, "did you mean email"),
        ({"id": "redact"}, "part of the key"),
        ({"id": "null"}, "part of the key"),
        ({"id": "keep 3"}, "part of the key"),
        ({"photo": "keep 3"}, "does not fit column photo of kind bytes"),
        ({"seen": "keep 3"}, "does not fit column seen"),
    ],
)
def test_a_mask_that_does_not_fit_a_table_refuses_it(mask: dict[str, str], says: str) -> None:
    with pytest.raises(TableRefused, match=says):
        Masking({TABLE: mask}).of(PEOPLE)


def test_a_table_without_mask_has_none() -> None:
    masking = Masking({TABLE: {}, "other": {"x": "redact"}})
    assert masking.of(PEOPLE) is None
    assert TABLE not in masking
    assert masking.masked(TABLE, "email", "x") == "x"


def test_a_shape_that_is_a_key_alone_has_nothing_to_mask_but_the_key() -> None:
    alone = TableSchema.of(TABLE, (Column("id", Kind.INT64, nullable=False),), ("id",))
    mask = Masking({TABLE: {"email": "sha256"}}).of(alone)
    assert mask is not None
    change = Change(Op.DELETE, 0, 5, 0, (3,), None, None)
    assert mask.change(change) == change


def test_columns_get_the_kind_of_what_they_hold() -> None:
    mask = Masking({TABLE: {"email": "null", "card": "keep last 4", "photo": "sha256"}}).of(PEOPLE)
    assert mask is not None
    assert [(column.name, column.kind, column.nullable) for column in mask.schema.columns] == [
        ("id", Kind.INT64, False),
        ("email", Kind.STRING, True),
        ("card", Kind.STRING, True),
        ("seen", Kind.TIMESTAMP, True),
        ("photo", Kind.STRING, True),
    ]
    assert mask.schema.fingerprint != PEOPLE.fingerprint


def test_rows_before_and_after_and_what_is_not_there_are_treated_alike() -> None:
    mask = Masking({TABLE: {"email": "redact", "photo": "sha256"}}).of(PEOPLE)
    assert mask is not None
    row = (1, "a@b", Decimal(5), 9, None)
    change = Change(Op.UPDATE, 0, 5, 0, (1,), row, row, unset=(4,))
    made = mask.change(change)
    assert made.before == made.after == (1, "***", Decimal(5), 9, None)
    assert made.unset == (4,)
    assert change.after == row, "what rules were given stays as it was"


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("email", "ada@b", "***"),
        ("email,id", ("ada@b", 3), ("***", 3)),
        ("id,email", (3, None), (3, None)),
        ("email", ("ada@b", "odd"), "***"),
        ("email_domain,x", "ada@b", (None, None)),
    ],
)
def test_a_rule_s_failure_shows_masked_columns_masked(column: str, value: object, shown: object) -> None:
    mask = Masking({TABLE: {"email": "redact"}}).of(PEOPLE)
    assert mask is not None
    (made,) = mask.failures([failure(column, value)])
    assert made.value == shown
    assert "ada@b" not in made.reason


@pytest.mark.parametrize("condition", ["email == 'x'", "after.email == before.email", "id > 5 and email == 'x'"])
def test_a_failed_condition_shows_masked_columns_masked(condition: str) -> None:
    mask = Masking({TABLE: {"email": "redact"}}).of(PEOPLE)
    assert mask is not None
    compiled = compile_rules(load_tree({"table": TABLE, "rows": [{"condition": condition}]}, "t.yaml"), PEOPLE)
    row = (1, "ada@b", Decimal(512), 9, b"x")
    change = Change(Op.UPDATE, 0, 0, 0, (1,), (1, "was@b", *row[2:]), row)
    (made,) = mask.failures(compiled.explain(change, compiled.scan([change])[0][1]))
    assert not [text for text in ("ada@b", "was@b") if text in repr(made)]


def test_a_failure_of_other_columns_stays_as_it_is() -> None:
    mask = Masking({TABLE: {"email": "redact"}}).of(PEOPLE)
    assert mask is not None
    assert mask.failures([failure("id", 5)]) == (failure("id", 5),)


def test_verification_masks_single_values_as_rows_are_masked() -> None:
    masking = Masking({TABLE: {"email": "sha256", "card": "keep last 2"}}, "k" * 16)
    mask = masking.of(PEOPLE)
    assert mask is not None
    row = (1, "a@b", Decimal(512), 9, b"x")
    masked = mask.change(Change(Op.READ, 0, 0, 0, (1,), None, row)).after
    names = [column.name for column in PEOPLE.columns]
    assert tuple(masking.masked(TABLE, name, value) for name, value in zip(names, row, strict=True)) == masked
    assert [masking.kind(TABLE, column.name, column.kind) for column in PEOPLE.columns] == [
        column.kind for column in mask.schema.columns
    ]


ALL_KINDS = TableSchema.of("t", tuple(Column(kind.value, kind) for kind in Kind), ("int64",))
VALUES = {
    Kind.BOOL: st.booleans(),
    Kind.FLOAT32: st.floats(width=32),
    Kind.FLOAT64: st.floats(),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False),
    Kind.STRING: st.text(st.characters(exclude_categories=["Cs"])),
    Kind.BYTES: st.binary(),
}
ROW = st.tuples(*(st.none() | VALUES.get(kind, st.integers(-(2**63), 2**63 - 1)) for kind in Kind))


@given(before=st.none() | ROW, after=st.none() | ROW, op=st.sampled_from([Op.CREATE, Op.UPDATE, Op.DELETE]))
def test_a_masked_record_is_read_as_it_was_written(before: tuple | None, after: tuple | None, op: Op) -> None:  # type: ignore[type-arg]
    change = Change(op, 3, 77, 5, (1,), before, after, unset=(2,))
    schema, read = read_masked(write_masked(ALL_KINDS, change, ("string",)), index=3, offset=77)
    assert schema == ALL_KINDS
    assert repr(read) == repr(change), "of floats that are not numbers too"


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"withheld": {}}'])
def test_what_is_no_masked_record_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="no masked record"):
        read_masked(data)


def test_not_a_number_survives() -> None:
    change = Change(Op.READ, 0, 0, 0, (1,), None, tuple(math.nan if kind is Kind.FLOAT32 else None for kind in Kind))
    _, read = read_masked(write_masked(ALL_KINDS, change, ()))
    assert read.after is not None
    assert math.isnan(read.after[list(Kind).index(Kind.FLOAT32)])

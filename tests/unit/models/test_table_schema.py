from __future__ import annotations

import pytest

from models import Column, Kind, TableSchema

COLUMNS = (Column("id", Kind.INT64, False), Column("name", Kind.STRING), Column("code", Kind.STRING, False))
SCHEMA = TableSchema.of("shop.public.t", COLUMNS, ("code", "id"), database="shop", namespace="public", relation="t")


def test_key_positions_are_in_key_order() -> None:
    assert SCHEMA.key_positions() == (2, 0)
    assert TableSchema.of("t", COLUMNS, ("id", "code")).key_positions() == (0, 2)
    assert TableSchema.of("t", COLUMNS, ()).key_positions() == ()


def test_key_column_that_is_no_column_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"t: key columns \['gone'\] are not among"):
        TableSchema.of("t", COLUMNS, ("id", "gone"))


def test_equal_shapes_have_equal_fingerprints() -> None:
    again = TableSchema.of(
        "shop.public.t",
        tuple(Column(column.name, column.kind, column.nullable) for column in COLUMNS),
        ("code", "id"),
        database="shop",
        namespace="public",
        relation="t",
    )
    assert again == SCHEMA
    assert again.fingerprint == SCHEMA.fingerprint


def test_fingerprint_differs_when_any_part_does() -> None:
    id_, name, code = COLUMNS
    base = {"database": "shop", "namespace": "public", "relation": "t"}
    others = [
        TableSchema.of("shop.public.u", COLUMNS, SCHEMA.key, **base),
        TableSchema.of("shop.public.t", COLUMNS, ("id", "code"), **base),
        TableSchema.of("shop.public.t", (name, id_, code), SCHEMA.key, **base),
        TableSchema.of("shop.public.t", (id_, code), SCHEMA.key, **base),
        *(TableSchema.of("shop.public.t", COLUMNS, SCHEMA.key, **{**base, part: "other"}) for part in base),
        *(
            TableSchema.of("shop.public.t", (id_, changed, code), SCHEMA.key, **base)
            for changed in (
                Column("name2", Kind.STRING),
                Column("name", Kind.BYTES),
                Column("name", Kind.STRING, False),
                Column("name", Kind.STRING, True, 1),
                Column("name", Kind.STRING, True, 1, 1),
                Column("name", Kind.STRING, semantic="json"),
            )
        ),
    ]
    assert len({SCHEMA.fingerprint, *(other.fingerprint for other in others)}) == len(others) + 1


def test_text_that_moves_from_one_part_to_the_next_is_another_shape() -> None:
    first = TableSchema.of("t", COLUMNS, (), database="ab", namespace="c")
    second = TableSchema.of("t", COLUMNS, (), database="a", namespace="bc")
    assert first.fingerprint != second.fingerprint


def test_fingerprint_is_the_same_in_every_process() -> None:
    # Workers compare fingerprints made by others, also of the release before.
    assert TableSchema.of("t", (Column("id", Kind.INT64, False),), ("id",)).fingerprint == "eb53190b85a4dc76"


def test_shape_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        SCHEMA.key = ()  # type: ignore[misc]
    assert hash(SCHEMA) == hash(TableSchema(**{name: getattr(SCHEMA, name) for name in SCHEMA.__struct_fields__}))

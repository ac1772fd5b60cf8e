"""The difference of two shapes, applied to the first, gives the second."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import Column, Kind, TableSchema
from parrot_faust.schema import diff
from parrot_faust.schema.diff import type_text

#: How long an example takes says something of the machine only.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

Shape = tuple[tuple[str, ...], dict[str, tuple[str, bool]]]

_COLUMNS = st.builds(
    Column,
    st.sampled_from("abcdef"),
    st.sampled_from([Kind.INT32, Kind.STRING, Kind.DECIMAL]),
    st.booleans(),
    st.sampled_from([None, 5, 9]),
    st.just(2),
    st.sampled_from(["", "json"]),
)


@st.composite
def schemas(draw: st.DrawFn) -> TableSchema:
    columns = draw(st.lists(_COLUMNS, min_size=1, max_size=6, unique_by=lambda column: column.name))
    key = draw(st.lists(st.sampled_from([column.name for column in columns]), unique=True, max_size=3))
    return TableSchema.of("t", tuple(columns), tuple(key))


def shape(schema: TableSchema) -> Shape:
    return schema.key, {column.name: (type_text(column), column.nullable) for column in schema.columns}


def applied(old: TableSchema, new: TableSchema) -> Shape:
    """What a reader of the changes alone knows of the new shape; nullability of an added column is its own."""
    key, columns = shape(old)
    nullable = {column.name: column.nullable for column in new.columns}
    for change in diff(old, new):
        match change.change:
            case "AlterKey":
                key = tuple(filter(None, change.detail.rpartition(" to ")[2].strip("()").split(", ")))
            case "AddColumn":
                assert change.column not in columns
                columns[change.column] = (change.detail, nullable[change.column])
            case "DropColumn":
                assert columns.pop(change.column)[0] == change.detail
            case "AlterColumnType":
                was, _, now = change.detail.partition(" to ")
                assert columns[change.column][0] == was
                columns[change.column] = (now, columns[change.column][1])
            case "AlterNullability":
                allowed = change.detail == "may now be null"
                assert columns[change.column][1] is not allowed
                columns[change.column] = (columns[change.column][0], allowed)
            case other:
                raise AssertionError(other)
    return key, columns


@given(schemas(), schemas())
@CALM
def test_changes_lead_from_one_shape_to_the_other(old: TableSchema, new: TableSchema) -> None:
    assert applied(old, new) == shape(new)


@given(schemas(), schemas())
@CALM
def test_nothing_is_told_exactly_when_nothing_differs_for_a_store(old: TableSchema, new: TableSchema) -> None:
    assert (diff(old, new) == ()) is (shape(old) == shape(new))
    assert diff(new, new) == ()

"""The generated Avro reader against fastavro, and against bytes that are no event."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parrot_faust.codec import Decoder
from parrot_faust.codec.avro import exact, generated, schema
from parrot_faust.errors import DecodeError

_INT = st.integers(-(2**31), 2**31 - 1)
_LONG = st.integers(-(2**63), 2**63 - 1)
_SINGLE = st.floats(width=32, allow_nan=False)
_PRIMITIVES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("boolean", st.booleans()),
    ("int", _INT),
    ("long", _LONG),
    ({"type": "int", "connect.type": "int16"}, st.integers(-(2**15), 2**15 - 1)),
    ({"type": "int", "connect.type": "int8"}, st.integers(-(2**7), 2**7 - 1)),
    ("float", _SINGLE),
    ("double", st.floats(allow_nan=False)),
    ("string", st.text(max_size=200)),
    ("bytes", st.binary(max_size=200)),
    ({"type": "fixed", "name": "F", "size": 3}, st.binary(min_size=3, max_size=3)),
    ({"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}, st.sampled_from("ABC")),
    ({"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 5},
     st.decimals(places=5, min_value=-(10**20), max_value=10**20)),
]  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record schema and a value of it."""
    fields, value = [], {}
    named = 0
    for place in range(draw(st.integers(1, 12))):
        kind, values = draw(st.sampled_from(_PRIMITIVES))
        if isinstance(kind, dict) and "name" in kind:
            named += 1
            kind = {**kind, "name": f"{kind['name']}{named}"}
        match draw(st.sampled_from(["plain", "null first", "null last"])):
            case "null first":
                kind, values = ["null", kind], st.none() | values
            case "null last":
                kind, values = [kind, "null"], st.none() | values
        fields.append({"name": f"c{place}", "type": kind})
        value[f"c{place}"] = draw(values)
    return {"type": "record", "name": "Value", "fields": fields}, value


def encoded(tree: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(tree), value)
    return out.getvalue()


@given(tables())
@settings(max_examples=400, deadline=None)
def test_rows_are_what_fastavro_reads(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    tree, value = case
    data = encoded(tree, value)
    shape = schema.parse(json.dumps(tree))
    row, end = generated.row_function(shape)(data, 0)
    reference = fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(tree), None)
    assert end == len(data)
    assert row == tuple(reference.values())
    raw, end = exact.read(shape, data, 0, "")
    assert end == len(data)
    plain = {name for name, field in shape.fields if field.scale is None}
    assert {name: raw[name] for name in plain} == {name: reference[name] for name in plain}


@given(_LONG, st.binary(max_size=12))
@settings(max_examples=500, deadline=None)
def test_every_long_is_read_whatever_follows_it(number: int, rest: bytes) -> None:
    tree = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}
    data = encoded(tree, {"n": number})
    assert generated.row_function(schema.parse(json.dumps(tree)))(data + rest, 0) == ((number,), len(data))


@given(tables(), st.data())
@settings(max_examples=300, deadline=None)
def test_a_spoilt_record_is_refused_or_read_as_the_exact_reader_reads_it(
    case: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    tree, value = case
    good = encoded(tree, value)
    at = data.draw(st.integers(0, len(good) - 1))
    bad = data.draw(st.sampled_from([good[:at], good[:at] + b"\xff" + good[at + 1 :], good[:at] + good[at + 1 :]]))
    shape = schema.parse(json.dumps(tree))
    try:
        _, end = exact.read(shape, bad, 0, "")
    except DecodeError:
        end = -1
    try:
        row, fast_end = generated.row_function(shape)(bad, 0)
    except (*generated.ERRORS, DecodeError):
        return
    # The generated reader leaves what it can't cheaply check to where it ends; the caller looks at that.
    if fast_end == len(bad):
        assert end == len(bad), row


def test_no_name_of_a_schema_reaches_the_generated_source() -> None:
    name = "x'; raise SystemExit #\n"
    tree = {"type": "record", "name": name, "fields": [{"name": name, "type": "long"}]}
    assert generated.row_function(schema.parse(json.dumps(tree)))(b"\x02", 0) == ((1,), 1)


@pytest.mark.parametrize(
    "tree",
    [
        "nonsense",
        {"type": "record", "name": "R"},
        {"type": "record", "name": "R", "fields": [{"name": "r", "type": "R"}]},
        {"type": "record", "name": "R", "fields": [{"name": "r", "type": ["null", {"type": "array", "items": "R"}]}]},
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "record", "name": "E", "fields": []}},
        {"type": "fixed", "name": "F", "size": -1},
        {"type": "enum", "name": "E", "symbols": []},
        [],
        7,
    ],
)
def test_a_schema_that_can_not_be_trusted_is_refused(tree: Any) -> None:
    with pytest.raises(DecodeError):
        schema.parse(json.dumps(tree))


def test_a_schema_that_doubles_with_each_level_is_refused() -> None:
    tree: Any = "long"
    for level in range(25):
        fields = [{"name": "a", "type": tree}, {"name": "b", "type": f"L{level - 1}" if level else "long"}]
        tree = {"type": "record", "name": f"L{level}", "fields": fields}
    with pytest.raises(DecodeError, match="fields"):
        schema.parse(json.dumps(tree))


def test_a_schema_nested_without_end_is_refused() -> None:
    for depth in (100, 100_000):
        with pytest.raises(DecodeError):
            schema.parse('{"type":"array","items":' * depth + '"long"' + "}" * depth)


def test_a_count_larger_than_the_record_takes_no_memory() -> None:
    tree = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "long"}}]}
    shape = schema.parse(json.dumps(tree))
    with pytest.raises(DecodeError, match="items"):
        exact.read(shape, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f", 0, "")


@given(
    st.binary(max_size=80), st.sampled_from([b"", b"\x00\x00\x00\x00\x07", b'{"op":"c","after":{"id":1', b'{"schema":'])
)
@settings(max_examples=400, deadline=None)
def test_garbage_never_raises(data: bytes, prefix: bytes) -> None:
    class Garbage:
        offset, key, value, timestamp, headers = 1, data, prefix + data, 0, ()

    tree = {
        "type": "record",
        "name": "Envelope",
        "fields": [
            {"name": "before", "type": ["null", {"type": "record", "name": "V", "fields": [
                {"name": "id", "type": "long"}, {"name": "t", "type": ["null", "string"]}]}]},
            {"name": "after", "type": ["null", "V"]},
            {"name": "op", "type": "string"},
        ],
    }  # fmt: skip
    for form in ("auto", "avro", "json", "json-schema", "flattened"):
        decoder = Decoder(format=form)
        decoder.learn(7, json.dumps(tree))
        decoder.missing([Garbage()])
        decoded = decoder.decode("a.b.c", [Garbage()])
        changes = sum(len(segment.changes) for segment in decoded.segments)
        assert changes + len(decoded.failures) + decoded.tombstones + decoded.skipped == 1


def test_floats_keep_their_bits() -> None:
    tree = {"type": "record", "name": "R", "fields": [{"name": "f", "type": "double"}]}
    for number in (float("nan"), float("inf"), -0.0):
        ((value,), _) = generated.row_function(schema.parse(json.dumps(tree)))(struct.pack("<d", number), 0)
        assert struct.pack("<d", value) == struct.pack("<d", number)

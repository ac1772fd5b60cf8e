"""Every Connect and Debezium type: one canonical value, from Avro and from JSON with schema alike."""

from __future__ import annotations

import json
from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from debezium_events import DECIMAL, TOPIC, Field, Table, records, unscaled

from models import Column, Kind
from parrot_faust.codec import Decoder
from parrot_faust.codec.values import (
    INFINITY_DAY,
    INFINITY_US,
    MINUS_INFINITY_DAY,
    MINUS_INFINITY_US,
    zoned_timestamp,
)
from parrot_faust.errors import DecodeError

_US = 1_700_000_000_123_456
_VARIABLE = (Field("scale", "int32", optional=False), Field("value", "bytes", optional=False))
_POINT = (Field("wkb", "bytes", optional=False), Field("srid", "int32"))

# Connect's field, the raw value, the column, the canonical value.
CASES: list[tuple[Field, Any, Column, Any]] = [
    (Field("v", "boolean"), True, Column("v", Kind.BOOL), True),
    (Field("v", "int8"), -128, Column("v", Kind.INT8), -128),
    (Field("v", "int16"), 32767, Column("v", Kind.INT16), 32767),
    (Field("v", "int32"), -(2**31), Column("v", Kind.INT32), -(2**31)),
    (Field("v", "int64"), 2**63 - 1, Column("v", Kind.INT64), 2**63 - 1),
    (Field("v", "float"), 0.5, Column("v", Kind.FLOAT32), 0.5),
    (Field("v", "double"), 1e300, Column("v", Kind.FLOAT64), 1e300),
    (Field("v", "string"), "ünï", Column("v", Kind.STRING), "ünï"),
    (Field("v", "bytes"), b"\x00\xff", Column("v", Kind.BYTES), b"\x00\xff"),
    (Field("v", "bytes", "io.debezium.data.Bits"), b"\x05", Column("v", Kind.BYTES, semantic="bits"), b"\x05"),
    (
        Field("v", "bytes", DECIMAL, scale=3, precision=40),
        unscaled(Decimal("-1234567890123456789012345678901234567.891"), 3),
        Column("v", Kind.DECIMAL, precision=40, scale=3),
        Decimal("-1234567890123456789012345678901234567.891"),
    ),
    (
        Field("v", "struct", "io.debezium.data.VariableScaleDecimal", fields=_VARIABLE),
        {"scale": 4, "value": unscaled(Decimal("-0.0001"), 4)},
        Column("v", Kind.DECIMAL),
        Decimal("-0.0001"),
    ),
    (Field("v", "int32", "io.debezium.time.Date"), -1, Column("v", Kind.DATE), -1),
    (Field("v", "int32", "io.debezium.time.Date"), -2_440_588, Column("v", Kind.DATE), -2_440_588),
    # PostgreSQL's infinite dates, as Debezium reads them in a snapshot and in the log.
    (Field("v", "int32", "io.debezium.time.Date"), -622_191_234, Column("v", Kind.DATE), INFINITY_DAY),
    (Field("v", "int32", "io.debezium.time.Date"), -2_147_472_692, Column("v", Kind.DATE), INFINITY_DAY),
    (Field("v", "int32", "io.debezium.time.Date"), -625_821_272, Column("v", Kind.DATE), MINUS_INFINITY_DAY),
    (Field("v", "int32", "io.debezium.time.Date"), -2_147_472_691, Column("v", Kind.DATE), MINUS_INFINITY_DAY),
    (Field("v", "string", "io.debezium.time.IsoDate"), "2024-02-29Z", Column("v", Kind.DATE), 19_782),
    (Field("v", "string", "io.debezium.time.IsoDate"), "-0043-03-15Z", Column("v", Kind.DATE), -735_160),
    (Field("v", "string", "io.debezium.time.IsoDate"), "+292278994-08-16Z", Column("v", Kind.DATE), INFINITY_DAY),
    (Field("v", "string", "io.debezium.time.IsoDate"), "-5877611-06-21Z", Column("v", Kind.DATE), INFINITY_DAY),
    (Field("v", "string", "io.debezium.time.IsoDate"), "+292269055-12-02Z", Column("v", Kind.DATE), MINUS_INFINITY_DAY),
    (Field("v", "string", "io.debezium.time.IsoDate"), "-5877611-06-22Z", Column("v", Kind.DATE), MINUS_INFINITY_DAY),
    (Field("v", "string", "io.debezium.time.IsoTime"), "23:59:59.999999Z", Column("v", Kind.TIME), 86_399_999_999),
    (
        Field("v", "string", "io.debezium.time.IsoTimestamp"),
        "+294247-01-10T04:00:25.2Z",
        Column("v", Kind.TIMESTAMP),
        INFINITY_US,
    ),
    (
        Field("v", "int64", "io.debezium.time.MicroTimestamp"),
        MINUS_INFINITY_US,
        Column("v", Kind.TIMESTAMP),
        MINUS_INFINITY_US,
    ),
    # numeric(5,-2): Debezium reads the scale's 11 bits without their sign.
    (
        Field("v", "bytes", DECIMAL, scale=2046, precision=5),
        unscaled(Decimal(1_234_500), 2046),
        Column("v", Kind.DECIMAL, precision=7, scale=0),
        Decimal(1_234_500),
    ),
    (Field("v", "float"), 0.10000000149011612, Column("v", Kind.FLOAT32), 0.10000000149011612),
    (
        Field("v", "array", items=Field("i", "float")),
        [0.10000000149011612, 3.4028234663852886e38, None],
        Column("v", Kind.STRING, semantic="array"),
        "[0.1,3.4028235e38,null]",
    ),
    (Field("v", "int32", "org.apache.kafka.connect.data.Date"), 19_000, Column("v", Kind.DATE), 19_000),
    (Field("v", "int32", "io.debezium.time.Time"), 3_600_001, Column("v", Kind.TIME), 3_600_001_000),
    (Field("v", "int32", "org.apache.kafka.connect.data.Time"), 5, Column("v", Kind.TIME), 5_000),
    (Field("v", "int64", "io.debezium.time.MicroTime"), 86_399_999_999, Column("v", Kind.TIME), 86_399_999_999),
    (Field("v", "int64", "io.debezium.time.NanoTime"), 1_999, Column("v", Kind.TIME, semantic="nanos"), 1),
    (Field("v", "int64", "io.debezium.time.Timestamp"), -1, Column("v", Kind.TIMESTAMP), -1_000),
    (
        Field("v", "int64", "org.apache.kafka.connect.data.Timestamp"),
        1_700_000_000_123,
        Column("v", Kind.TIMESTAMP),
        1_700_000_000_123_000,
    ),
    (Field("v", "int64", "io.debezium.time.Timestamp"), INFINITY_US, Column("v", Kind.TIMESTAMP), INFINITY_US),
    (Field("v", "int64", "io.debezium.time.MicroTimestamp"), _US, Column("v", Kind.TIMESTAMP), _US),
    (
        Field("v", "int64", "io.debezium.time.MicroTimestamp"),
        MINUS_INFINITY_US,
        Column("v", Kind.TIMESTAMP),
        MINUS_INFINITY_US,
    ),
    (
        Field("v", "int64", "io.debezium.time.NanoTimestamp"),
        _US * 1000 + 999,
        Column("v", Kind.TIMESTAMP, semantic="nanos"),
        _US,
    ),
    (
        Field("v", "string", "io.debezium.time.ZonedTimestamp"),
        "2023-11-14T23:13:20.123456+01:00",
        Column("v", Kind.TIMESTAMP, semantic="zoned"),
        _US,
    ),
    (
        Field("v", "string", "io.debezium.time.ZonedTime"),
        "10:00:00Z",
        Column("v", Kind.STRING, semantic="zonedtime"),
        "10:00:00Z",
    ),
    (Field("v", "int32", "io.debezium.time.Year"), 1999, Column("v", Kind.INT32, semantic="year"), 1999),
    (
        Field("v", "int64", "io.debezium.time.MicroDuration"),
        -5,
        Column("v", Kind.INT64, semantic="microduration"),
        -5,
    ),
    (Field("v", "string", "io.debezium.data.Json"), "{}", Column("v", Kind.STRING, semantic="json"), "{}"),
    (Field("v", "string", "io.debezium.data.Uuid"), "a-b", Column("v", Kind.STRING, semantic="uuid"), "a-b"),
    (Field("v", "string", "io.debezium.data.EnumSet"), "a,b", Column("v", Kind.STRING, semantic="enumset"), "a,b"),
    (Field("v", "string", "some.other.Name"), "x", Column("v", Kind.STRING), "x"),
    (
        Field("v", "array", items=Field("i", "bytes", DECIMAL, scale=1, precision=3)),
        [unscaled(Decimal("1.5"), 1), None],
        Column("v", Kind.STRING, semantic="array"),
        '["1.5",null]',
    ),
    (
        Field("v", "map", items=Field("i", "double")),
        {"a": 1.5, "b": None},
        Column("v", Kind.STRING, semantic="map"),
        '{"a":1.5,"b":null}',
    ),
    (
        Field("v", "struct", "io.debezium.data.geometry.Geometry", fields=_POINT),
        {"wkb": b"\x01\x02", "srid": 4326},
        Column("v", Kind.STRING, semantic="geometry"),
        '{"wkb":"AQI=","srid":4326}',
    ),
]


def table_of(field: Field) -> Table:
    return Table((Field("id", "int64", optional=False), field))


def decoder_of(table: Table) -> Decoder:
    made = Decoder()
    made.learn(table.value_id, json.dumps(table.value_schema()))
    made.learn(table.key_id, json.dumps(table.key_schema()))
    return made


@pytest.mark.parametrize("form", ["avro", "described"])
@pytest.mark.parametrize(
    ("field", "raw", "column", "value"), CASES, ids=[f"{case[0].semantic or case[0].type} {case[3]}" for case in CASES]
)
def test_each_type_has_its_canonical_value(form: str, field: Field, raw: Any, column: Column, value: Any) -> None:
    table = table_of(field)
    write = getattr(table, form)
    batch = records(write("c", None, {"id": 1, "v": raw}), write("c", None, {"id": 2, "v": None}))
    decoded = decoder_of(table).decode(TOPIC, batch)
    assert not decoded.failures, str(decoded.failures[0].error)
    (segment,) = decoded.segments
    assert segment.schema.columns[1] == column
    found = segment.changes[0].after[1]  # type: ignore[index]
    assert (found, type(found), str(found)) == (value, type(value), str(value))
    assert segment.changes[1].after == (2, None)


@pytest.mark.parametrize(
    ("word", "check"),
    [("NaN", lambda v: v != v), ("Infinity", lambda v: v == float("inf")), ("-Infinity", lambda v: v == -float("inf"))],
)
def test_floats_that_json_has_no_number_for_come_as_words(word: str, check: Any) -> None:
    table = table_of(Field("v", "double"))
    (segment,) = decoder_of(table).decode(TOPIC, records(table.described("c", None, {"id": 1, "v": word}))).segments
    assert check(segment.changes[0].after[1])  # type: ignore[index]


def test_single_precision_is_the_same_number_from_avro_and_from_shortened_text() -> None:
    table = table_of(Field("v", "float"))
    for written, number in ((0.1, 0.10000000149011612), (3.4028235e38, 3.4028234663852886e38), (1.4e-45, 2**-149)):
        for form in ("avro", "described"):
            raw = written if form == "described" else number
            record = getattr(table, form)("c", None, {"id": 1, "v": raw})
            (segment,) = decoder_of(table).decode(TOPIC, records(record)).segments
            assert segment.changes[0].after == (1, number)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2024-02-29T00:00:00.000000001Z", 1_709_164_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("+10000-01-01T00:00:00Z", 253_402_300_800_000_000),
        ("0000-12-31T00:00:00Z", -62_135_683_200_000_000),
        ("-4712-01-01T00:00:00Z", -210_863_520_000_000_000),
        ("0001-01-01T00:00:00+14:00", -62_135_596_800_000_000 - 14 * 3_600_000_000),
        ("+292278994-08-16T23:00:00Z", INFINITY_US),
        ("-292275055-05-16T23:00:00Z", MINUS_INFINITY_US),
    ],
)
def test_a_zoned_timestamp_of_any_year_is_exact(text: str, micros: int) -> None:
    assert zoned_timestamp(text) == micros


@pytest.mark.parametrize(
    "text", ["", "now", "2024-01-01", "2024-01-01T00:00:00", "+300000-01-01T00:00:00Z", "+10000-13-01T00:00:00Z"]
)
def test_a_text_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        zoned_timestamp(text)


@pytest.mark.parametrize("form", ["avro", "described"])
@pytest.mark.parametrize(
    ("field", "raw"),
    [
        (Field("v", "int64", "io.debezium.time.Timestamp"), 2**62),
        (
            Field("v", "struct", "io.debezium.data.VariableScaleDecimal", fields=_VARIABLE),
            {"scale": 2**30, "value": b""},
        ),
        (Field("v", "int32", "io.debezium.time.ZonedTimestamp"), 1),
        (Field("v", "int32", "io.debezium.time.Date"), -2_440_589),
        # 294276-12-31, PostgreSQL's last moment, is beyond 64 bits of microseconds: Debezium wraps it round.
        (Field("v", "int64", "io.debezium.time.MicroTimestamp"), -9_223_372_036_853_775_810),
        (Field("v", "int64", "io.debezium.time.MicroTimestamp"), 2**63 - 1),
        (Field("v", "string", "io.debezium.time.IsoTime"), "25:00:00Z"),
        (Field("v", "bytes", DECIMAL, scale=10**9, precision=2 * 10**9), b"\x01"),
    ],
)
def test_what_no_column_can_hold_is_refused(form: str, field: Field, raw: Any) -> None:
    table = table_of(field)
    (failure,) = decoder_of(table).decode(TOPIC, records(getattr(table, form)("c", None, {"id": 1, "v": raw}))).failures
    assert isinstance(failure.error, DecodeError)


@pytest.mark.parametrize("form", ["avro", "described"])
def test_a_value_that_is_refused_is_named_with_table_key_and_column(form: str) -> None:
    table = table_of(Field("v", "int64", "io.debezium.time.MicroTimestamp"))
    batch = records(getattr(table, form)("c", None, {"id": 7, "v": 2**63 - 1}))
    (failure,) = decoder_of(table).decode(TOPIC, batch).failures
    assert str(failure.error).startswith(f"{TOPIC}: key (id=7): after.v: {2**63 - 1} us is in no calendar")


def test_integers_of_fewer_bits_are_bounded_in_avro_too() -> None:
    table = table_of(Field("v", "int16"))
    value = table.avro("c", None, {"id": 1, "v": 32767})
    for number, fails in ((32767, False), (32768, True), (-32768, False), (-32769, True)):
        value = table.avro("c", None, {"id": 1, "v": number})
        assert bool(decoder_of(table).decode(TOPIC, records(value)).failures) is fails


def test_marks_of_unset_geometries_and_number_arrays_are_known() -> None:
    mark = "__debezium_unavailable_value"
    wkb = bytes.fromhex("0101000020E6100000000000FC83D797C1000000FC83D797C1")
    for field, hidden in (
        (Field("v", "array", items=Field("i", "int32")), list(mark.encode())),
        (Field("v", "array", items=Field("i", "bytes")), [mark.encode()]),
        (Field("v", "map", items=Field("i", "string")), {mark: mark}),
        (Field("v", "struct", "io.debezium.data.geometry.Geometry", fields=_POINT), {"wkb": wkb, "srid": 4326}),
    ):
        table = table_of(field)
        for form in ("avro", "described"):
            batch = records(getattr(table, form)("u", None, {"id": 1, "v": hidden}))
            (segment,) = decoder_of(table).decode(TOPIC, batch).segments
            assert segment.changes[0].unset == (1,), (field, form)


def test_what_every_event_repeats_is_not_carried_over_to_one_that_differs() -> None:
    table = table_of(Field("v", "string"))
    batch = []
    for place in range(60):
        table.source |= {
            "db": f"db{place % 2}" * (1 + 40 * (place % 3)),
            "schema": "a" if place % 5 else "b",
            "snapshot": None if place % 7 else "true",
            "ts_us": None if place % 4 == 0 else 10**15 + place,
            "lsn": None if place % 2 else place * 10**9,
            "txId": None if place % 3 else place,
        }
        batch.append((place, dict(table.source), table.avro("c", None, {"id": place, "v": "x"})))
    made = decoder_of(table)
    decoded = made.decode(TOPIC, records(*[pair for _, _, pair in batch]))
    found = [(segment.schema, change) for segment in decoded.segments for change in segment.changes]
    assert len(found) == len(batch)
    for (schema, change), (place, source, _) in zip(found, batch, strict=True):
        assert (schema.database, schema.namespace) == (source["db"], source["schema"])
        assert change.time_us == (source["ts_us"] or source["ts_ms"] * 1000)
        assert change.key == (place,)


def test_a_record_that_ends_early_leaves_nothing_behind() -> None:
    table = table_of(Field("v", "string"))
    key, value = table.avro("c", None, {"id": 1, "v": "x"})
    for end in range(5, len(value)):
        made = decoder_of(table)
        decoded = made.decode(TOPIC, records((key, value[:end]), (key, value)))
        assert [failure.index for failure in decoded.failures] == [0]
        (segment,) = decoded.segments
        assert (segment.schema.database, segment.schema.namespace, segment.schema.relation) == (
            "shopdb",
            "public",
            "orders",
        )


def test_base64_and_its_bytes_agree() -> None:
    table = table_of(Field("v", "bytes"))
    (segment,) = decoder_of(table).decode(TOPIC, records(table.described("c", None, {"id": 1, "v": b"abc"}))).segments
    assert b64encode(segment.changes[0].after[1]) == b"YWJj"  # type: ignore[index]

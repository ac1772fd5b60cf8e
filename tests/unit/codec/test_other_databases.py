"""Events of MySQL, MariaDB, Oracle and MongoDB, written from the documentation of their connectors."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from debezium_events import DECIMAL, TOPIC, Field, Table, records, unscaled

from models import Kind
from parrot_faust.codec import Decoder
from parrot_faust.errors import DecodeError

_VARIABLE = (Field("scale", "int32", optional=False), Field("value", "bytes", optional=False))
_POINT = (Field("wkb", "bytes", optional=False), Field("srid", "int32"))
_VARIABLE_NAME = "io.debezium.data.VariableScaleDecimal"

# The source's type, Connect's field, the raw value, the kind, the value in a row.
MYSQL: list[tuple[str, Field, Any, Kind, Any]] = [
    ("tinyint unsigned", Field("v", "int16"), 255, Kind.INT16, 255),
    ("smallint unsigned", Field("v", "int32"), 65_535, Kind.INT32, 65_535),
    ("int unsigned", Field("v", "int64"), 4_294_967_295, Kind.INT64, 4_294_967_295),
    (
        "bigint unsigned, bigint.unsigned.handling.mode=precise",
        Field("v", "bytes", DECIMAL, scale=0, precision=20),
        unscaled(Decimal(2**64 - 1), 0),
        Kind.DECIMAL,
        Decimal(2**64 - 1),
    ),
    ("tinyint(1)", Field("v", "int16"), 1, Kind.INT16, 1),
    ("bit(1)", Field("v", "boolean"), True, Kind.BOOL, True),
    ("bit(9)", Field("v", "bytes", "io.debezium.data.Bits"), b"\x01\x01", Kind.BYTES, b"\x01\x01"),
    ("year", Field("v", "int32", "io.debezium.time.Year"), 2155, Kind.INT32, 2155),
    ("year 0000", Field("v", "int32", "io.debezium.time.Year"), 0, Kind.INT32, 0),
    ("set", Field("v", "string", "io.debezium.data.EnumSet"), "a,c", Kind.STRING, "a,c"),
    ("empty set", Field("v", "string", "io.debezium.data.EnumSet"), "", Kind.STRING, ""),
    ("enum", Field("v", "string", "io.debezium.data.Enum"), "größe", Kind.STRING, "größe"),
    (
        "time -838:59:59",
        Field("v", "int64", "io.debezium.time.MicroTime"),
        -3_020_399_000_000,
        Kind.TIME,
        -3_020_399_000_000,
    ),
    (
        "time 838:59:59",
        Field("v", "int64", "io.debezium.time.MicroTime"),
        3_020_399_000_000,
        Kind.TIME,
        3_020_399_000_000,
    ),
    ("datetime(3)", Field("v", "int64", "io.debezium.time.Timestamp"), -1, Kind.TIMESTAMP, -1_000),
    ("datetime(6)", Field("v", "int64", "io.debezium.time.MicroTimestamp"), 1, Kind.TIMESTAMP, 1),
    (
        "timestamp",
        Field("v", "string", "io.debezium.time.ZonedTimestamp"),
        "2038-01-19T03:14:07Z",
        Kind.TIMESTAMP,
        (2**31 - 1) * 10**6,
    ),
    # A zero date is null; in a column without null it is the first day.
    ("date 0000-00-00", Field("v", "int32", "io.debezium.time.Date"), None, Kind.DATE, None),
    ("date 0000-00-00 not null", Field("v", "int32", "io.debezium.time.Date", optional=False), 0, Kind.DATE, 0),
    ("json", Field("v", "string", "io.debezium.data.Json"), '{"a":1}', Kind.STRING, '{"a":1}'),
    (
        "decimal(65,30)",
        Field("v", "bytes", DECIMAL, scale=30, precision=65),
        unscaled(Decimal("-1e-30"), 30),
        Kind.DECIMAL,
        Decimal("-1e-30"),
    ),
    (
        "point",
        Field("v", "struct", "io.debezium.data.geometry.Geometry", fields=_POINT),
        {"wkb": b"\x01", "srid": None},
        Kind.STRING,
        '{"wkb":"AQ==","srid":null}',
    ),
]
ORACLE: list[tuple[str, Field, Any, Kind, Any]] = [
    (
        "number",
        Field("v", "struct", _VARIABLE_NAME, fields=_VARIABLE),
        {"scale": 2, "value": b"\x7b"},
        Kind.DECIMAL,
        Decimal("1.23"),
    ),
    (
        "number with zeros at its end",
        Field("v", "struct", _VARIABLE_NAME, fields=_VARIABLE),
        {"scale": -3, "value": b"\x05"},
        Kind.DECIMAL,
        Decimal("5E+3"),
    ),
    ("number(38,-2)", Field("v", "bytes", DECIMAL, scale=-2, precision=38), b"\x05", Kind.DECIMAL, Decimal(500)),
    ("number(4)", Field("v", "int16"), 9_999, Kind.INT16, 9_999),
    ("binary_float", Field("v", "float"), 0.5, Kind.FLOAT32, 0.5),
    ("raw", Field("v", "bytes"), b"\x00\xff", Kind.BYTES, b"\x00\xff"),
    ("rowid", Field("v", "string"), "AAAWiCAAEAAAAFPAAA", Kind.STRING, "AAAWiCAAEAAAAFPAAA"),
    (
        "date",
        Field("v", "int64", "io.debezium.time.Timestamp"),
        -210_866_803_200_000,
        Kind.TIMESTAMP,
        -210_866_803_200_000_000,
    ),
    ("timestamp(9)", Field("v", "int64", "io.debezium.time.NanoTimestamp"), -1, Kind.TIMESTAMP, -1),
    (
        "timestamp with time zone",
        Field("v", "string", "io.debezium.time.ZonedTimestamp"),
        "2024-02-29T12:00:00.123456789+05:30",
        Kind.TIMESTAMP,
        1_709_188_200_123_456,
    ),
    ("interval day to second", Field("v", "int64", "io.debezium.time.MicroDuration"), -1, Kind.INT64, -1),
    (
        "interval as text",
        Field("v", "string", "io.debezium.time.Interval"),
        "P0Y0M1DT0H0M0.5S",
        Kind.STRING,
        "P0Y0M1DT0H0M0.5S",
    ),
    ("xmltype", Field("v", "string", "io.debezium.data.Xml"), "<a/>", Kind.STRING, "<a/>"),
]


@pytest.mark.parametrize("form", ["avro", "described"])
@pytest.mark.parametrize(
    ("field", "raw", "kind", "value"),
    [case[1:] for case in (*MYSQL, *ORACLE)],
    ids=[case[0] for case in (*MYSQL, *ORACLE)],
)
def test_each_type_of_mysql_and_oracle_has_its_value(form: str, field: Field, raw: Any, kind: Kind, value: Any) -> None:
    if form == "avro" and field.scale is not None and field.scale < 0:
        field = Field(field.name, field.type, field.semantic, scale=0, precision=field.precision)
        raw, value = b"\x05", Decimal(5)  # Avro's own decimals have no negative scale
    table = Table((Field("id", "int64", optional=False), field))
    decoder = Decoder()
    decoder.learn(table.value_id, json.dumps(table.value_schema()))
    decoder.learn(table.key_id, json.dumps(table.key_schema()))
    decoded = decoder.decode(TOPIC, records(getattr(table, form)("c", None, {"id": 1, "v": raw})))
    assert not decoded.failures, str(decoded.failures[0].error)
    (segment,) = decoded.segments
    assert segment.schema.columns[1].kind is kind
    assert segment.changes[0].after == (1, value)


def test_an_unchanged_lob_of_oracle_is_unset() -> None:
    table = Table((Field("id", "int64", optional=False), Field("v", "string")))
    batch = records(table.described("u", None, {"id": 1, "v": "__debezium_unavailable_value"}))
    (segment,) = Decoder().decode(TOPIC, batch).segments
    assert segment.changes[0].unset == (1,)


def test_mysql_s_databases_group_its_tables() -> None:
    event = {"op": "c", "before": None, "after": {"id": 1}, "source": {"db": "inventory", "table": "orders"}}
    batch = records((b'{"id":1}', json.dumps(event).encode()))
    (segment,) = Decoder().decode("my.inventory.orders", batch).segments
    schema = segment.schema
    assert (schema.database, schema.namespace, schema.relation) == ("inventory", "inventory", "orders")


MONGO_SCHEMA = {
    "type": "struct",
    "optional": False,
    "name": "mongo.shop.orders.Envelope",
    "fields": [
        {"type": "string", "optional": True, "name": "io.debezium.data.Json", "field": "before"},
        {"type": "string", "optional": True, "name": "io.debezium.data.Json", "field": "after"},
        {
            "type": "struct",
            "optional": True,
            "field": "updateDescription",
            "fields": [{"type": "string", "optional": True, "name": "io.debezium.data.Json", "field": "updatedFields"}],
        },
        {"type": "string", "optional": True, "field": "op"},
    ],
}
MONGO = {
    "c": {"before": None, "after": '{"_id": {"$oid": "596e275826f08b2730779e1f"},"n": 1}', "op": "c"},
    "u": {"before": None, "after": None, "updateDescription": {"updatedFields": '{"n": 2}'}, "op": "u"},
}


@pytest.mark.parametrize("op", ["c", "u"])
@pytest.mark.parametrize("described", [True, False])
def test_mongodb_s_documents_are_refused_by_name_with_what_to_do(op: str, described: bool) -> None:
    event: Any = {"schema": MONGO_SCHEMA, "payload": MONGO[op]} if described else MONGO[op]
    value = json.dumps(event, separators=(",", ":")).encode()
    (failure,) = Decoder().decode("mongo.shop.orders", records((b'{"id":"1"}', value))).failures
    assert isinstance(failure.error, DecodeError)
    assert "mongo.shop.orders" in str(failure.error)
    assert "MongoDB" in str(failure.error)
    assert "ExtractNewDocumentState" in str(failure.error)


def test_mongodb_s_documents_are_taken_flattened() -> None:
    value = json.dumps({"_id": "596e275826f08b2730779e1f", "n": 1, "tags": ["a"], "__op": "c"}).encode()
    decoder = Decoder(format="flattened", keys={"mongo.shop.orders": ("_id",)})
    decoded = decoder.decode("mongo.shop.orders", records((None, value)))
    assert not decoded.failures, str(decoded.failures[0].error)
    (segment,) = decoded.segments
    assert segment.schema.key == ("_id",)
    assert segment.changes[0].after == ("596e275826f08b2730779e1f", 1, '["a"]')

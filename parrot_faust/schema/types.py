"""The table of types: what Debezium makes of a database's type, and what that becomes here and in each store.

One table for the documentation (`docs/types.md` is checked against it) and for the tests, which hold the decoder and
the sinks to it. It decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from models import Kind

DECIMAL = "org.apache.kafka.connect.data.Decimal"
_TIME = "io.debezium.time."
_DATA = "io.debezium.data."


class Connect(NamedTuple):
    """A type of Kafka Connect: its base, the name of its meaning, and a decimal's parameters."""

    base: str
    name: str = ""
    precision: int | None = None
    scale: int | None = None


class SourceType(NamedTuple):
    """How a type of the source arrives and what column it makes.

    `option` is the connector's setting under which it does, empty when it does so under any.
    """

    source: str
    option: str
    connect: Connect
    kind: Kind
    semantic: str = ""


class StoreType(NamedTuple):
    """Where values of a kind lie: Kudu's type, and what an HBase cell holds."""

    kudu: str
    hbase: str


STORES: Mapping[Kind, StoreType] = {
    Kind.BOOL: StoreType("bool", "1 byte, 0 or 1"),
    Kind.INT8: StoreType("int8", "1 byte, two's complement"),
    Kind.INT16: StoreType("int16", "2 bytes, big-endian two's complement"),
    Kind.INT32: StoreType("int32", "4 bytes, big-endian two's complement"),
    Kind.INT64: StoreType("int64", "8 bytes, big-endian two's complement"),
    Kind.FLOAT32: StoreType("float", "4 bytes, big-endian IEEE 754"),
    Kind.FLOAT64: StoreType("double", "8 bytes, big-endian IEEE 754"),
    Kind.DECIMAL: StoreType("decimal(P,S), or string", "plain decimal notation as text"),
    Kind.STRING: StoreType("string", "UTF-8"),
    Kind.BYTES: StoreType("binary", "the bytes"),
    Kind.DATE: StoreType("date", "4 bytes, big-endian: days since 1970-01-01"),
    Kind.TIME: StoreType("int64", "8 bytes, big-endian: microseconds since midnight"),
    Kind.TIMESTAMP: StoreType("unixtime_micros", "8 bytes, big-endian: microseconds since 1970-01-01T00:00:00Z"),
}

_DECIMALS = "decimal.handling.mode="
_TIMES = "time.precision.mode="
_BINARY = "binary.handling.mode="

POSTGRES: tuple[SourceType, ...] = (
    SourceType("boolean, bit(1)", "", Connect("boolean"), Kind.BOOL),
    SourceType("smallint, smallserial", "", Connect("int16"), Kind.INT16),
    SourceType("integer, serial", "", Connect("int32"), Kind.INT32),
    SourceType("bigint, bigserial, oid", "", Connect("int64"), Kind.INT64),
    SourceType("real", "", Connect("float"), Kind.FLOAT32),
    SourceType("double precision", "", Connect("double"), Kind.FLOAT64),
    SourceType("numeric(P,S)", _DECIMALS + "precise", Connect("bytes", DECIMAL, 10, 2), Kind.DECIMAL),
    SourceType("numeric", _DECIMALS + "precise", Connect("struct", _DATA + "VariableScaleDecimal"), Kind.DECIMAL),
    SourceType("money", _DECIMALS + "precise", Connect("bytes", DECIMAL, None, 2), Kind.DECIMAL),
    SourceType("numeric(P,S), numeric, money", _DECIMALS + "double", Connect("double"), Kind.FLOAT64),
    SourceType("numeric(P,S), numeric, money", _DECIMALS + "string", Connect("string"), Kind.STRING),
    SourceType("char(N), varchar, text, citext, name, isbn", "", Connect("string"), Kind.STRING),
    SourceType("bytea", _BINARY + "bytes", Connect("bytes"), Kind.BYTES),
    SourceType("bytea", _BINARY + "base64, base64-url-safe, hex", Connect("string"), Kind.STRING),
    SourceType("date", _TIMES + "isostring", Connect("string", _TIME + "IsoDate"), Kind.DATE),
    SourceType("date", _TIMES + "connect", Connect("int32", "org.apache.kafka.connect.data.Date"), Kind.DATE),
    SourceType("date", _TIMES + "all others", Connect("int32", _TIME + "Date"), Kind.DATE),
    SourceType("time, time(P) with P over 3", _TIMES + "adaptive", Connect("int64", _TIME + "MicroTime"), Kind.TIME),
    SourceType("time(P) with P up to 3", _TIMES + "adaptive", Connect("int32", _TIME + "Time"), Kind.TIME),
    SourceType(
        "time", _TIMES + "adaptive_time_microseconds, microseconds", Connect("int64", _TIME + "MicroTime"), Kind.TIME
    ),
    SourceType("time", _TIMES + "connect", Connect("int32", "org.apache.kafka.connect.data.Time"), Kind.TIME),
    SourceType("time", _TIMES + "isostring", Connect("string", _TIME + "IsoTime"), Kind.TIME),
    SourceType("time", _TIMES + "nanoseconds", Connect("int64", _TIME + "NanoTime"), Kind.TIME, "nanos"),
    SourceType("timetz", "", Connect("string", _TIME + "ZonedTime"), Kind.STRING, "zonedtime"),
    SourceType(
        "timestamp, timestamp(P) with P over 3",
        _TIMES + "adaptive, adaptive_time_microseconds",
        Connect("int64", _TIME + "MicroTimestamp"),
        Kind.TIMESTAMP,
    ),
    SourceType(
        "timestamp(P) with P up to 3",
        _TIMES + "adaptive, adaptive_time_microseconds",
        Connect("int64", _TIME + "Timestamp"),
        Kind.TIMESTAMP,
    ),
    SourceType("timestamp", _TIMES + "microseconds", Connect("int64", _TIME + "MicroTimestamp"), Kind.TIMESTAMP),
    SourceType(
        "timestamp", _TIMES + "connect", Connect("int64", "org.apache.kafka.connect.data.Timestamp"), Kind.TIMESTAMP
    ),
    SourceType("timestamp", _TIMES + "isostring", Connect("string", _TIME + "IsoTimestamp"), Kind.TIMESTAMP),
    SourceType("timestamp", _TIMES + "nanoseconds", Connect("int64", _TIME + "NanoTimestamp"), Kind.TIMESTAMP, "nanos"),
    SourceType("timestamptz", "", Connect("string", _TIME + "ZonedTimestamp"), Kind.TIMESTAMP, "zoned"),
    SourceType(
        "interval",
        "interval.handling.mode=numeric",
        Connect("int64", _TIME + "MicroDuration"),
        Kind.INT64,
        "microduration",
    ),
    SourceType(
        "interval", "interval.handling.mode=string", Connect("string", _TIME + "Interval"), Kind.STRING, "interval"
    ),
    SourceType("uuid", "", Connect("string", _DATA + "Uuid"), Kind.STRING, "uuid"),
    SourceType("json, jsonb", "", Connect("string", _DATA + "Json"), Kind.STRING, "json"),
    SourceType("xml", "", Connect("string", _DATA + "Xml"), Kind.STRING, "xml"),
    SourceType("enum", "", Connect("string", _DATA + "Enum"), Kind.STRING, "enum"),
    SourceType("ltree", "", Connect("string", _DATA + "Ltree"), Kind.STRING, "ltree"),
    SourceType("tsvector", "", Connect("string", _DATA + "Tsvector"), Kind.STRING, "tsvector"),
    SourceType("inet, cidr, macaddr, macaddr8", "", Connect("string"), Kind.STRING),
    SourceType("int4range and all other ranges", "", Connect("string"), Kind.STRING),
    SourceType("bit(N), varbit", "", Connect("bytes", _DATA + "Bits"), Kind.BYTES, "bits"),
    SourceType("hstore", "hstore.handling.mode=json", Connect("string", _DATA + "Json"), Kind.STRING, "json"),
    SourceType("hstore", "hstore.handling.mode=map", Connect("map"), Kind.STRING, "map"),
    SourceType("point", "", Connect("struct", _DATA + "geometry.Point"), Kind.STRING, "geometry"),
    SourceType(
        "geometry, geography (PostGIS)", "", Connect("struct", _DATA + "geometry.Geometry"), Kind.STRING, "geometry"
    ),
    SourceType("vector (pgvector)", "", Connect("array", _DATA + "DoubleVector"), Kind.STRING, "vector"),
    SourceType("halfvec (pgvector)", "", Connect("array", _DATA + "FloatVector"), Kind.STRING, "vector"),
    SourceType("arrays of the above", "", Connect("array"), Kind.STRING, "array"),
    SourceType(
        "line, lseg, box, path, polygon, circle, composite types, multiranges, tsquery, pg_lsn, xid8, jsonpath",
        "include.unknown.datatypes=true",
        Connect("bytes"),
        Kind.BYTES,
    ),
)

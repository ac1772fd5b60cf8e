"""Events as Debezium's PostgreSQL connector and Connect's converters write them, in all three forms from one table."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

import fastavro

TOPIC = "shop.public.orders"
VALUE_ID, KEY_ID = 7, 6
PLACEHOLDER = "__debezium_unavailable_value"


@dataclass
class Record:
    """What aiokafka hands out."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 1_700_000_000_000
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Field:
    """A column as Connect declares it."""

    name: str
    type: str
    semantic: str = ""
    optional: bool = True
    scale: int | None = None
    precision: int | None = None
    items: Any = None
    fields: tuple[Field, ...] = ()

    def avro(self) -> Any:
        kind: Any
        if self.type == "struct":
            kind = {
                "type": "record",
                "name": f"{self.name}_t",
                "fields": [{"name": each.name, "type": each.avro()} for each in self.fields],
            }
        elif self.type == "array":
            kind = {"type": "array", "items": self.items.avro()}
        elif self.type == "map":
            kind = {"type": "map", "values": self.items.avro()}
        else:
            base = {"int8": "int", "int16": "int", "int32": "int", "int64": "long"}.get(self.type, self.type)
            kind = {"type": base}
            if self.type in ("int8", "int16"):
                kind["connect.type"] = self.type
        if self.semantic:
            kind |= {"connect.name": self.semantic, "connect.version": 1}
        if self.scale is not None:
            kind |= {
                "logicalType": "decimal",
                "scale": self.scale,
                "precision": max(self.precision or 64, self.scale),
                "connect.parameters": {"scale": str(self.scale), "connect.decimal.precision": str(self.precision)},
            }
        return ["null", kind] if self.optional else kind

    def json(self) -> dict[str, Any]:
        tree: dict[str, Any] = {"type": self.type, "optional": self.optional, "field": self.name}
        if self.semantic:
            tree |= {"name": self.semantic, "version": 1}
        if self.scale is not None:
            tree["parameters"] = {"scale": str(self.scale), "connect.decimal.precision": str(self.precision)}
        if self.type == "struct":
            tree["fields"] = [each.json() for each in self.fields]
        if self.type == "array":
            tree["items"] = self.items.json()
        if self.type == "map":
            tree |= {"keys": {"type": "string", "optional": False}, "values": self.items.json()}
        return tree


DECIMAL = "org.apache.kafka.connect.data.Decimal"

ORDERS = (
    Field("id", "int64", optional=False),
    Field("customer", "int32", optional=False),
    Field("status", "string", "io.debezium.data.Enum"),
    Field("amount", "bytes", DECIMAL, scale=2, precision=10),
    Field("paid", "boolean"),
    Field("weight", "double"),
    Field("created", "int64", "io.debezium.time.MicroTimestamp"),
    Field("changed", "string", "io.debezium.time.ZonedTimestamp"),
    Field("note", "string"),
    Field("extra", "string", "io.debezium.data.Json"),
)
ORDER = {
    "id": 1234,
    "customer": 77,
    "status": "paid",
    "amount": Decimal("1234.56"),
    "paid": True,
    "weight": 1.5,
    "created": 1_700_000_000_123_456,
    "changed": "2023-11-14T22:13:20.123456Z",
    "note": "leave it at the neighbour's, please",
    "extra": '{"gift": true}',
}
_SOURCE = (
    Field("version", "string", optional=False),
    Field("connector", "string", optional=False),
    Field("name", "string", optional=False),
    Field("ts_ms", "int64", optional=False),
    Field("snapshot", "string"),
    Field("db", "string", optional=False),
    Field("sequence", "string"),
    Field("ts_us", "int64"),
    Field("ts_ns", "int64"),
    Field("schema", "string", optional=False),
    Field("table", "string", optional=False),
    Field("txId", "int64"),
    Field("lsn", "int64"),
    Field("xmin", "int64"),
)
SOURCE = {
    "version": "3.3.2.Final",
    "connector": "postgresql",
    "name": "shop",
    "ts_ms": 1_700_000_000_123,
    "snapshot": "false",
    "db": "shopdb",
    "sequence": '["24023128","24023128"]',
    "ts_us": 1_700_000_000_123_456,
    "ts_ns": 1_700_000_000_123_456_000,
    "schema": "public",
    "table": "orders",
    "txId": 555,
    "lsn": 24023128,
    "xmin": None,
}


@dataclass
class Table:
    """A table's events. `avro`, `described` and `plain` make (key, value) bytes of one change."""

    columns: tuple[Field, ...] = ORDERS
    key: tuple[str, ...] = ("id",)
    topic: str = TOPIC
    value_id: int = VALUE_ID
    key_id: int = KEY_ID
    source: dict[str, Any] = field(default_factory=lambda: dict(SOURCE))

    def key_fields(self) -> tuple[Field, ...]:
        return tuple(each for each in self.columns if each.name in self.key)

    def value_schema(self) -> dict[str, Any]:
        row = {
            "type": "record",
            "name": "Value",
            "fields": [{"name": each.name, "type": each.avro()} for each in self.columns],
            "connect.name": f"{self.topic}.Value",
        }
        source = {
            "type": "record",
            "name": "Source",
            "namespace": "io.debezium.connector.postgresql",
            "fields": [{"name": each.name, "type": each.avro()} for each in _SOURCE],
        }
        block = {
            "type": "record",
            "name": "block",
            "namespace": "event",
            "fields": [{"name": "id", "type": "string"}, {"name": "total_order", "type": "long"}],
        }
        return {
            "type": "record",
            "name": "Envelope",
            "namespace": self.topic,
            "fields": [
                {"name": "before", "type": ["null", row], "default": None},
                {"name": "after", "type": ["null", "Value"], "default": None},
                {"name": "source", "type": source},
                {"name": "transaction", "type": ["null", block], "default": None},
                {"name": "op", "type": "string"},
                {"name": "ts_ms", "type": ["null", "long"], "default": None},
                {"name": "ts_us", "type": ["null", "long"], "default": None},
                {"name": "ts_ns", "type": ["null", "long"], "default": None},
            ],
            "connect.name": f"{self.topic}.Envelope",
        }

    def key_schema(self) -> dict[str, Any]:
        fields = [{"name": each.name, "type": each.avro()} for each in self.key_fields()]
        return {"type": "record", "name": "Key", "namespace": self.topic, "fields": fields}

    def envelope(self, op: str, before: Any = None, after: Any = None) -> dict[str, Any]:
        times = {"ts_ms": 1_700_000_000_500, "ts_us": 1_700_000_000_500_001, "ts_ns": 1_700_000_000_500_001_002}
        return {"before": before, "after": after, "source": self.source, "transaction": None, "op": op, **times}

    def _key_of(self, before: Any, after: Any) -> dict[str, Any] | None:
        image = after or before
        return {name: image[name] for name in self.key} if image and self.key else None

    def avro(self, op: str, before: Any = None, after: Any = None) -> tuple[bytes | None, bytes]:
        key = self._key_of(before, after)
        value = framed(self.value_id, self.value_schema(), self.envelope(op, before, after))
        return framed(self.key_id, self.key_schema(), key) if key else None, value

    def described(self, op: str, before: Any = None, after: Any = None) -> tuple[bytes | None, bytes]:
        row = {"type": "struct", "optional": True, "name": f"{self.topic}.Value"}
        row["fields"] = [each.json() for each in self.columns]
        source = {"type": "struct", "optional": False, "field": "source", "fields": [each.json() for each in _SOURCE]}
        schema = {
            "type": "struct",
            "fields": [
                {**row, "field": "before"},
                {**row, "field": "after"},
                source,
                {"type": "string", "optional": False, "field": "op"},
                {"type": "int64", "optional": True, "field": "ts_ms"},
            ],
            "optional": False,
            "name": f"{self.topic}.Envelope",
        }
        key_schema = {
            "type": "struct",
            "fields": [each.json() for each in self.key_fields()],
            "optional": False,
            "name": f"{self.topic}.Key",
        }
        key, value = self.plain(op, before, after)
        if key is not None:
            key = b'{"schema":' + text(key_schema) + b',"payload":' + key + b"}"
        return key, b'{"schema":' + text(schema) + b',"payload":' + value + b"}"

    def plain(self, op: str, before: Any = None, after: Any = None) -> tuple[bytes | None, bytes]:
        key = self._key_of(before, after)
        envelope = self.envelope(op, *(self._json_row(image) for image in (before, after)))
        return text(self._json_row(key)) if key else None, text(envelope)

    def _json_row(self, row: Any) -> Any:
        if row is None:
            return None
        fields = {each.name: each for each in self.columns}
        return {name: json_value(fields[name], value) for name, value in row.items()}


def json_value(declared: Field, value: Any) -> Any:
    if value is None:
        return None
    if declared.scale is not None and isinstance(value, Decimal):
        value = unscaled(value, declared.scale)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if declared.type == "array":
        return [json_value(declared.items, each) for each in value]
    if declared.type == "map":
        return {name: json_value(declared.items, each) for name, each in value.items()}
    if declared.type == "struct":
        return {each.name: json_value(each, value[each.name]) for each in declared.fields}
    return value


def unscaled(value: Decimal, scale: int) -> bytes:
    number = int(value.scaleb(scale, Context(prec=100)))
    return number.to_bytes((number.bit_length() + 8) // 8, "big", signed=True)


def text(tree: Any) -> bytes:
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()


def framed(schema_id: int, schema: Any, value: Any) -> bytes:
    out = io.BytesIO(b"\x00" + schema_id.to_bytes(4, "big"))
    out.seek(5)
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def records(*pairs: tuple[bytes | None, bytes | None], first: int = 100) -> list[Record]:
    return [Record(first + place, key, value) for place, (key, value) in enumerate(pairs)]

"""The forms in which events arrive, as `source.format` names them."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """AUTO tells Avro, JSON with schema and JSON apart by the bytes of each record; FLATTENED does too, and expects
    rows without an envelope. The others take nothing but what they name."""

    AUTO = "auto"
    AVRO = "avro"
    JSON = "json"
    JSON_SCHEMA = "json-schema"
    FLATTENED = "flattened"

    @property
    def avro(self) -> bool:
        """Whether Avro is taken."""
        return self not in (Form.JSON, Form.JSON_SCHEMA)

    @property
    def json(self) -> bool:
        """Whether JSON is taken."""
        return self is not Form.AVRO

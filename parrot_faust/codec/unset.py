"""Values that an event did not carry: PostgreSQL leaves out an unchanged TOAST value, Debezium marks the place."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from typing import Any
from uuid import UUID

import msgspec

from models import Column, Kind

Row = tuple[Any, ...]

PLACEHOLDER = "__debezium_unavailable_value"

_RAW = PLACEHOLDER.encode()
_BASE64_RAW = b64encode(_RAW)
_BASE64 = _BASE64_RAW.decode()
# Java's UUID.nameUUIDFromBytes, which is how Debezium makes the element of a uuid array.
_UUID = str(UUID(bytes=md5(_RAW, usedforsecurity=False).digest(), version=3))
_TEXT = msgspec.json.Encoder().encode

#: The mark in every form a column can have: text, bytes, and the JSON text of arrays and maps.
_MARKS: frozenset[object] = frozenset(
    [PLACEHOLDER, _RAW, _BASE64]
    + [_TEXT(value).decode() for value in ([PLACEHOLDER], [_BASE64], list(_RAW), [_UUID], {PLACEHOLDER: PLACEHOLDER})]
)
# What stands for a geometry: points beyond the world, as well-known binary with their reference system.
_GEOMETRIES = tuple(
    b64encode(bytes.fromhex(wkb)).decode()
    for wkb in (
        "0101000020E6100000000000FC83D797C1000000FC83D797C1",
        "0101000020E61000000C21E7FDFF7F66401842CEFBFF7F5640",
    )
)
# Types whose mark may not contain the placeholder's own bytes.
_SPELT_OTHERWISE = frozenset({"array", "map", "struct", "union", "geometry"})


class Unset:
    """Finds the places in rows of one shape. `base64` says whether bytes travel so."""

    def __init__(self, columns: tuple[Column, ...], *, base64: bool = True) -> None:
        self._places = tuple(place for place, column in enumerate(columns) if column.kind in (Kind.STRING, Kind.BYTES))
        self._geometries = frozenset(place for place, column in enumerate(columns) if column.semantic == "geometry")
        self._always = any(column.semantic in _SPELT_OTHERWISE for column in columns)
        self._base64 = base64

    def maybe(self, data: bytes) -> bool:
        """Whether the record `data` may hold such a place: quick, and never wrongly False."""
        return self._always or _RAW in data or (self._base64 and _BASE64_RAW in data)

    def split(self, row: Row) -> tuple[Row, tuple[int, ...]]:
        """Return the row with None in the unset places, and the places."""
        places = tuple(place for place in self._places if row[place] in _MARKS or self._no_geometry(row, place))
        if not places:
            return row, places
        return tuple(None if place in places else value for place, value in enumerate(row)), places

    def _no_geometry(self, row: Row, place: int) -> bool:
        value = row[place]
        return place in self._geometries and value is not None and any(mark in value for mark in _GEOMETRIES)

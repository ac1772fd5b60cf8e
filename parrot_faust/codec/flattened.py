"""Rows without an envelope, as Debezium's ExtractNewRecordState leaves them, perhaps with fields of its own added."""

from __future__ import annotations

import re
from typing import Any

from models import Column, Op
from parrot_faust.codec.event import Event, check, op_of, time_of
from parrot_faust.codec.table import taker
from parrot_faust.codec.unset import Row

# The transformation puts two underscores before what it adds (add.fields.prefix): fields of the envelope by their
# name, those of its blocks by block and name.
_ADDED = re.compile(
    r"__(deleted|op|table|schema|db|name|version|connector|snapshot|sequence|lsn|xmin|txId|scn|commit_scn|gtid|file|pos"
    r"|row|thread|query|server_id|ts_ms|ts_us|ts_ns|source_\w+|transaction_\w+)"
)


class Layout:
    """Which fields are columns and which say what happened to the row."""

    def __init__(self, fields: tuple[Column, ...]) -> None:
        kept = [place for place, field in enumerate(fields) if not _ADDED.fullmatch(field.name)]
        self.columns: tuple[Column, ...] = tuple(fields[place] for place in kept)
        self._row = taker(kept)
        self._places = {field.name: place for place, field in enumerate(fields)}

    def event(self, row: Row) -> Event:
        """The event that `row`, in the order of all fields, stands for.

        Without a field that says the operation it is an update: whether the row was there before is not known.
        """
        values = self._row(row)
        op = op_of(self._value(row, "__op")) if "__op" in self._places else Op.UPDATE
        if self._value(row, "__deleted") in ("true", True):
            op = Op.DELETE
        origin = (
            self._value(row, "__db", "__source_db"),
            self._value(row, "__schema", "__source_schema"),
            self._value(row, "__table", "__source_table"),
        )
        time_us = time_of(self._value(row, "__source_ts_us", "__ts_us"), self._value(row, "__source_ts_ms", "__ts_ms"))
        if op is Op.DELETE:
            return Event(self.columns, op, values, None, time_us, origin)
        return check(Event(self.columns, op, None, values, time_us, origin))

    def _value(self, row: Row, *names: str) -> Any:
        return next((row[self._places[name]] for name in names if name in self._places), None)

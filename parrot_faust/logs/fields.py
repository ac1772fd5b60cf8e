"""The fields of a line: names that join it to a topic, a partition and an offset, given to a logger as `extra`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

#: The attribute of a log record that holds its fields.
ATTRIBUTE = "fields"


class Run(Protocol):
    """What is used of a batch or a chunk's origin: consecutive records of one partition."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


def at(topic: str, partition: int | None = None, offset: int | None = None, **more: Any) -> dict[str, Any]:
    """The `extra` of a line about a topic, a partition of it or one record."""
    places = {"topic": topic, "partition": partition, "offset": offset}
    return named(**{name: value for name, value in places.items() if value is not None}, **more)


def of_batch(run: Run, **more: Any) -> dict[str, Any]:
    """The `extra` of a line about consecutive records."""
    return named(topic=run.topic, partition=run.partition, first_offset=run.first, last_offset=run.last, **more)


def named(**fields: Any) -> dict[str, Any]:
    """The `extra` of a line with any fields."""
    return {ATTRIBUTE: fields}


def fields_of(record: object) -> Mapping[str, Any]:
    """The fields that a line was given, those of Faust's own among them."""
    return {**getattr(record, "data", {}), **getattr(record, ATTRIBUTE, {})}

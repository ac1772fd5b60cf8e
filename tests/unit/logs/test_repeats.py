"""Of lines that come again and again some are written, and all are counted."""

from __future__ import annotations

import logging
import weakref
from typing import Any

import pytest

from parrot_faust.logs import at, named
from parrot_faust.logs import repeats as module
from parrot_faust.logs.repeats import Repeats


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.closed = False

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        self.closed = True
        super().close()


class World:
    def __init__(self, limit: int = 3) -> None:
        self.kept, self.now = Kept(), 0.0
        self.handler = Repeats(self.kept, limit, lambda: self.now)
        self.log = logging.Logger("parrot", logging.DEBUG)
        self.log.addHandler(self.handler)

    @property
    def said(self) -> list[str]:
        return [record.getMessage() for record in self.kept.records]

    @property
    def counted(self) -> int:
        """Every line that was written or is told of in a count."""
        records = self.kept.records
        return sum(getattr(record, "fields", {}).get("repeats", 1) for record in records)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_beyond_the_limit_is_counted_and_told_once_the_minute_is_over(world: World) -> None:
    for offset in range(10):
        world.log.warning("dead letter at offset %d", offset, extra=at("t", 0, offset))
    assert world.said == [f"dead letter at offset {offset}" for offset in range(3)]
    world.now = 59.9
    world.handler.tell()
    assert len(world.said) == 3
    world.now = 60
    world.handler.tell()
    assert world.said[3:] == ["7 more like this one within 60 s, the last of them: dead letter at offset 9"]
    told = world.kept.records[-1]
    assert (told.levelname, told.name) == ("WARNING", "parrot")
    assert vars(told)["fields"] == {"topic": "t", "partition": 0, "offset": 9, "repeats": 7}
    world.handler.tell()
    assert len(world.said) == 4


def test_a_new_minute_is_written_again_after_the_count_of_the_last_one(world: World) -> None:
    for _ in range(5):
        world.log.warning("again")
    world.now = 61
    world.log.warning("again")
    assert world.said[3].startswith("2 more like this one within 61 s")
    assert world.said[4:] == ["again"]


def test_tables_sinks_levels_and_templates_are_counted_apart(world: World) -> None:
    kinds: list[tuple[int, str, Any]] = [
        (logging.WARNING, "refused %s", at("one")),
        (logging.WARNING, "refused %s", at("two")),
        (logging.WARNING, "refused %s", named(sink="kudu")),
        (logging.ERROR, "refused %s", at("one")),
        (logging.WARNING, "other %s", at("one")),
    ]
    for number in range(4):
        for level, template, extra in kinds:
            world.log.log(level, template, number, extra=extra)
    assert len(world.said) == 3 * len(kinds)
    world.handler.tell(everything=True)
    assert world.counted == 4 * len(kinds)


def test_a_template_that_is_nothing_but_its_value_is_told_apart_by_the_value(world: World) -> None:
    for number in range(10):
        world.log.info("%s", f"window {number} holds")
    assert len(world.said) == 10


def test_what_stops_a_worker_is_always_written(world: World) -> None:
    for _ in range(10):
        world.log.critical("stopping")
    assert len(world.said) == 10


def test_values_of_lines_that_are_left_out_are_not_kept(world: World) -> None:
    class Large:
        def __repr__(self) -> str:
            return "<large>"

    for _ in range(3):
        world.log.warning("%r failed", Large())
    world.kept.records.clear()
    left_out = Large()
    gone = weakref.ref(left_out)
    world.log.warning("%r failed", left_out)
    del left_out
    assert gone() is None
    world.handler.tell(everything=True)
    assert world.said == ["1 more like this one within 1 s, the last of them: <large> failed"]


def test_no_limit_writes_all() -> None:
    world = World(limit=0)
    for _ in range(100):
        world.log.warning("again")
    assert len(world.said) == 100


def test_the_end_tells_what_was_not_told_yet(world: World) -> None:
    for _ in range(8):
        world.log.warning("again")
    world.handler.close()
    assert world.counted == 8
    assert world.kept.closed


def test_memory_is_bounded_and_still_nothing_is_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEYS", 10)
    for number in range(1_000):
        world.log.warning("refused %d", number, extra=at(f"table{number}"))
    assert len(world.handler._windows) <= 11
    assert len(world.said) == 10 + 3
    world.handler.tell(everything=True)
    assert world.counted == 1_000

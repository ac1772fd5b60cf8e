"""The pipeline has passed a position of the source only when connector, workers and writers have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import pytest

from parrot_faust.errors import SourceUnavailable
from parrot_faust.verify.broker import Offsets
from parrot_faust.verify.watermark import Watermark

TOPIC, WRITES, HELD = "shop.public.t", "app.writes.kudu", "app.held"


class Log:
    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.confirmations: Iterator[int | None] = iter([])

    def position(self) -> int:
        return 100

    def mark(self, _prefix: str, _text: str) -> int:
        if self.refuses:
            raise SourceUnavailable("permission denied")
        return 100

    def confirmed(self, _slot: str) -> int | None:
        return next(self.confirmations)


class Topics:
    """Ends that stay, and committed offsets that follow one after the other."""

    def __init__(self, ends: Offsets, *committed: Offsets, marked: bool = True) -> None:
        self._ends, self._committed, self._marked = ends, list(committed), marked
        self.looked = 0

    def ends(self, topics: Sequence[str]) -> Offsets:
        return {place: end for place, end in self._ends.items() if place[0] in topics}

    def committed(self, _group: str) -> Offsets:
        self.looked += 1
        return self._committed.pop(0) if len(self._committed) > 1 else self._committed[0]

    def await_text(self, topic: str, _begin: Offsets, text: bytes, _timeout_s: float) -> bool:
        assert topic == "shop.message"
        assert text.startswith(b"parrot-verify-")
        return self._marked


def watermark(log: Log, topics: Topics, slot: str = "") -> Watermark:
    clock = count()
    return Watermark(
        log,
        topics,
        group="app",
        topics=[TOPIC],
        writes=[WRITES],
        held=HELD,
        slot=slot,
        timeout_s=20,
        monotonic=lambda: next(clock),
        sleep=lambda _seconds: None,
    )


def test_it_waits_for_the_source_topics_and_then_for_the_writes_topics() -> None:
    ends = {(TOPIC, 0): 10, (TOPIC, 1): 0, (WRITES, 0): 5}
    topics = Topics(
        ends, {(TOPIC, 0): 9, (WRITES, 0): 5}, {(TOPIC, 0): 10, (WRITES, 0): 4}, {(TOPIC, 0): 11, (WRITES, 0): 5}
    )
    assert watermark(Log(), topics).passed() == ""
    assert topics.looked >= 3


def test_what_a_store_refuses_on_the_way_is_waited_for_until_it_is_filed() -> None:
    class Refusing(Topics):
        """Where the last of the writes is refused, and so sent to where it is held, just before it is committed."""

        def committed(self, group: str) -> Offsets:
            found = super().committed(group)
            if found.get((WRITES, 0)) == 5:
                self._ends[HELD, 0] = 1
            return found

    taken = {(TOPIC, 0): 10, (WRITES, 0): 5}
    topics = Refusing({(TOPIC, 0): 10, (WRITES, 0): 5, (HELD, 0): 0}, taken, taken, taken, taken | {(HELD, 0): 1})
    assert watermark(Log(), topics).passed() == ""
    assert topics.looked == 4


@pytest.mark.parametrize(
    ("committed", "words"),
    [
        ({(WRITES, 0): 5}, "end of the source topics: shop.public.t[0] lacks 10 records"),
        ({(TOPIC, 0): 10, (WRITES, 0): 4}, "end of the writes topics: app.writes.kudu[0] lacks 1 records"),
        ({(TOPIC, 0): 10, (WRITES, 0): 5}, "end of what is held back: app.held[0] lacks 3 records"),
    ],
)
def test_it_says_who_did_not_get_there_in_time(committed: Offsets, words: str) -> None:
    topics = Topics({(TOPIC, 0): 10, (WRITES, 0): 5, (HELD, 0): 3}, committed)
    assert words in watermark(Log(), topics).passed()


def test_a_connector_that_does_not_pass_on_the_mark_has_not_passed() -> None:
    topics = Topics({(TOPIC, 0): 0}, {}, marked=False)
    assert "connector of shop" in watermark(Log(), topics).passed()


def test_a_named_slot_must_have_confirmed_the_position_too() -> None:
    log = Log()
    log.confirmations = iter([98, 99, 100])
    assert watermark(log, Topics({}, {}), "slot").passed() == ""
    log.confirmations = iter([None])
    assert "no replication slot slot" in watermark(log, Topics({}, {}), "slot").passed()


def test_without_the_right_to_write_a_mark_the_slot_alone_must_do() -> None:
    log = Log(refuses=True)
    assert "the settings name no slot" in watermark(log, Topics({}, {})).passed()
    log.confirmations = iter([100])
    assert watermark(log, Topics({}, {}), "slot").passed() == ""

"""Waiting until the pipeline has passed what the source has committed.

A reading of the source can be held against the stores once everything committed before it has gone through:

1. the connector has passed that position: a message written into the source's log after the reading has come out of the
   connector, which passes the log on in order; and, where the replication slot is named in the settings, the slot's
   confirmed position is not before it;
2. the workers have taken what was in the source topics then: the group's committed offsets have reached their ends, and
   a source offset is committed only when all that was made from it is in the writes topics;
3. and the writers what was in the writes topics then: committed only when the rows are applied, or are on their way to
   where they are held back;
4. and what was on its way there is there, so that it can be said why a row differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import uuid4

from parrot_faust.errors import SourceUnavailable
from parrot_faust.names import message_topic
from parrot_faust.verify.broker import Offsets

POLL_S = 0.2
MESSAGE = "written by `parrot verify`, to know when it has passed"


class Log(Protocol):
    """The source's log."""

    def position(self) -> int: ...
    def mark(self, prefix: str, text: str) -> int: ...
    def confirmed(self, slot: str) -> int | None: ...


class Topics(Protocol):
    """What is asked of Kafka."""

    def ends(self, topics: Sequence[str]) -> Offsets: ...
    def committed(self, group: str) -> Offsets: ...
    def await_text(self, topic: str, begin: Offsets, text: bytes, timeout_s: float) -> bool: ...


class Watermark:
    """Waits, at most `timeout_s` a time. `topics` are the source topics, `writes` the writers' topics, and `held` is
    the one that leads to dead letters and quarantine.
    """

    def __init__(
        self,
        log: Log,
        broker: Topics,
        *,
        group: str,
        topics: Sequence[str],
        writes: Sequence[str],
        held: str,
        slot: str,
        timeout_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._log, self._broker, self._group, self._slot = log, broker, group, slot
        self._topics, self._writes, self._held, self._timeout_s = tuple(topics), tuple(writes), (held,), timeout_s
        self._monotonic, self._sleep = monotonic, sleep

    def passed(self) -> str:
        """Return an empty text when everything that the source had committed before the call is applied or held back,
        else what it was that did not come about in time.
        """
        deadline = self._monotonic() + self._timeout_s
        return self._captured(deadline) or self._taken(deadline)

    def _captured(self, deadline: float) -> str:
        prefixes = sorted({topic.split(".", 1)[0] for topic in self._topics})
        own = [message_topic(prefix) for prefix in prefixes]
        begin = self._broker.ends(own)
        word = f"parrot-verify-{uuid4().hex}"
        try:
            position = self._log.mark(word, MESSAGE)
        except SourceUnavailable as error:
            if not self._slot:
                return f"no mark could be written into the source's log ({error}), and the settings name no slot"
            position, own = self._log.position(), []
        for topic in own:
            left = max(0.0, deadline - self._monotonic())
            if not self._broker.await_text(topic, begin, word.encode(), left):
                return f"the connector of {topic.split('.', 1)[0]} did not pass on a mark in the log"
        if not self._slot:
            return ""
        while True:
            confirmed = self._log.confirmed(self._slot)
            if confirmed is None:
                return f"the source has no replication slot {self._slot}"
            if confirmed >= position:
                return ""
            if self._monotonic() > deadline:
                return f"the replication slot {self._slot} did not confirm the position"
            self._sleep(POLL_S)

    def _taken(self, deadline: float) -> str:
        stages = (
            (self._topics, "the source topics"),
            (self._writes, "the writes topics"),
            (self._held, "what is held back"),
        )
        for topics, what in stages:  # the ends of each only when those before have been reached: they feed it
            ends = self._broker.ends(topics)
            while behind := _behind(ends, self._broker.committed(self._group)):
                if self._monotonic() > deadline:
                    (topic, partition), rest = behind[0]
                    return f"the workers did not reach the end of {what}: {topic}[{partition}] lacks {rest} records"
                self._sleep(POLL_S)
        return ""


def _behind(ends: Offsets, committed: Offsets) -> list[tuple[tuple[str, int], int]]:
    """The partitions whose committed offset is before their end, and by how many records."""
    return [
        (place, end - max(0, committed.get(place, 0))) for place, end in ends.items() if end > committed.get(place, 0)
    ]

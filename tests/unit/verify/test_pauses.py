"""What of the compared tables waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from models import Pause, SinkOrder, Steer
from parrot_faust.names import Names
from parrot_faust.verify.broker import Found
from parrot_faust.verify.pauses import paused
from parrot_faust.verify.plan import ColumnPlan, TablePlan
from parrot_faust.verify.stored import Logical

COLUMNS = (ColumnPlan("id", Logical.INT32, "int4", "integer"),)
PLANS = [TablePlan(f"shop.public.{name}", "public", name, COLUMNS, 1, {"kudu": name}) for name in ("a", "b")]
NOW_S = 1_767_225_600.0
SINCE = "2026-01-01T00:00:00+00:00"


class Topics:
    def __init__(self, topics: dict[str, Sequence[bytes | None]]) -> None:
        self._topics = topics

    def read(self, topic: str, take: Callable[[Found], None]) -> None:
        for offset, value in enumerate(self._topics.get(topic, [])):
            take(Found(0, offset, b"key", value, {}))


def order(number: int, sink: str, word: Steer, reason: str = "") -> bytes:
    return msgspec.json.encode(SinkOrder(str(number), sink, word, int(NOW_S * 1000), reason))


def pause(table: str, held: bool, resume_ms: int = 0) -> bytes:
    one = Pause(f"shop.public.{table}", held, int(NOW_S * 1000), "30 % failed", resume_ms)
    return json.dumps(msgspec.json.encode(one).decode()).encode()


def waiting(orders: Sequence[bytes | None], pauses: Sequence[bytes | None]) -> Any:
    broker: Any = Topics({Names("app").sinks: orders, "app-breakers-changelog": pauses})
    return [(one.what, one.since, one.reason, one.command) for one in paused("app", broker, PLANS, NOW_S + 10)]


def test_the_newest_order_of_a_sink_counts_and_a_restart_is_none() -> None:
    said = [order(1, "kudu", Steer.PAUSE, "by me"), None, order(2, "kudu", Steer.RESTART)]
    assert waiting(said, []) == [("kudu", SINCE, "by me", "parrot connector --sinks resume kudu")]
    assert waiting([*said, order(3, "kudu", Steer.RESUME)], []) == []


def test_a_sink_that_none_of_the_tables_goes_to_is_not_named() -> None:
    assert waiting([order(1, "hbase", Steer.PAUSE)], []) == []


def test_a_table_is_named_while_its_pause_holds() -> None:
    (found,) = waiting([], [pause("a", True), pause("other", True), pause("b", True), pause("b", False)])
    assert found == ("shop.public.a", SINCE, "30 % failed", "parrot breaker resume shop.public.a")
    assert waiting([], [pause("a", True, resume_ms=9_000)]) == []

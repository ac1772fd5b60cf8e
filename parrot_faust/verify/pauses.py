"""Which sinks and tables are paused, so that what is compared may lack what waits."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from models import Pause, SinkOrder, Steer
from parrot_faust.names import Names
from parrot_faust.verify.broker import Broker, Found
from parrot_faust.verify.plan import TablePlan
from parrot_faust.verify.report import Paused


def paused(app: str, broker: Broker, plans: Sequence[TablePlan], now_s: float) -> tuple[Paused, ...]:
    """What of these tables waits, and of the sinks that they go to."""
    sinks = {sink for plan in plans for sink in plan.targets}
    tables = {plan.topic for plan in plans}
    found = [
        Paused(order.sink, _at(order.at_ms), order.reason, f"parrot connector --sinks resume {order.sink}")
        for order in _orders(app, broker).values()
        if order.word is Steer.PAUSE and order.sink in sinks
    ]
    found += [
        Paused(pause.table, _at(pause.at_ms), pause.reason, f"parrot breaker resume {pause.table}")
        for pause in _pauses(app, broker).values()
        if pause.table in tables and pause.holds(int(now_s * 1000))
    ]
    return tuple(sorted(found, key=lambda one: one.what))


def _orders(app: str, broker: Broker) -> dict[str, SinkOrder]:
    """The newest order of each sink, but for restarts."""
    orders: dict[str, SinkOrder] = {}

    def take(record: Found) -> None:
        if record.value is not None:
            order = msgspec.json.decode(record.value, type=SinkOrder)
            if order.word is not Steer.RESTART:
                orders[order.sink] = order

    broker.read(Names(app).sinks, take)
    return orders


def _pauses(app: str, broker: Broker) -> dict[str, Pause]:
    """The newest word on each table; Faust writes a table's values as JSON texts."""
    pauses: dict[str, Pause] = {}

    def take(record: Found) -> None:
        if record.value is not None:
            pause = msgspec.json.decode(json.loads(record.value), type=Pause)
            pauses[pause.table] = pause

    broker.read(f"{app}-breakers-changelog", take)
    return pauses


def _at(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")

"""The demo's change of mind: a rule is loosened while the worker runs, and the row that it held back is let through."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from models import Fate, Place
from parrot_faust import rules_desk
from parrot_faust.demo.shop import Statement
from parrot_faust.distribution.state import CHECKOUT
from parrot_faust.errors import DistributionError
from parrot_faust.letters.box import opened
from parrot_faust.letters.kept import Wanted, restanding
from parrot_faust.letters.sending import redrive
from parrot_faust.quality import load
from parrot_faust.quality.standing import Doing, RuleCommand
from parrot_faust.settings import Settings

RULE = "total.be_between"
LIMIT, LOOSER = "max_value: 100000}", "max_value: 1000000}"
ORDER, TOTAL = 1_000_000_001, 250_000  # an id that the work never comes to
WITHIN_S = 30.0


class Loosening(msgspec.Struct, frozen=True):
    """What came of it: how long until the rules were in force, and what became of the rows that the rule had held."""

    rule: str
    before: str
    version: str
    in_force_ms: int
    outcomes: dict[str, int]


class Loosened(NamedTuple):
    """What is reported, and the records that were let through by their addresses at the source."""

    told: Loosening
    let_through: frozenset[Place]


def large_order(customer: int) -> Statement:
    """An order that is too large for the rules, and rightly placed."""
    values = (ORDER, customer, "new", TOTAL)
    return (
        "insert into orders (id, customer_id, status, total, placed) values (%s, %s, %s, %s, clock_timestamp())",
        values,
    )


def loosen(settings: Settings, folder: Path, topic: str) -> Loosened:
    """Raise the largest total that the rules allow, and let through what passes them then."""
    shipped = (CHECKOUT / "quality_rules" / "orders.yaml").read_text(encoding="utf-8")
    file = folder / "orders-looser.yaml"
    file.write_text(shipped.replace(LIMIT, LOOSER), encoding="utf-8")
    before, rules = load(shipped, "orders.yaml"), load(file.read_text(encoding="utf-8"), file.name)

    async def apply(desk: rules_desk.RulesDesk) -> int:
        sent_ms = int(time.time() * 1000)
        await desk.send(RuleCommand(topic, Doing.APPLY, sent_ms, rules_desk.who(), file.name, rules.to_json()))
        taken = await desk.taken(topic, lambda entry: entry.version == rules.version, WITHIN_S)
        if taken.entry is None or taken.silent or not taken.since_ms:
            raise DistributionError(f"rules that were loosened were not in force within {WITHIN_S:.0f} s")
        return max(0, max(taken.since_ms.values()) - sent_ms)

    took_ms = rules_desk.run(settings, apply)
    outcomes, let_through = asyncio.run(_let_through(settings, topic))
    return Loosened(Loosening(RULE, before.version, rules.version, took_ms, outcomes), let_through)


async def _let_through(settings: Settings, topic: str) -> tuple[dict[str, int], frozenset[Place]]:
    async with opened(settings) as box:
        held = await box.letters(quarantine=True)
        wanted = Wanted(topics=[topic], rules=[RULE])
        chosen = [kept for kept in held if wanted.matches(kept, _no_keys)]
        await redrive(box, chosen, [*held, *await box.letters()], patience_s=WITHIN_S)
        after = restanding(chosen, box.resolutions)
    outcomes: dict[str, Any] = Counter(kept.state for kept in after)
    return dict(outcomes), frozenset(kept.source for kept in after if kept.standing.fate is Fate.APPLIED)


def _no_keys(_: object) -> tuple[str, ...]:
    return ()

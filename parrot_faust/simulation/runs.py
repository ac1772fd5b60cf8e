"""Running many seeds, and what each failing one has found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from parrot_faust.simulation.world import World


@dataclass(frozen=True, slots=True)
class Finding:
    """A seed whose run has broken a promise, and which one."""

    seed: int
    broken: str


@dataclass(slots=True)
class Tally:
    """What came of many runs. `happened` says how often each event did."""

    runs: int = 0
    findings: list[Finding] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)


def simulate(
    seeds: Iterable[int], after_each: Callable[[Tally], None] = lambda _: None, *, freezing: bool = True
) -> Tally:
    """Run each seed to its end and gather what failed; `after_each` is told how far it is. See `World`."""
    tally = Tally()
    for seed in seeds:
        world = World(seed, freezing=freezing)
        try:
            world.run()
        except AssertionError as error:
            tally.findings.append(Finding(seed, str(error).partition("\n")[0]))
        tally.runs += 1
        tally.happened += world.happened
        after_each(tally)
    return tally

"""The faults, one module each. `ALL` is the registry."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from report import Result
from world import World


@dataclass(frozen=True)
class Fault:
    """A fault to survive. `run` makes its scene, breaks, heals, judges, and returns the result.

    `planned` is how often it must fire, `quick` how often in the subset that `make test` runs, None when it is not
    part of that.
    """

    number: int
    title: str
    planned: int
    quick: int | None
    run: Callable[[World, Fault], Result]

    def firings(self, world: World) -> int:
        """How often it must fire in this run."""
        return self.quick if world.quick and self.quick is not None else self.planned


def all_faults() -> dict[int, Fault]:
    """Every fault by its number: the `FAULT` of each module here."""
    found = {}
    for module in pkgutil.iter_modules(__path__):
        fault: Fault = importlib.import_module(f"{__name__}.{module.name}").FAULT
        found[fault.number] = fault
    return dict(sorted(found.items()))

"""The whole delivery in one thread, driven by a seed: a source, its readers, a broker, two writers and two stores.

All that decides is the real thing: commit order, versions, chunks, ledger, fence, reduction, isolation and counters.
What moves the bytes is a list, and time is a number in it. So thousands of runs of anything that may happen take a
minute, and a run that fails is a seed: `parrot simulate --seed S` repeats it. Pure: no broker, store, clock or process.
"""

from __future__ import annotations

from parrot_faust.simulation.runs import Finding, simulate
from parrot_faust.simulation.world import World

__all__ = ["Finding", "World", "simulate"]

"""Python's garbage collector, set for a process through which millions of short-lived records pass."""

from __future__ import annotations

import gc

#: Young objects before a collection, instead of 700: a fetch alone makes several thousand, nearly none of them garbage
#: that only the collector finds. A quarter of the transport's processor time went into looking at them again and again.
YOUNG_OBJECTS = 20_000


def settle_heap() -> None:
    """Exempt what is loaded by now from collection, and collect less often. Call once, when a worker starts.

    What is exempt lives as long as the process: modules, classes, settings.
    """
    gc.collect()
    gc.freeze()
    _, second, third = gc.get_threshold()
    gc.set_threshold(YOUNG_OBJECTS, second, third)

"""The collector's settings, tried in a process of their own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from parrot_faust.transport.heap import YOUNG_OBJECTS, settle_heap
settle_heap()
assert gc.get_freeze_count() > 1_000
assert gc.get_threshold()[0] == YOUNG_OBJECTS
assert gc.isenabled()
"""


def test_what_is_loaded_is_exempt_and_the_collector_goes_on_more_rarely() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)

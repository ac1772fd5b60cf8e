"""Python imports this by itself where its folder is on PYTHONPATH: the wall clock is then off by what a file says.

`PARROT_TEST_CLOCK` names the file; the seconds in it may change at any time, as when somebody sets the clock. The
monotonic clock stays as it is, as it does on a real machine.
"""

import os
import time
from pathlib import Path

FRESH_S = 0.05

_time, _time_ns, _monotonic = time.time, time.time_ns, time.monotonic
_file = Path(os.environ["PARROT_TEST_CLOCK"])
_read = float("-inf")
_off = 0


def _offset() -> int:
    global _read, _off
    if _monotonic() - _read > FRESH_S:
        _read = _monotonic()
        _off = int(_file.read_text(encoding="ascii"))
    return _off


time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 1_000_000_000

"""All tests, as `make test` runs them: in two lots side by side, each with servers of its own.

Both mostly wait for servers, so that together they take little more time than the longer one. What the integration
tests say is shown as it comes, what the others say when those have ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHOWN = ("conformance", "integration")
#: Of the latter, what is moved to the other lot so that both take about as long.
MOVED = (
    "integration/test_init.py",
    "integration/test_schema_behaviours.py",
    "integration/test_schema_restarts.py",
    "integration/test_verify.py",
    "integration/test_windows.py",
)
BESIDE = ("unit", "property", "fault", *MOVED, "browser")
BESIDE_STATE = HERE.parent / ".parrot" / "beside"  # the folder of its servers


def lot(paths: Sequence[str], ignored: Sequence[str] = ()) -> list[str]:
    """The command that runs the tests of these paths."""
    command = [sys.executable, "-m", "pytest", *(str(HERE / path) for path in paths)]
    return command + [f"--ignore={HERE / path}" for path in ignored]


def main() -> int:
    """Run both lots; 0 only when both passed."""
    forgotten = {path.parent.name for path in HERE.glob("*/test_*.py")} - {*SHOWN, *BESIDE}
    gone = [path for path in MOVED if not (HERE / path).exists()]
    if wrong := [*sorted(forgotten), *gone]:
        print(f"tests/lots.py does not run, or does not find: {', '.join(wrong)}", file=sys.stderr)  # noqa: T201
        return 1
    environment = {**os.environ, "PARROT_TEST_STATE": str(BESIDE_STATE)}
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(
            lot(BESIDE), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            statuses = [subprocess.run(lot(SHOWN, MOVED)).returncode, beside.wait()]
        finally:
            beside.wait()  # Ctrl-C reaches it too: it ends its servers by itself
        output.seek(0)
        print(output.read().decode(errors="replace"), flush=True)  # noqa: T201
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())

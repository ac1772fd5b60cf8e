"""All tests, as `make test` runs them: in two lots side by side, each with servers of its own.

Both mostly wait for servers, so that together they take little more time than the longer one. What the integration
tests say is shown as it comes, what the others say when those have ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHOWN = ("conformance", "integration")
BESIDE = ("unit", "property", "fault")


def lot(folders: tuple[str, ...]) -> list[str]:
    """The command that runs these folders' tests."""
    return [sys.executable, "-m", "pytest", *(str(HERE / folder) for folder in folders)]


def main() -> int:
    """Run both lots; 0 only when both passed."""
    forgotten = {path.parent.name for path in HERE.glob("*/test_*.py")} - {*SHOWN, *BESIDE}
    if forgotten:
        print(f"tests/lots.py does not run tests/{', tests/'.join(sorted(forgotten))}", file=sys.stderr)  # noqa: T201
        return 1
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(lot(BESIDE), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            statuses = [subprocess.run(lot(SHOWN)).returncode, beside.wait()]
        finally:
            beside.wait()  # Ctrl-C reaches it too: it ends its servers by itself
        output.seek(0)
        print(output.read().decode(errors="replace"), flush=True)  # noqa: T201
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())

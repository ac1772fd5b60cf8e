"""All tests, as `make test` runs them: those that need no servers beside those that do.

The first lot takes one CPU and no time of anyone's; the other mostly waits for servers. Its output is shown as it
comes, that of the first lot when the other has ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALONE = ("unit", "property")
WITH_SERVERS = ("conformance", "integration", "fault")


def lot(folders: tuple[str, ...]) -> list[str]:
    """The command that runs these folders' tests."""
    return [sys.executable, "-m", "pytest", *(str(HERE / folder) for folder in folders)]


def main() -> int:
    """Run both lots; 0 only when both passed."""
    forgotten = {path.parent.name for path in HERE.glob("*/test_*.py")} - {*ALONE, *WITH_SERVERS}
    if forgotten:
        print(f"tests/lots.py does not run tests/{', tests/'.join(sorted(forgotten))}", file=sys.stderr)  # noqa: T201
        return 1
    with tempfile.TemporaryFile() as output:
        beside = subprocess.Popen(lot(ALONE), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            with_servers = subprocess.run(lot(WITH_SERVERS)).returncode
            alone = beside.wait()
        finally:
            beside.kill()
            beside.wait()
        output.seek(0)
        print(output.read().decode(errors="replace"), flush=True)  # noqa: T201
    return int(bool(with_servers or alone))


if __name__ == "__main__":
    sys.exit(main())

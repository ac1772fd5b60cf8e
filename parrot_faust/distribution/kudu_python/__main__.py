"""`python -m parrot_faust.distribution.kudu_python`: build Kudu's Python client where needed, and install it here."""

from __future__ import annotations

import sys

from parrot_faust.distribution.fetch import default_cache
from parrot_faust.distribution.kudu_python import ensure_wheel, install
from parrot_faust.errors import DistributionError


def main() -> int:
    """Exit status 0 when `import kudu` works afterwards, 1 with one line of reason otherwise."""
    try:
        wheel = ensure_wheel(default_cache(), progress=lambda step: _say(f"{step} ..."))
        _say(f"{'installed' if install(wheel) else 'already installed:'} {wheel.name}")
    except DistributionError as error:
        _say(str(error))
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())

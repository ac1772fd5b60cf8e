"""What a worker's windows came to, counted by rule, and the last of them."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any

import msgspec

from models import WindowResult

KEPT = 20  # results for the web view: all are in their topic


class WindowStats:
    """Counts the results of one worker. Belongs to its event loop."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._recent: deque[WindowResult] = deque(maxlen=KEPT)

    def result(self, result: WindowResult) -> None:
        """Count a result that was sent."""
        counts = self._counts[result.table, result.rule, result.version]
        counts[0] += 1
        counts[1] += not result.success
        self._recent.append(result)

    def view(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "counts": [
                {"table": table, "rule": rule, "version": version, "judged": judged, "failed": failed}
                for (table, rule, version), (judged, failed) in sorted(self._counts.items())
            ],
            "recent": [msgspec.to_builtins(result) for result in self._recent],
        }

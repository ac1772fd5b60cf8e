"""The first and the last line that a worker says of itself."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from parrot_faust.logs.fields import named
from parrot_faust.settings import Settings

#: What of a source's counters the last line tells.
_COUNTED = ("captured", "forwarded", "quarantined", "dropped", "dead_lettered", "skipped", "tombstones")


@dataclass(slots=True)
class Ending:
    """Why a worker ends: the first reason that is given, for later ones come of it."""

    now: Callable[[], float] = time.monotonic
    why: str = ""
    failed: bool = False
    #: Whether the worker came so far that it could read, and whether its last offsets were committed.
    began: bool = False
    committed: bool = False
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.now()

    def because(self, why: str, *, failed: bool = False) -> None:
        if not self.why:
            self.why, self.failed = why, failed

    def tell(self, log: logging.Logger, app: str, view: Mapping[str, Any]) -> None:
        """Say why the worker has ended and what it has done, `view` being the snapshot of its counters."""
        fields: dict[str, Any] = {"app": app, "why": self.why or "it was told to", "seconds": self._seconds()}
        for name in _COUNTED:
            fields[name] = sum(counts.get(name, 0) for counts in view["sources"].values())
        for sink, state in view["sinks"].items():
            for name in ("applied", "dead_lettered"):
                fields[f"{sink}.{name}"] = sum(counts[name] for counts in state["tables"].values())
        fields["offsets"] = self._offsets()
        log.log(logging.ERROR if self.failed else logging.INFO, "the worker has ended", extra=named(**fields))

    def _seconds(self) -> float:
        return round(self.now() - self._since, 1)

    def _offsets(self) -> str:
        if not self.began:
            return "nothing was read"
        return "committed" if self.committed else "not committed: what they cover is read again"


def tell_beginning(
    log: logging.Logger, settings: Settings, version: str, *, sources: Sequence[str], rules: Mapping[str, int]
) -> None:
    """Say what a worker works on: `rules` is how many each table's file has."""
    web = settings.web
    log.info(
        "the worker starts",
        extra=named(
            version=version,
            app=settings.app,
            brokers=",".join(settings.brokers),
            topics=settings.source.topics,
            found=len(sources),
            sinks=",".join(name for name in ("kudu", "hbase") if getattr(settings.sinks, name) is not None),
            rules=",".join(f"{table}({count})" for table, count in rules.items()) or f"none in {settings.quality}",
            tracing=settings.tracing.endpoint or "off",
            web=f"http://{web.host}:{web.port}/" if web.enabled else "off",
        ),
    )

"""Sends trails to a collector from a thread of its own, for which the event loop never waits: what can't be sent is
counted and told.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from parrot_faust.errors import SettingsError
from parrot_faust.logs.fields import Run, named
from parrot_faust.settings import Tracing
from parrot_faust.tracing.trail import OFF, Traces, Trail

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from parrot_faust.tracing.spans import Spans

QUEUE = 2_000  # batches that wait to be sent: about a minute of a busy worker, a few megabytes
AT_ONCE = 200  # batches of one request
GATHER_S = 1.0  # how long a request waits for more of them
TIMEOUT_S = 5.0  # of a request with what the exporter tries again
SAY_S = 60.0  # how often losses are told
CLOSE_S, SHUT_S = 2.0, 0.5  # how long a stopping worker waits for what is on the way, and then for the thread
#: What installs the packages that traces take.
CURE = "pip install --require-hashes -r requirements/tracing.txt, or parrot-faust[tracing]"
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"


class Exporting:
    """Traces that go to a collector."""

    def __init__(
        self,
        spans: Spans,
        exporter: OTLPSpanExporter,
        log: logging.Logger,
        *,
        endpoint: str,
        share: float,
        chance: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spans, self._exporter, self._log = spans, exporter, log
        self._endpoint, self._share, self._chance, self._now = endpoint, share, chance, now
        self._queue: queue.Queue[Trail | None] = queue.Queue(QUEUE)
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        #: Batches that were handed over, that found the queue full, that the collector has, that it did not take. The
        #: event loop adds to the former two, the thread to the others.
        self.ended = self.crowded = self.sent = self.refused = 0
        self._said, self._said_at = 0, -SAY_S
        self._reason = ""

    def begin(self, agent: str, run: Run) -> Trail | None:
        if self._share < 1 and self._chance() >= self._share:
            return None
        return Trail(agent, run.topic, run.partition, run.first, run.last)

    def end(self, trail: Trail | None, error: str = "") -> None:
        if trail is None:
            return
        trail.end(error)
        self.ended += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait(trail)
        except queue.Full:
            self.crowded += 1

    def counts(self) -> dict[str, int]:
        waiting = self.ended - self.sent - self.refused - self.crowded
        return {"sent": self.sent, "refused": self.refused, "crowded": self.crowded, "waiting": max(0, waiting)}

    def close(self) -> None:
        """Send what waits, for a bounded time, and say what was lost. Blocks: not for the event loop."""
        self._closing.set()
        if self._thread is not None:
            with suppress(queue.Full):  # then it ends once it has seen the queue empty
                self._queue.put_nowait(None)
            self._thread.join(CLOSE_S)
            self._exporter.shutdown()  # type: ignore[no-untyped-call]  # ends the pauses between tries
            self._thread.join(SHUT_S)
        self._say(self.ended - self.sent - self._said)

    # -- in the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while trails := self._gathered():
            self._send(trails)
            if self._now() - self._said_at >= SAY_S:
                self._say(self.crowded + self.refused - self._said)

    def _gathered(self) -> list[Trail]:
        """The next trails; none at the end."""
        trails: list[Trail] = []
        until = float("inf")
        while len(trails) < AT_ONCE:
            wait = 0.0 if self._closing.is_set() else until - self._now()
            try:
                trail = self._queue.get(timeout=None if wait == float("inf") else max(0.0, wait))
            except queue.Empty:
                break
            if trail is None:
                break
            trails.append(trail)
            until = min(until, self._now() + GATHER_S)
        return trails

    def _send(self, trails: Sequence[Trail]) -> None:
        try:
            with _Why() as why:
                result = self._exporter.export([span for trail in trails for span in self._spans.of(trail)])
            done, reason = result.name == "SUCCESS", why.text
        except Exception as error:  # noqa: BLE001 - traces are no reason for anything to end; it is told with the count
            done, reason = False, repr(error)
        if done:
            self.sent += len(trails)
        else:
            self.refused += len(trails)
            self._reason = reason

    def _say(self, lost: int) -> None:
        if not lost:
            return
        self._said, self._said_at = self._said + lost, self._now()
        self._log.warning(
            "the traces of %d batches are lost: %s",
            lost,
            f"{self._endpoint} does not take them: {self._reason}"
            if self._reason
            else f"{self._endpoint} takes them too slowly",
            extra=named(lost=lost),
        )


class _Why(logging.Handler):
    """Catches what the exporter says of its failures, so that it is told with their count and not each by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._logger = logging.getLogger(EXPORTER)

    def emit(self, record: logging.LogRecord) -> None:
        self.text = self.text or record.getMessage()  # the first says what happened, later ones that it was given up

    def __enter__(self) -> _Why:
        self._logger.propagate = False
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = True


def traces_of(settings: Tracing, group: str, worker: str, log: logging.Logger) -> Traces:
    """What the settings ask for. Raise SettingsError when the packages it takes are not there."""
    if not settings.endpoint:
        return OFF
    url, exporter = _exporter_of(settings)
    from parrot_faust.tracing.spans import Spans

    return Exporting(Spans(group, worker), exporter, log, endpoint=url, share=settings.share)


def tried(settings: Tracing) -> tuple[str, str]:
    """The address that traces go to, and why it does not take them: nothing is sent but a request without any. Raise
    SettingsError when the packages it takes are not there.
    """
    url, exporter = _exporter_of(settings)
    with _Why() as why:
        result = exporter.export([])
    exporter.shutdown()  # type: ignore[no-untyped-call]
    return url, "" if result.name == "SUCCESS" else why.text


def _exporter_of(settings: Tracing) -> tuple[str, OTLPSpanExporter]:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise SettingsError(f"tracing.endpoint needs packages that are not installed ({error}): {CURE}") from None
    address = urlsplit(settings.endpoint)
    url = address._replace(path="/v1/traces").geturl() if address.path in ("", "/") else settings.endpoint
    return url, OTLPSpanExporter(endpoint=url, timeout=TIMEOUT_S)

"""Lines that come again and again: so many a minute are written, the others are counted and told once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from parrot_faust.logs.fields import ATTRIBUTE, fields_of

WINDOW_S = 60.0
MAX_KEYS = 5_000  # kinds of lines counted apart; beyond it those of one template are counted together
_APART = ("topic", "table", "sink", "agent")  # what tells lines of one template apart


@dataclass(slots=True)
class _Window:
    began: float
    written: int = 0
    left_out: int = 0
    last: logging.LogRecord | None = None


class Repeats(logging.Handler):
    """Hands lines on to another handler, of one template and one table or sink at most `limit` a minute.

    The rest is counted, and `tell` writes the count with the newest of them. What stops a worker is always written.
    """

    def __init__(self, target: logging.Handler, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.target, self._limit, self._now = target, limit, now
        self._windows: dict[tuple[object, ...], _Window] = {}

    def emit(self, record: logging.LogRecord) -> None:
        if not self._limit or record.levelno >= logging.CRITICAL:
            self.target.handle(record)
            return
        now, key = self._now(), self._key(record)
        window = self._windows.get(key)
        if window is None or now - window.began >= WINDOW_S:
            if window is not None:
                self._tell(window, now)
            window = self._windows[key] = _Window(now)
        if window.written < self._limit:
            window.written += 1
            self.target.handle(record)
        else:
            window.left_out += 1
            window.last = _bare(record)

    def tell(self, *, everything: bool = False) -> None:
        """Write the counts of the minutes that are over, or of all."""
        self.acquire()
        try:
            now = self._now()
            over = [key for key, window in self._windows.items() if everything or now - window.began >= WINDOW_S]
            for key in over:
                self._tell(self._windows.pop(key), now)
        finally:
            self.release()

    def flush(self) -> None:
        self.target.flush()

    def close(self) -> None:
        self.tell(everything=True)
        self.target.close()
        super().close()

    def _key(self, record: logging.LogRecord) -> tuple[object, ...]:
        template = str(record.msg)
        if template.strip() == "%s":
            template = record.getMessage()
        fields = fields_of(record)
        key = (record.name, record.levelno, template, *(fields.get(name) for name in _APART))
        if key in self._windows or len(self._windows) < MAX_KEYS:
            return key
        return (record.name, record.levelno, str(record.msg))

    def _tell(self, window: _Window, now: float) -> None:
        if window.last is None:
            return
        told, seconds = window.last, max(1.0, now - window.began)
        told.msg, last = "%d more like this one within %.0f s, the last of them: %s", told.msg
        told.args = (window.left_out, seconds, last)
        told.created = time.time()
        setattr(told, ATTRIBUTE, {**fields_of(told), "repeats": window.left_out})
        self.target.handle(told)


def _bare(record: logging.LogRecord) -> logging.LogRecord:
    """What is told of a line later, without its values: these may be whole batches, and would be kept for a minute."""
    text = record.getMessage()
    kept = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, text, None, None)
    setattr(kept, ATTRIBUTE, fields_of(record))
    return kept


def tell_repeats(*, everything: bool = False) -> None:
    """Write what the handlers of this process have counted."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Repeats):
            handler.tell(everything=everything)

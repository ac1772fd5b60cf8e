"""Puts a worker's log in order once Faust has set it up."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from parrot_faust.logs.lines import OWN, JsonLines, TextLines, hider
from parrot_faust.logs.repeats import Repeats


class _Early(logging.Handler):
    """Keeps lines until it is known how they are to be written."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def hand_on(self, handlers: Iterable[logging.Handler]) -> None:
        records, self.records = self.records, []
        for handler in handlers:
            for record in records:
                handler.handle(record)


_early = _Early()


@contextmanager
def kept_early() -> Iterator[None]:
    """Keep what is said meanwhile for `configure`; it comes out at the program's end if there is no such call."""
    own = logging.getLogger(OWN)
    own.addHandler(_early)
    atexit.register(_early.hand_on, [logging.StreamHandler()])
    try:
        yield
    finally:
        own.removeHandler(_early)


def configure(root: logging.Logger, *, form: str, level: str, repeats: int, secrets: Iterable[str]) -> None:
    """Give every handler of `root` the lines of `form` and a limit of repeats.

    `level` is that of our own lines; what `-l` of Faust's command says is that of all others.
    """
    hide = hider(secrets)
    for place, handler in enumerate(root.handlers):
        if isinstance(handler, Repeats):
            continue
        handler.setLevel(logging.NOTSET)  # the loggers decide
        handler.setFormatter(JsonLines(hide) if form == "json" else TextLines(hide, color=_colorful(handler)))
        root.handlers[place] = Repeats(handler, repeats)
    own = logging.getLogger(OWN)
    own.setLevel(level.upper())
    _early.records = [record for record in _early.records if own.isEnabledFor(record.levelno)]
    _early.hand_on(root.handlers)


def _colorful(handler: logging.Handler) -> bool:
    stream = getattr(handler, "stream", None)
    return not os.environ.get("NO_COLOR") and stream is not None and stream.isatty()

"""How a line is written: for people, the message and its fields as `key=value`; for programs, one JSON object."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from parrot_faust.logs.fields import fields_of
from parrot_faust.secret import HIDDEN

#: Values shorter than this are also words that lines have for other reasons, and hiding them would tell what they are.
SHORTEST_HIDDEN = 8
OWN = "parrot"  # the logger whose name goes without saying
_PLAIN = re.compile(r'[^\s"=]+')
_COLORS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m", logging.CRITICAL: "\033[1;31m"}
_END = "\033[0m"

Hide = Callable[[str], str]


def hider(secrets: Iterable[str]) -> Hide:
    """What puts `***` in the place of every secret in a text, should a message of whatever origin hold one."""
    found = sorted({secret for secret in secrets if len(secret) >= SHORTEST_HIDDEN}, key=len, reverse=True)
    if not found:
        return lambda text: text
    pattern = re.compile("|".join(re.escape(secret) for secret in found))
    return lambda text: pattern.sub(HIDDEN, text)


class _Lines(logging.Formatter):
    def __init__(self, hide: Hide) -> None:
        super().__init__()
        self._hide = hide

    def _text(self, text: str) -> str:
        """A text without secrets and without what no file takes, which is half a surrogate pair."""
        return self._hide(text).encode("utf-8", "backslashreplace").decode("utf-8")

    def _trace(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        return self._text("\n".join([*parts, *([record.stack_info] if record.stack_info else [])]))


class TextLines(_Lines):
    """`time LEVEL message key=value …`. A line stays one, whatever a value holds; the trace of an error is indented
    below it.
    """

    def __init__(self, hide: Hide, *, color: bool = False) -> None:
        super().__init__(hide)
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname:<8}"
        if self._color and record.levelno in _COLORS:
            level = f"{_COLORS[record.levelno]}{level}{_END}"
        fields = dict(fields_of(record))
        if record.name != OWN:
            fields["logger"] = record.name
        shown = (f"{name}={_quoted(self._text(str(value)))}" for name, value in fields.items())
        line = " ".join([_time(record), level, _one_line(self._text(record.getMessage())), *shown])
        trace = self._trace(record)
        return "\n    ".join([line, *trace.splitlines()])


class JsonLines(_Lines):
    """One JSON object: time, level, logger, message, the fields, and the trace of an error as `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._text(record.getMessage()),
        }
        for name, value in fields_of(record).items():
            line.setdefault(name, value if isinstance(value, (bool, int, float)) else self._text(str(value)))
        if trace := self._trace(record):
            line["exception"] = trace
        return json.dumps(line, ensure_ascii=False)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    """A text whose line ends and other control characters are written as escapes."""
    if text.isprintable():
        return text
    return "".join(each if not _breaks(each) else each.encode("unicode_escape").decode() for each in text)


def _breaks(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.isprintable() else _one_line(json.dumps(text, ensure_ascii=False))

"""What Kudu's errors mean for the rows they came with. Pure."""

from __future__ import annotations

import ast
import re
from enum import Enum

#: How the text of a status begins -> whether the same operation can ever succeed. What is not named here may.
TERMINAL = ("Not found", "Invalid argument", "Already present", "Corruption", "Not supported")

_SHOWN = re.compile(r"^KuduError\('(?P<text>.*)'\)$", re.DOTALL)


class Outcome(Enum):
    """What to do about an error."""

    AGAIN = "again"  # the store was not there, or not in time
    NEVER = "never"  # the store refused what it was given


def outcome(text: str) -> Outcome:
    """The meaning of a status text."""
    return Outcome.NEVER if text.startswith(TERMINAL) else Outcome.AGAIN


def status_text(error: object) -> str:
    """The status text of one of kudu-python's row errors, which it only tells as the repr of bytes within its own."""
    shown = repr(error)
    match = _SHOWN.match(shown)
    if match is None:
        return shown
    text = match["text"]
    try:
        content = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text
    return content.decode(errors="replace") if isinstance(content, bytes) else text


def message(error: BaseException) -> str:
    """The text of one of kudu-python's exceptions, which is often bytes."""
    first = error.args[0] if error.args else type(error).__name__
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)

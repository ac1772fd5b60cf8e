"""Reading a rule file from disk, with its own limit of size."""

from __future__ import annotations

from pathlib import Path

from parrot_faust.errors import RuleError

LARGEST = 4 << 20  # bytes that are read of a file: a rule file may have less, and is refused by its own limit


def text_of(file: Path) -> str:
    """A file's text. Raise RuleError for what can't be read, is too large or is no text."""
    try:
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise RuleError(f"has more than {LARGEST >> 20} MB", file=str(file))
        return data.decode("utf-8")
    except OSError as error:
        raise RuleError(f"can't be read ({error.strerror})", file=str(file)) from None
    except UnicodeDecodeError as error:
        raise RuleError(f"is not UTF-8 at byte {error.start}", file=str(file)) from None

"""What is wrong with a rule file: where, what was meant, and all of it at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ruamel.yaml.comments import CommentedSeq

from parrot_faust.errors import RuleError

MOST = 100  # more errors than anyone reads


class Complaints:
    """Gathers the errors of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[RuleError] = []

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Note an error raised within, and go on behind it."""
        try:
            yield
        except RuleError as error:
            self.note(error)

    def note(self, error: RuleError) -> None:
        """Note an error that nobody raised."""
        if len(self._found) < MOST:
            self._found.append(error)

    def raise_all(self) -> None:
        """Raise the first error by place, with the others; nothing when there is none."""
        if not self._found:
            return
        first, *others = sorted(self._found, key=lambda error: (error.line, error.column))
        raise RuleError(
            first.message, file=first.file, line=first.line, column=first.column, also=tuple(others)
        ) from None

    def at(self, message: str, tree: Any, key: Any) -> RuleError:
        """The error at a key of a mapping or an index of a list, with its place where the tree knows it."""
        try:
            line, column = tree.lc.item(key) if isinstance(tree, CommentedSeq) else tree.lc.key(key)
        except (AttributeError, KeyError, TypeError, IndexError):
            return RuleError(message, file=self.file)
        return RuleError(message, file=self.file, line=line + 1, column=column + 1)

    def unknown(self, name: str, known: Iterable[str], tree: Any, key: Any) -> RuleError:
        """The error for a name that is none of those known."""
        return self.at(f"{name} is not known here; {near(name, known)}", tree, key)


def spot(tree: Any, key: Any, name: str) -> tuple[Any, Any]:
    """Where `name` is written: in the check's arguments, in a suite's, or beside the check; else where that is."""
    if isinstance(tree, dict):
        for holder in (tree.get(key), tree.get("kwargs"), tree):
            if isinstance(holder, dict) and name in holder:
                return holder, name
    if isinstance(tree, list) and isinstance(tree[key], dict) and name in tree[key]:
        return tree[key], name
    return tree, key


def near(name: str, known: Iterable[str]) -> str:
    """What was meant, or else what there is."""
    known = list(known)
    found = difflib.get_close_matches(name, known, 1)
    return f"did you mean {found[0]}?" if found else f"there is {', '.join(sorted(known)) or 'none'}"


def cut(value: Any) -> str:
    """A value as it is shown in an error."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."

"""Regular expressions that can't stall a worker, with the verdicts of Python's `re.search`.

Python's engine backtracks: one pattern such as ``^(a+)+$`` and one row can hold a worker for years. RE2 never does, but
reads some signs otherwise (``\\d`` is ASCII, ``$`` is the very end). So a pattern is parsed as Python parses it and
written anew for RE2 from the tree, with Python's own classes spelt out as ranges. What no automaton can do (references
to groups, looking around) runs on an engine that backtracks and has a budget: a row on which it is used up fails with
the reason "time limit", and the budget of the next rows shrinks until one is within it, so that many bad rows cost
little.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]  # in the standard library, and without types
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import re2
import regex

MAX_LENGTH = 1_000  # characters; also bounds how deep groups nest
MAX_REPEAT = 1_000  # RE2's own limit
MAX_PROGRAM = 200_000  # instructions: `\w{2,100}` has 130,000 of them; beyond, even linear time is long
MANY = 20  # repetitions that are as bad as any number of them
MEMORY = 64 << 20  # a bound per pattern, taken only as needed; with less, RE2 falls back to a slow engine sooner
BUDGET_S = 0.005  # for one text; what is usual takes a thousandth of it
LEAST_S = 0.0002  # what is left of it after several texts in a row have used it up
_ANCHOR = re2._re2.RE2.Anchor.UNANCHORED
_NOTHING = [(-1, -1)]
_CATEGORIES = {
    sre.CATEGORY_DIGIT: (r"\d", False),
    sre.CATEGORY_NOT_DIGIT: (r"\d", True),
    sre.CATEGORY_SPACE: (r"\s", False),
    sre.CATEGORY_NOT_SPACE: (r"\s", True),
    sre.CATEGORY_WORD: (r"\w", False),
    sre.CATEGORY_NOT_WORD: (r"\w", True),
}
_REFUSED = {
    sre.GROUPREF: "a reference to a group",
    sre.GROUPREF_EXISTS: "a choice by a group",
    sre.ASSERT: "looking ahead or behind",
    sre.ASSERT_NOT: "looking ahead or behind",
    sre.FAILURE: "looking ahead or behind",
    sre.ATOMIC_GROUP: "an atomic group",
    sre.POSSESSIVE_REPEAT: "a possessive repetition",
}


class NotLinear(ValueError):
    """A pattern has no form that RE2 could run."""


class TimeLimit(Exception):
    """A pattern has used up its budget on a text."""

    def __str__(self) -> str:
        return "time limit"


@lru_cache(maxsize=256)
def searcher(pattern: str) -> Callable[[str], bool]:
    """Return the function that says whether the pattern is found in a text; it may raise TimeLimit.

    Raise ValueError with the reason for what is no pattern, or can't be used.
    """
    if not isinstance(pattern, str):
        raise ValueError("a regular expression is a text")
    try:
        return _linear(pattern)
    except NotLinear:
        return Bounded(pattern)


def _linear(pattern: str) -> Callable[[str], bool]:
    options = re2.Options()
    options.log_errors, options.never_capture, options.max_mem = False, True, MEMORY
    try:
        compiled = re2.compile(translated(pattern).encode(), options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"the regular expression {_shown(pattern)} can't be used: {reason}") from None
    if compiled.programsize > MAX_PROGRAM:
        raise ValueError(f"the regular expression {_shown(pattern)} is too large: repeat less of it")
    # The package's own `search` counts characters for positions that nobody here needs, which costs ten times as much.
    match = compiled._regexp.Match

    def found(text: str) -> bool:
        data = text.encode()
        matched: bool = match(_ANCHOR, data, 0, len(data)) != _NOTHING
        return matched

    return found


class Bounded:
    """A pattern on the engine that backtracks, with a budget of the processor's time for each text."""

    def __init__(self, pattern: str) -> None:
        try:
            self._search = regex.compile(pattern, flags=regex.VERSION0).search
        except (regex.error, RecursionError) as error:
            raise ValueError(f"the regular expression {_shown(pattern)} can't be used: {error}") from None
        self._budget = BUDGET_S

    def __call__(self, text: str) -> bool:
        try:
            found = self._search(text, timeout=self._budget) is not None
        except TimeoutError:
            self._budget = max(self._budget / 2, LEAST_S)
            raise TimeLimit from None
        self._budget = BUDGET_S
        return found


def explodes(pattern: str) -> str:
    """Why a pattern may take time that grows exponentially on an engine that backtracks; empty when it is not known to.

    Raise ValueError for what is no pattern.
    """
    return _explosion(_parsed(pattern), within=False)


def _explosion(items: Iterable[tuple[Any, Any]], *, within: bool) -> str:
    """`within` says that these are repeated without bound."""
    parts = list(items)
    for place, (kind, value) in enumerate(parts):
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            _, high, inner = value
            endless = high is sre.MAXREPEAT or high > MANY
            others = [part for part in parts if part is not parts[place]]
            if endless and within and all(_may_be_empty(part) for part in others):
                return "a repetition is repeated, so that a text may be cut into parts in very many ways"
            if found := _explosion(inner, within=endless):
                return found
        elif kind is sre.SUBPATTERN:
            if found := _explosion(value[3], within=within and len(parts) == 1):
                return found
        elif kind is sre.BRANCH:
            if within and (_alike(value[1]) or (place and _begins(value[1], parts[place - 1]))):
                return "alternatives that begin alike are repeated"
            for branch in value[1]:
                if found := _explosion(branch, within=within and len(parts) == 1):
                    return found
        elif kind in (sre.ASSERT, sre.ASSERT_NOT) and (found := _explosion(value[1], within=False)):
            return found
    return ""


def _may_be_empty(part: tuple[Any, Any]) -> bool:
    kind, value = part
    return kind in (sre.MAX_REPEAT, sre.MIN_REPEAT) and value[0] == 0


def _begins(branches: Iterable[Any], part: tuple[Any, Any]) -> bool:
    """Whether of alternatives one is nothing and another begins with what stands before, as in ``(a|aa)``."""
    firsts = [str(list(branch)[:1]) for branch in branches]
    return "[]" in firsts and str([part]) in firsts


def _alike(branches: Iterable[Any]) -> bool:
    first = [str(list(branch)[:1]) for branch in branches]
    return len(set(first)) < len(first)


def translated(pattern: str) -> str:
    """Return the pattern that means to RE2 what `pattern` means to Python.

    Raise NotLinear for what RE2 can't do, ValueError for what is no pattern.
    """
    tree = _parsed(pattern)
    flags = tree.state.flags
    text = _Writer(pattern).sequence(tree, flags, last=True)
    return f"(?i:{text})" if flags & re.IGNORECASE else text


def _parsed(pattern: str) -> Any:
    if len(pattern) > MAX_LENGTH:
        raise ValueError(f"a regular expression has at most {MAX_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that Python's classes may nest one day does not matter here
            return parser.parse(pattern)
    except RecursionError:
        raise ValueError("the regular expression is nested too deeply") from None
    except (re.error, OverflowError) as error:
        raise ValueError(f"{_shown(pattern)} is no regular expression: {error}") from None


class _Writer:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int, *, last: bool) -> str:
        """`last` says that nothing of the pattern stands after these."""
        parts = list(items)
        return "".join(self._item(*part, flags, last and part is parts[-1]) for part in parts)

    def _item(self, kind: Any, value: Any, flags: int, last: bool) -> str:
        if kind in _REFUSED:
            raise self._refused(f"{_REFUSED[kind]} has no linear-time form")
        if kind is sre.LITERAL:
            return _literal(value)
        if kind is sre.NOT_LITERAL:
            return f"[^{_literal(value)}]"
        if kind is sre.ANY:
            return "(?s:.)" if flags & re.DOTALL else r"[^\n]"
        if kind is sre.IN:
            return self._members(value, flags)
        if kind is sre.AT:
            return self._place(value, flags, last)
        if kind is sre.BRANCH:
            return f"(?:{'|'.join(self.sequence(branch, flags, last=last) for branch in value[1])})"
        if kind is sre.SUBPATTERN:
            _, added, removed, inner = value
            return self._group(inner, flags, added, removed, last)
        low, high, inner = value  # greedy or not is the same to who asks only whether there is a match
        if max(low, high if high is not sre.MAXREPEAT else 0) > MAX_REPEAT:
            raise self._refused(f"at most {MAX_REPEAT} repetitions can be counted")
        count = f"{{{low},{'' if high is sre.MAXREPEAT else high}}}"
        return f"(?:{self.sequence(inner, flags, last=False)}){count}"

    def _group(self, inner: Any, flags: int, added: int, removed: int, last: bool) -> str:
        if added & (re.ASCII | re.UNICODE):
            flags &= ~(re.ASCII | re.UNICODE)
        flags = (flags | added) & ~removed
        case = "i" if added & re.IGNORECASE else "-i" if removed & re.IGNORECASE else ""
        return f"(?{case}:{self.sequence(inner, flags, last=last)})"

    def _place(self, value: Any, flags: int, last: bool) -> str:
        if value is sre.AT_BEGINNING and flags & re.MULTILINE:
            return "(?m:^)"
        if value in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return r"\A"
        if value is sre.AT_END_STRING:
            return r"\z"
        if value is sre.AT_END:
            if flags & re.MULTILINE:
                return "(?m:$)"
            if not last:
                raise self._refused("something stands after `$`")
            return r"(?:\n?\z)"  # Python's `$` also holds before a line's end that ends the text
        if not flags & re.ASCII:
            raise self._refused(r"\b knows the boundaries of ASCII words only: begin with (?a) if that is meant")
        return r"\b" if value is sre.AT_BOUNDARY else r"\B"

    def _members(self, items: list[tuple[Any, Any]], flags: int) -> str:
        negated = "^" if items[0][0] is sre.NEGATE else ""
        text = ""
        for kind, value in items[1 if negated else 0 :]:
            if kind is sre.LITERAL:
                text += _literal(value)
            elif kind is sre.RANGE:
                text += f"{_literal(value[0])}-{_literal(value[1])}"
            else:
                text += _ranges(*_CATEGORIES[value], bool(flags & re.ASCII))
        return f"[{negated}{text}]"

    def _refused(self, reason: str) -> NotLinear:
        return NotLinear(f"the regular expression {_shown(self._pattern)}: {reason}")


@lru_cache(maxsize=16)
def _ranges(category: str, negated: bool, ascii_only: bool) -> str:
    """The members of a class as Python has them, found by asking Python about every character."""
    every = "".join(map(chr, range(0x110000)))
    runs = re.finditer(f"{category.upper() if negated else category}+", every, re.ASCII if ascii_only else 0)
    return "".join(f"{_literal(run.start())}-{_literal(run.end() - 1)}" for run in runs)


def _literal(code: int) -> str:
    character = chr(code)
    return character if character.isascii() and character.isalnum() else f"\\x{{{code:x}}}"


def _shown(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= 80 else repr(pattern[:77] + "...")

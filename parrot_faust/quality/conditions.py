"""`row_condition`: parsed to a tree and made into a closure; nothing of it is ever run as code.

::

    condition  := term (("and" | "or") term)*          and binds tighter than or
    term       := "(" condition ")" | "not" term | column comparison
    comparison := ("==" | "!=" | "<" | "<=" | ">" | ">=") value | ["not"] "in" "(" value ("," value)* ")"
                | "is" ["not"] "null"

Comparisons with a null are false, but for ``!=`` and ``not in``, which keep rows with null, as Great Expectations does.
What stands for a date, time or timestamp is text; decimals are compared as they are written.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from models import Kind
from parrot_faust.quality.values import comparable, is_null

Row = tuple[Any, ...]
Test = Callable[[Row], bool]

MAX_LENGTH = 2_000
MAX_DEPTH = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<op>==|!=|<=|>=|<|>|\(|\)|,)|(?P<word>[A-Za-z_]\w*))"
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class ConditionError(ValueError):
    """The text is no condition; says where and what was expected."""


def columns_of(text: str) -> set[str]:
    """The columns a condition names."""
    return _Parser(text, None).columns()


def compile_condition(text: str, columns: Mapping[str, tuple[int, Kind]]) -> Test:
    """Return the function that says whether a row meets the condition, given where columns are and their kinds.

    Raise ConditionError, also for a value that such a column can't be compared with.
    """
    return _Parser(text, columns).parse()


class _Parser:
    def __init__(self, text: str, columns: Mapping[str, tuple[int, Kind]] | None) -> None:
        if len(text) > MAX_LENGTH:
            raise ConditionError(f"a condition has at most {MAX_LENGTH} characters")
        self._tokens: list[tuple[str, str]] = []
        self._columns = columns
        self._used: set[str] = set()
        self._at = self._depth = 0
        start = 0
        text = text.rstrip()
        while start < len(text):
            match = _TOKEN.match(text, start)
            if match is None:
                raise ConditionError(f"{text[start:].strip()[:20]!r} can't be read here")
            self._tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            start = match.end()

    def columns(self) -> set[str]:
        self.parse()
        return self._used

    def parse(self) -> Test:
        test = self._either()
        if self._at < len(self._tokens):
            raise ConditionError(f"{self._tokens[self._at][1]!r} is one too many")
        return test

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise ConditionError(f"it ends where {expected or 'more'} was expected")
        kind, token = self._tokens[self._at]
        if expected and token.lower() != expected:
            raise ConditionError(f"{token!r} stands where {expected!r} was expected")
        self._at += 1
        return kind, token

    def _either(self) -> Test:
        tests = [self._both()]
        while self._peek().lower() == "or":
            self._take()
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._term()]
        while self._peek().lower() == "and":
            self._take()
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _term(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError("it is nested too deeply")
        try:
            if self._peek() == "(":
                self._take()
                inner = self._either()
                self._take(")")
                return inner
            if self._peek().lower() == "not":
                self._take()
                negated = self._term()
                return lambda row: not negated(row)
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Test:
        kind, name = self._take()
        if kind != "word":
            raise ConditionError(f"{name!r} stands where a column was expected")
        self._used.add(name)
        position, comparer = 0, _as_written  # without a table only the form is looked at
        if self._columns is not None:
            position, kind_of_column = self._columns[name]
            comparer = partial(_comparable, name=name, kind=kind_of_column)
        kind, word = self._take()
        word = word.lower()
        if word in _COMPARE:
            return _compared(position, word, comparer(self._value()))
        if word == "is":
            wanted = self._peek().lower() != "not"
            if not wanted:
                self._take()
            self._take("null")
            return lambda row: is_null(row[position]) is wanted
        negative = word == "not"
        if negative:
            _, word = self._take("in")
        if word.lower() != "in":
            raise ConditionError(f"{word!r} stands where a comparison was expected")
        self._take("(")
        members = [self._value()]
        while self._peek() == ",":
            self._take()
            members.append(self._value())
        self._take(")")
        members = [comparer(member) for member in members]
        return lambda row: (not is_null(row[position]) and row[position] in members) is not negative

    def _value(self) -> Any:
        kind, token = self._take()
        if kind == "number":
            return float(token) if "." in token else int(token)
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", token[1:-1])
        if token.lower() in ("true", "false"):
            return token.lower() == "true"
        raise ConditionError(f"{token!r} stands where a value was expected")


def _compared(position: int, sign: str, value: Any) -> Test:
    compare = _COMPARE[sign]
    if sign == "!=":
        return lambda row: is_null(row[position]) or bool(row[position] != value)
    return lambda row: not is_null(row[position]) and bool(compare(row[position], value))


def _as_written(value: Any) -> Any:
    return value


def _comparable(value: Any, name: str, kind: Kind) -> Any:
    try:
        return comparable(value, kind)
    except ValueError as error:
        raise ConditionError(f"{name}: {error}") from None

"""Conditions: parsed to a tree and made into a closure; nothing of them is ever run as code.

::

    condition  := term (("and" | "or") term)*          and binds tighter than or
    term       := "(" condition ")" | "not" term | column comparison
    comparison := ("==" | "!=" | "<" | "<=" | ">" | ">=") (value | column)
                | ["not"] "in" "(" value ("," value)* ")"
                | "is" ["not"] "null"
    column     := ["before." | "after."] (name | "`any name`") | col("any name")

Comparisons with a null are false, but for ``!=`` and ``not in``, which keep rows with null, as Great Expectations does.
What stands for a date, time or timestamp is text; decimals are compared as they are written.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models import Kind
from parrot_faust.quality.values import MOMENTS, comparable, is_null

Row = tuple[Any, ...]
Test = Callable[[Row], bool]
#: Where each column is in a row, and its kind; no kind means that it may hold any value.
Places = Mapping[str, tuple[int, Kind | None]]

MAX_LENGTH = 20_000
MAX_DEPTH = 50
IMAGES = ("before", "after")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<op>==|!=|<=|>=|<|>|\(|\)|,)"
    r"|(?P<quoted>(?:(?:before|after)\.)?`[^`]+`)|(?P<word>[^\W\d]\w*(?:\.[^\W\d]\w*)?))",
    re.DOTALL,
)
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = {"and", "or", "not", "in", "is", "null", "true", "false"}


class ConditionError(ValueError):
    """The text is no condition; says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Named:
    """A column, of the row before or after where that is said."""

    name: str
    image: str = ""

    @property
    def place(self) -> str:
        """The name to look it up by."""
        return f"{self.image}.{self.name}" if self.image else self.name


@dataclass(frozen=True, slots=True)
class Comparison:
    column: Named
    sign: str
    value: Any  # a Named is another column


@dataclass(frozen=True, slots=True)
class Membership:
    column: Named
    members: tuple[Any, ...]
    negative: bool


@dataclass(frozen=True, slots=True)
class Nullity:
    column: Named
    wanted: bool


@dataclass(frozen=True, slots=True)
class Negation:
    inner: Node


@dataclass(frozen=True, slots=True)
class Junction:
    """All of its parts, or any."""

    every: bool
    parts: tuple[Node, ...]


Node = Comparison | Membership | Nullity | Negation | Junction


def parse(text: str) -> Node:
    """Return the tree of a condition. Raise ConditionError."""
    return _Parser(text).parse()


def columns_of(text: str) -> set[str]:
    """The columns a condition names."""
    return {column.name for column in _named(parse(text))}


def images_of(text: str) -> set[str]:
    """Which of before and after a condition names expressly."""
    return {column.image for column in _named(parse(text)) if column.image}


def _named(node: Node) -> Iterator[Named]:
    if isinstance(node, Junction):
        for part in node.parts:
            yield from _named(part)
    elif isinstance(node, Negation):
        yield from _named(node.inner)
    else:
        yield node.column
        if isinstance(node, Comparison) and isinstance(node.value, Named):
            yield node.value


def compile_condition(text: str, places: Places) -> Test:
    """Return the function that says whether a row meets the condition.

    Raise ConditionError, also for a value that such a column can't be compared with.
    """
    return _made(parse(text), places)


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ConditionError(f"a condition has at most {MAX_LENGTH} characters")
        self._tokens: list[tuple[str, str]] = []
        self._at = self._depth = 0
        start = 0
        text = text.rstrip()
        while start < len(text):
            match = _TOKEN.match(text, start)
            if match is None:
                raise ConditionError(f"{text[start:].strip()[:20]!r} can't be read here")
            self._tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            start = match.end()

    def parse(self) -> Node:
        node = self._either()
        if self._at < len(self._tokens):
            raise ConditionError(f"{self._tokens[self._at][1]!r} is one too many")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at][1].lower() if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise ConditionError(f"it ends where {expected or 'more'} was expected")
        kind, token = self._tokens[self._at]
        if expected and token.lower() != expected:
            raise ConditionError(f"{token!r} stands where {expected!r} was expected")
        self._at += 1
        return kind, token

    def _either(self) -> Node:
        return self._joined("or", self._both)

    def _both(self) -> Node:
        return self._joined("and", self._term)

    def _joined(self, word: str, part: Callable[[], Node]) -> Node:
        parts = [part()]
        while self._peek() == word:
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Junction(word == "and", tuple(parts))

    def _term(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError("it is nested too deeply")
        try:
            if self._peek() == "(":
                self._take()
                inner = self._either()
                self._take(")")
                return inner
            if self._peek() == "not":
                self._take()
                return Negation(self._term())
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Node:
        column = self._column()
        _, word = self._take()
        word = word.lower()
        if word in _COMPARE:
            return Comparison(column, word, self._value(columns=True))
        if word == "is":
            wanted = self._peek() != "not"
            if not wanted:
                self._take()
            self._take("null")
            return Nullity(column, wanted)
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
        return Membership(column, tuple(members), negative)

    def _column(self) -> Named:
        kind, token = self._take()
        if kind not in ("word", "quoted") or token.lower() in _WORDS:
            raise ConditionError(f"{token!r} stands where a column was expected")
        return self._as_column(kind, token)

    def _as_column(self, kind: str, word: str) -> Named:
        image, dot, name = word.partition(".") if word.startswith(("before.", "after.")) else ("", "", word)
        if kind == "quoted":
            return Named(name[1:-1], image)
        if word == "col" and self._peek() == "(":
            self._take()
            inner, text = self._take()
            if inner != "text":
                raise ConditionError(f"{text!r} stands where the name of a column was expected")
            self._take(")")
            return Named(_unescaped(text))
        if "." in name:
            raise ConditionError(f"{word!r}: only before and after have columns; write `{word}` for such a name")
        return Named(name, image if dot else "")

    def _value(self, *, columns: bool = False) -> Any:
        kind, token = self._take()
        if kind == "number":
            return int(token) if token.lstrip("-").isdigit() else float(token)
        if kind == "text":
            return _unescaped(token)
        if token.lower() in ("true", "false"):
            return token.lower() == "true"
        if columns and kind in ("word", "quoted") and token.lower() not in _WORDS:
            return self._as_column(kind, token)
        raise ConditionError(f"{token!r} stands where a value was expected")


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _made(node: Node, places: Places) -> Test:
    if isinstance(node, Junction):
        tests = [_made(part, places) for part in node.parts]
        if node.every:
            return lambda row: all(test(row) for test in tests)
        return lambda row: any(test(row) for test in tests)
    if isinstance(node, Negation):
        inner = _made(node.inner, places)
        return lambda row: not inner(row)
    position, kind = places[node.column.place]
    if isinstance(node, Nullity):
        wanted = node.wanted
        return lambda row: is_null(row[position]) is wanted
    if isinstance(node, Membership):
        members = [_comparable(member, node.column.name, kind) for member in node.members]
        negative = node.negative
        return lambda row: (not is_null(row[position]) and row[position] in members) is not negative
    if isinstance(node.value, Named):
        return _between_columns(node, node.value, places)
    return _compared(position, node.sign, _comparable(node.value, node.column.name, kind))


def _compared(position: int, sign: str, value: Any) -> Test:
    compare = _COMPARE[sign]
    if sign == "!=":
        return lambda row: is_null(row[position]) or bool(row[position] != value)
    return lambda row: not is_null(row[position]) and bool(compare(row[position], value))


def _between_columns(node: Comparison, other: Named, places: Places) -> Test:
    (left, kind), (right, kind_of_other) = places[node.column.place], places[other.place]
    try:
        alike(kind, kind_of_other)
    except ValueError as error:
        raise ConditionError(f"{node.column.name}: {error}") from None
    compare, differs = _COMPARE[node.sign], node.sign == "!="

    def test(row: Row) -> bool:
        a, b = row[left], row[right]
        if is_null(a) or is_null(b):
            return differs and is_null(a) is not is_null(b)
        return bool(compare(a, b))

    return test


def alike(kind: Kind | None, other: Kind | None) -> None:
    """Raise ValueError unless values of the kinds can be compared."""
    apart = {Kind.STRING, Kind.BYTES} | MOMENTS
    if kind is not other and kind is not None and other is not None and apart & {kind, other}:
        raise ValueError(f"a {kind} can't be compared with a {other}")


def _comparable(value: Any, name: str, kind: Kind | None) -> Any:
    if kind is None:
        return value
    try:
        return comparable(value, kind)
    except ValueError as error:
        raise ConditionError(f"{name}: {error}") from None


# -- the tree that Great Expectations writes ------------------------------------------------------------------------


def text_of_tree(tree: Any) -> str:
    """Return the condition that a suite's tree of comparison, nullity, and, or means. Raise ConditionError."""
    kind = tree.get("type") if isinstance(tree, dict) else None
    if kind in ("and", "or"):
        parts = tree.get("conditions")
        if not isinstance(parts, list) or not parts:
            raise ConditionError(f"`{kind}` needs a list of conditions")
        return f" {kind} ".join(f"({text_of_tree(part)})" for part in parts)
    if kind not in ("comparison", "nullity"):
        raise ConditionError(f"a condition is a text, or a tree of comparison, nullity, and, or; not {kind!r}")
    column = tree.get("column")
    name = column.get("name") if isinstance(column, dict) else column
    if not isinstance(name, str) or not name or "`" in name:
        raise ConditionError(f"{name!r} is no name of a column")
    if kind == "nullity":
        return f"`{name}` is {'' if tree.get('is_null') else 'not '}null"
    sign, value = tree.get("operator"), tree.get("parameter")
    if sign in _COMPARE:
        return f"`{name}` {sign} {_written(value)}"
    if sign not in ("IN", "NOT_IN") or not isinstance(value, list):
        raise ConditionError(f"{sign!r} is no comparison, or not one with {value!r}")
    if not value:  # no value is among none, and every row is not
        return f"`{name}` is null {'and' if sign == 'IN' else 'or'} `{name}` is not null"
    return f"`{name}` {'' if sign == 'IN' else 'not '}in ({', '.join(map(_written, value))})"


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, int | float) and value == value and abs(value) != float("inf"):
        return repr(value)
    raise ConditionError(f"{value!r} can't be compared with")

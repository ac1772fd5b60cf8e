"""Python source generated for one Avro schema: reads a record straight into tuples in column order.

Only positions and numbers of the schema go into the source, never a name; what can't be said with those is handed in
as an object. The code checks what costs nothing and no more: a bad record ends in an exception or at the wrong place,
and the caller then reads it again with `exact`, which says what is wrong.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from models import Op
from parrot_faust.codec import values
from parrot_faust.codec.avro import exact, wide
from parrot_faust.codec.columns import How, converter_of, meaning_of, whole_digits
from parrot_faust.codec.event import OPS_BYTES, Origin
from parrot_faust.codec.shape import INTEGER_BITS, Base, Shape
from parrot_faust.codec.unset import Row

RowFunction = Callable[[bytes, int], tuple[Row, int]]
EnvelopeFunction = Callable[[bytes, int], tuple[Op, Row | None, Row | None, int, Origin, int]]

#: What reading a bad record may raise in generated code, besides DecodeError.
ERRORS = (IndexError, ValueError, KeyError, TypeError, AttributeError, OverflowError, ArithmeticError, struct.error)

_WIDE: dict[int, wide.Wide] = {8: wide.bounded(8), 16: wide.bounded(16), 32: wide.bounded(32), 64: wide.wide}
_SMALL = {
    How.AS_IS: "(n >> 1) ^ -(n & 1)",
    How.DAYS: "(n >> 1) ^ -(n & 1)",
    How.MICROS: "(n >> 1) ^ -(n & 1)",
    How.MILLIS: "((n >> 1) ^ -(n & 1)) * 1000",
    How.NANOS: "((n >> 1) ^ -(n & 1)) // 1000",
}
#: What is not between these is looked at closely; nearly no value is.
_USUAL = {
    How.DAYS: (values.FIRST_DAY, values.INFINITY_DAY, values.day),
    How.MICROS: (values.FIRST_US, values.INFINITY_US, values.micros),
}


class _Source:
    """Lines of a function, and the objects they use by name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        #: Declarations that must stand first.
        self.first: list[str] = []
        self._depth = 1
        self.names: dict[str, Any] = {
            "bools": (False, True),
            "decimal": Decimal,
            "digits": int.from_bytes,
            "double": struct.Struct("<d").unpack_from,
            "exact_context": values.EXACT,
            "length": wide.length,
            "millis": _millis,
            "ops": OPS_BYTES,
            "read": exact.read,
            "single": struct.Struct("<f").unpack_from,
            "wide": wide.wide,
        }

    def add(self, *lines: str) -> None:
        self._lines += ["    " * self._depth + line for line in lines]

    def give(self, value: Any) -> str:
        """A name for `value` in the generated code."""
        name = f"o{len(self.names)}"
        self.names[name] = value
        return name

    def present(self, shape: Shape, target: str | None) -> bool:
        """Open a block for the value that is not null; say whether one was opened."""
        if not shape.optional:
            return False
        null, other = (0, 2) if shape.null_tag == 0 else (2, 0)
        self.add("n = b[p]; p += 1", f"if n == {null}:", f"    {target} = None" if target else "    pass")
        self.add(f"elif n != {other}:", "    raise ValueError", "else:")
        self._depth += 1
        return True

    def open(self) -> None:
        self._depth += 1

    def close(self, opened: bool) -> None:
        self._depth -= opened

    def text(self, take: str) -> None:
        """Read a length and run `take` on the bytes from p to e."""
        self.add("n = b[p]; p += 1", "if n & 129:", "    n, p = length(b, p, n)", "e = p + (n >> 1)")
        self.add(*([take] if take else []), "p = e")

    def compiled(self, result: str) -> Any:
        source = (
            "def function(b, p):\n"
            + "\n".join([*(f"    {line}" for line in self.first), *self._lines, f"    return {result}"])
            + "\n"
        )
        exec(compile(source, "<generated Avro reader>", "exec"), self.names)  # noqa: S102 - made of positions alone
        return self.names["function"]


def row_function(shape: Shape) -> RowFunction:
    """A function from bytes and a position to the row of canonical values, and the position after it."""
    source = _Source()
    for place, (name, field) in enumerate(shape.fields):
        _column(source, field, name, f"v{place}")
    row = "".join(f"v{place}, " for place in range(len(shape.fields)))
    return source.compiled(f"({row}), p")  # type: ignore[no-any-return]


def envelope_function(envelope: Shape, row: RowFunction) -> EnvelopeFunction:
    """A function that reads a whole change event whose rows `row` reads."""
    source = _Source()
    source.names["row"] = row
    source.add("op = before = after = db = space = table = us = None; ms = 0")
    passed: list[Shape] = []
    for name, field in envelope.fields:
        block = name == "source" and field.base is Base.STRUCT
        if name not in ("before", "after", "op") and not block:
            passed.append(field)
            continue
        _skip(source, passed)
        opened = source.present(field, name if name in ("before", "after") else None)
        if name == "op":
            source.text("op = ops[b[p:e]]")
        elif block:
            _source_block(source, field)
        else:
            source.add(f"{name}, p = row(b, p)")
        source.close(opened)
    _skip(source, passed)
    source.add("if us is None:", "    us = millis(b, ms) if ms else 0")
    return source.compiled("op, before, after, us, (db, space, table), p")  # type: ignore[no-any-return]


def _millis(data: bytes, at: int) -> int:
    return values.micros_of_millis(exact.varint(data, at, "source.ts_ms")[0])


#: The parts of the source block that say where a change comes from, and their variables.
_PARTS = {"db": "db", "schema": "space", "table": "table"}
#: Texts that are the same in nearly every event of a topic.
_STEADY = frozenset({"version", "connector", "name", "snapshot", *_PARTS})


def _source_block(source: _Source, shape: Shape) -> None:
    passed: list[Shape] = []
    steady: list[tuple[str, Shape]] = []
    for name, field in shape.fields:
        if name in _STEADY and field.base is Base.STRING and not field.symbols:
            _skip(source, passed)
            steady.append((name, field))
            continue
        _steady(source, steady)
        if name == "ts_us" and field.base is Base.INT64:
            _skip(source, passed)
            opened = source.present(field, "us")
            source.add("n = b[p]; p += 1", "us, p = wide(b, p, n) if n > 127 else ((n >> 1) ^ -(n & 1), p)")
            source.close(opened)
        else:
            if name == "ts_ms" and field.base is Base.INT64 and not field.optional:
                _skip(source, passed)
                source.add("ms = p")  # read only when ts_us says nothing
            passed.append(field)
    _skip(source, passed)
    _steady(source, steady)


def _steady(source: _Source, fields: list[tuple[str, Shape]]) -> None:
    """Read texts in a row. Equal bytes mean equal texts, so those of the record before are remembered."""
    if not fields:
        return
    same, size, old = source.give(b"\x80"), source.give(0), source.give(())
    wanted = "".join(f"{_PARTS[name]}, " for name, _ in fields if name in _PARTS)
    source.first.append(f"global {same}, {size}, {old}")
    source.add(f"if b.startswith({same}, p):", f"    p += {size}")
    if wanted:
        source.add(f"    {wanted}= {old}")
    source.add("else:", "    s = p")
    source.open()
    for name, field in fields:
        opened = source.present(field, _PARTS.get(name))
        source.text(f"{_PARTS[name]} = b[p:e]" if name in _PARTS else "")
        source.close(opened)
    # Not of a record that ends within them.
    source.add("if p <= len(b):", f"    {same} = b[s:p]; {size} = p - s; {old} = ({wanted})")
    source.close(True)
    fields.clear()


def _skip(source: _Source, shapes: list[Shape]) -> None:
    """Go past fields that nobody wants; runs of numbers in one step."""
    pattern = b""
    for shape in shapes:
        if shape.base in INTEGER_BITS or shape.symbols:
            number = rb"[\x80-\xff]*+[\x00-\x7f]"
            null, other = (rb"\x00", rb"\x02") if shape.null_tag == 0 else (rb"\x02", rb"\x00")
            pattern += b"(?:" + null + b"|" + other + number + b")" if shape.optional else number
            continue
        pattern = _skip_numbers(source, pattern)
        opened = source.present(shape, None)
        if shape.base in (Base.STRING, Base.BYTES) and shape.size < 0:
            source.text("")
        else:
            source.add(f"_, p = read({source.give(_required(shape))}, b, p, '')")
        source.close(opened)
    _skip_numbers(source, pattern)
    shapes.clear()


def _skip_numbers(source: _Source, pattern: bytes) -> bytes:
    if pattern:
        source.add(f"p = {source.give(re.compile(pattern, re.DOTALL).match)}(b, p).end()")
    return b""


def _column(source: _Source, shape: Shape, name: str, target: str) -> None:
    how = meaning_of(name, shape).how
    opened = source.present(shape, target)
    if shape.base in INTEGER_BITS:
        source.add("n = b[p]; p += 1", "if n > 127:")
        source.add(f"    {target}, p = {source.give(_wide_of(shape.base, how))}(b, p, n)")
        if how in _USUAL:
            low, high, look = _USUAL[how]
            source.add(f"    if not {low} <= {target} <= {high}:", f"        {target} = {source.give(look)}({target})")
        source.add("else:", f"    {target} = {_SMALL[how]}")
    elif shape.base is Base.BOOLEAN:
        source.add(f"{target} = bools[b[p]]; p += 1")
    elif shape.base is Base.FLOAT:
        source.add(f"{target}, = single(b, p); p += 4")
    elif shape.base is Base.DOUBLE:
        source.add(f"{target}, = double(b, p); p += 8")
    elif shape.base is Base.STRING and shape.symbols:
        source.add("n = b[p]; p += 1", "if n & 129:", "    n, p = length(b, p, n)")
        source.add(f"{target} = {source.give(shape.symbols)}[n >> 1]")
    elif shape.base is Base.STRING and how is How.AS_IS:
        source.text(f"{target} = b[p:e].decode()")
    elif shape.base is Base.STRING:
        source.text(f"{target} = {source.give(converter_of(name, shape))}(b[p:e].decode())")
    elif shape.base is Base.BYTES:
        _bytes(source, shape, how, target)
    elif how is How.VARIABLE_DECIMAL and _usual(shape):
        _variable_decimal(source, target)
    else:
        raw, convert = source.give(_required(shape)), source.give(converter_of(name, shape))
        source.add(f"{target}, p = read({raw}, b, p, '')", f"{target} = {convert}({target})")
    source.close(opened)


def _bytes(source: _Source, shape: Shape, how: How, target: str) -> None:
    if how is How.DECIMAL and whole_digits(shape) is not None:
        take = f"{target} = {source.give(converter_of(target, shape))}(b[p:e])"
    elif how is How.DECIMAL:
        scale = -(shape.scale or 0)
        take = f"{target} = decimal(digits(b[p:e], 'big', signed=True)).scaleb({scale}, exact_context)"
    else:
        take = f"{target} = b[p:e]"
    if shape.size >= 0:
        source.add(f"e = p + {shape.size}", take, "p = e")
    else:
        source.text(take)


def _usual(shape: Shape) -> bool:
    """Whether a decimal of variable scale has its two fields as Debezium writes them."""
    return [(name, field.base, field.optional, field.size) for name, field in shape.fields] == [
        ("scale", Base.INT32, False, -1),
        ("value", Base.BYTES, False, -1),
    ]


def _variable_decimal(source: _Source, target: str) -> None:
    # A scale of several bytes is left to the exact reader, which knows how large it may be.
    source.add("n = b[p]; p += 1", "if n > 127:", "    raise ValueError", "s = -((n >> 1) ^ -(n & 1))")
    source.text(f"{target} = decimal(digits(b[p:e], 'big', signed=True)).scaleb(s, exact_context)")


def _wide_of(base: Base, how: How) -> wide.Wide:
    read = _WIDE[INTEGER_BITS[base]]
    if how in (How.AS_IS, *_USUAL):
        return read
    convert = values.micros_of_millis if how is How.MILLIS else values.micros_of_nanos

    def converted(data: bytes, at: int, first: int) -> tuple[int, int]:
        value, at = read(data, at, first)
        return convert(value), at

    return converted


def _required(shape: Shape) -> Shape:
    """The same type without null."""
    return msgspec.structs.replace(shape, optional=False)

"""Python source generated for one Avro schema: reads a record straight into tuples in column order.

Only positions and numbers of the schema go into the source, never a name; what can't be said with those is handed in
as an object. The code checks what costs nothing and no more: a bad record ends in an exception or at the wrong place,
and the caller then reads it again with `exact`, which says what is wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from models import Op
from parrot_faust.codec import values
from parrot_faust.codec.avro import exact, wide
from parrot_faust.codec.columns import How, converter_of, meaning_of
from parrot_faust.codec.event import OPS_BYTES, Origin
from parrot_faust.codec.shape import INTEGER_BITS, Base, Shape
from parrot_faust.codec.unset import Row

RowFunction = Callable[[bytes, int], tuple[Row, int]]
EnvelopeFunction = Callable[[bytes, int], tuple[Op, Row | None, Row | None, int, Origin, int]]

#: What reading a bad record may raise in generated code, besides DecodeError.
ERRORS = (IndexError, ValueError, KeyError, TypeError, OverflowError, ArithmeticError, struct.error)

_WIDE: dict[int, wide.Wide] = {8: wide.bounded(8), 16: wide.bounded(16), 32: wide.bounded(32), 64: wide.wide}
_SMALL = {
    How.AS_IS: "(n >> 1) ^ -(n & 1)",
    How.MILLIS: "((n >> 1) ^ -(n & 1)) * 1000",
    How.NANOS: "((n >> 1) ^ -(n & 1)) // 1000",
}


class _Source:
    """Lines of a function, and the objects they use by name."""

    def __init__(self) -> None:
        self._lines: list[str] = []
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

    def close(self, opened: bool) -> None:
        self._depth -= opened

    def text(self, take: str) -> None:
        """Read a length and run `take` on the bytes from p to e."""
        self.add("n = b[p]; p += 1", "if n & 129:", "    n, p = length(b, p, n)", "e = p + (n >> 1)")
        self.add(*([take] if take else []), "p = e")

    def compiled(self, result: str) -> Any:
        source = "def function(b, p):\n" + "\n".join([*self._lines, f"    return {result}"]) + "\n"
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
    for name, field in envelope.fields:
        if name in ("before", "after"):
            opened = source.present(field, name)
            source.add(f"{name}, p = row(b, p)")
            source.close(opened)
        elif name == "op":
            opened = source.present(field, None)
            source.text("op = ops[b[p:e]]")
            source.close(opened)
        elif name == "source" and field.base is Base.STRUCT:
            opened = source.present(field, None)
            _source_block(source, field)
            source.close(opened)
        else:
            _skip(source, field)
    source.add("if us is None:", "    us = millis(b, ms) if ms else 0")
    return source.compiled("op, before, after, us, (db, space, table), p")  # type: ignore[no-any-return]


def _millis(data: bytes, at: int) -> int:
    return values.micros_of_millis(exact.varint(data, at, "source.ts_ms")[0])


_PARTS = {"db": "db", "schema": "space", "table": "table"}


def _source_block(source: _Source, shape: Shape) -> None:
    for name, field in shape.fields:
        if name in _PARTS and field.base is Base.STRING and not field.symbols:
            opened = source.present(field, _PARTS[name])
            source.text(f"{_PARTS[name]} = b[p:e]")
            source.close(opened)
        elif name == "ts_us" and field.base is Base.INT64:
            opened = source.present(field, "us")
            source.add("n = b[p]; p += 1", "us, p = wide(b, p, n) if n > 127 else ((n >> 1) ^ -(n & 1), p)")
            source.close(opened)
        elif name == "ts_ms" and field.base is Base.INT64 and not field.optional:
            source.add("ms = p")  # read only when ts_us says nothing
            _skip(source, field)
        else:
            _skip(source, field)


def _skip(source: _Source, shape: Shape) -> None:
    opened = source.present(shape, None)
    if shape.base in INTEGER_BITS or shape.symbols:
        source.add("while b[p] > 127:", "    p += 1", "p += 1")
    elif shape.base in (Base.STRING, Base.BYTES) and shape.size < 0:
        source.text("")
    else:
        plain = source.give(_required(shape))
        source.add(f"_, p = read({plain}, b, p, '')")
    source.close(opened)


def _column(source: _Source, shape: Shape, name: str, target: str) -> None:
    how = meaning_of(name, shape).how
    opened = source.present(shape, target)
    if shape.base in INTEGER_BITS:
        source.add("n = b[p]; p += 1", "if n > 127:")
        source.add(f"    {target}, p = {source.give(_wide_of(shape.base, how))}(b, p, n)")
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
    else:
        raw, convert = source.give(_required(shape)), source.give(converter_of(name, shape))
        source.add(f"{target}, p = read({raw}, b, p, '')", f"{target} = {convert}({target})")
    source.close(opened)


def _bytes(source: _Source, shape: Shape, how: How, target: str) -> None:
    if how is How.DECIMAL:
        scale = -(shape.scale or 0)
        take = f"{target} = decimal(digits(b[p:e], 'big', signed=True)).scaleb({scale}, exact_context)"
    else:
        take = f"{target} = b[p:e]"
    if shape.size >= 0:
        source.add(f"e = p + {shape.size}", take, "p = e")
    else:
        source.text(take)


def _wide_of(base: Base, how: How) -> wide.Wide:
    read = _WIDE[INTEGER_BITS[base]]
    if how is How.AS_IS:
        return read
    convert = values.micros_of_millis if how is How.MILLIS else values.micros_of_nanos

    def converted(data: bytes, at: int, first: int) -> tuple[int, int]:
        value, at = read(data, at, first)
        return convert(value), at

    return converted


def _required(shape: Shape) -> Shape:
    """The same type without null."""
    return msgspec.structs.replace(shape, optional=False)

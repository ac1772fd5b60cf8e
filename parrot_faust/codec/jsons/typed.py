"""Typed JSON decoders made for one table: only the fields that are needed, straight into structs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import astuple

from parrot_faust.codec import values
from parrot_faust.codec.columns import Converter
from parrot_faust.codec.shape import INTEGER_BITS, Base
from parrot_faust.codec.unset import Row
from parrot_faust.errors import DecodeError

T = TypeVar("T")

#: What msgspec raises for bytes that are not what was asked for. RecursionError: nested too deeply.
ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

INT64 = Annotated[int, msgspec.Meta(ge=values.INT64_MIN, le=values.INT64_MAX)]

#: The type to decode a Connect type into. What is nested comes as it is.
WIRE: dict[Base, Any] = {
    Base.BOOLEAN: bool,
    **{
        base: Annotated[int, msgspec.Meta(ge=-(1 << bits - 1), le=(1 << bits - 1) - 1)]
        for base, bits in INTEGER_BITS.items()
    },
    Base.FLOAT: float,
    Base.DOUBLE: float,
    Base.STRING: str,
    Base.BYTES: bytes,
    Base.ARRAY: Any,
    Base.MAP: Any,
    Base.STRUCT: Any,
}


class Field(NamedTuple):
    """A field of a row: its name, the type to decode it into (None allowed or not), and what to do with the value."""

    name: str
    wire: Any
    required: bool
    convert: Converter | None


class Source(msgspec.Struct, gc=False):
    """The parts of the source block that are used."""

    db: str | None = None
    schema: str | None = None
    table: str | None = None
    ts_us: int | None = None
    ts_ms: int | None = None


def row_type(fields: Sequence[Field], *, exact: bool) -> type[msgspec.Struct]:
    """A struct with the fields in order. `exact` refuses fields it does not know."""
    members: list[Any] = []
    for place, field in enumerate(fields):
        member = (f"f{place}", field.wire)
        members.append(member if field.required else (*member, msgspec.field(default=None)))
    names = {f"f{place}": field.name for place, field in enumerate(fields)}
    try:
        return msgspec.defstruct("Row", members, rename=names, gc=False, kw_only=True, forbid_unknown_fields=exact)
    except ValueError as error:
        raise DecodeError(f"a column's name can't be read from JSON: {error}") from None


def envelope_type(before: type[msgspec.Struct], after: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """A struct of the parts of an envelope that are used: before, after, source, op."""
    return msgspec.defstruct(
        "Envelope",
        [
            ("before", before | None, None),
            ("after", after | None, None),
            ("source", Source | None, None),
            ("op", str | None, None),
        ],
        gc=False,
    )


def row_maker(fields: Sequence[Field], where: str) -> Callable[[Any], Row]:
    """A function from a decoded row struct to the canonical row; errors begin with `where` and the field's name."""
    work = [(place, field.convert, field.name) for place, field in enumerate(fields) if field.convert is not None]
    if not work:
        return astuple

    def make(struct: Any) -> Row:
        row = list(astuple(struct))
        for place, convert, name in work:
            value = row[place]
            if value is not None:
                try:
                    row[place] = convert(value)
                except DecodeError as error:
                    raise DecodeError(f"{where}{name}: {error}") from None
        return tuple(row)

    return make


def explain(error: Exception, advice: str = "") -> DecodeError:
    """The error for people: the field's path first."""
    if isinstance(error, RecursionError):
        return DecodeError("the JSON is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return DecodeError(f"no UTF-8 text: {error.reason}")
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        what, _, path = text.partition(" - at `$.")
        text = f"{path.rstrip('`')}: {what}" if path else text
        return DecodeError(text + advice)
    return DecodeError(f"no JSON: {text}")


def decode(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Decode, or raise DecodeError."""
    try:
        return decoder.decode(data)
    except ERRORS as error:
        raise explain(error) from None

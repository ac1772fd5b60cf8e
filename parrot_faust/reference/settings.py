"""`docs/settings.md`: every section of `parrot.yaml`, every setting in it, with type, default and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from parrot_faust.reference.marks import filled as _filled
from parrot_faust.reference.marks import table
from parrot_faust.reference.meanings import MEANINGS
from parrot_faust.secret import bare, is_secret
from parrot_faust.settings import Settings, is_section
from parrot_faust.sinks.creation_docs import SAYS

#: section -> setting -> what it says
MEANS: dict[type, dict[str, str]] = {**SAYS, **MEANINGS}
#: What stands for a name that the user chooses, by the setting that holds such names.
_CHOSEN = {"tables": "<topic>", "patterns": "<pattern>", "columns": "<column pattern>", "families": "<family>"}
_WORDS = {bool: "`true`, `false`", int: "a whole number", float: "a number", str: "a text", Path: "a path"}


def filled(text: str) -> str:
    """The page with its sections as the code has them."""
    return _filled(text, {"settings": _sections})


def sections() -> dict[type, list[str]]:
    """Every section, with the places at which it can stand, as paths of settings."""
    found: dict[type, list[str]] = {}
    for section, path in _walk(Settings, ""):
        found.setdefault(section, []).append(path)
    return found


def _walk(section: type, path: str) -> Iterator[tuple[type, str]]:
    yield section, path
    for field in msgspec.structs.fields(section):
        place = f"{path}.{field.name}" if path else field.name
        kind = bare(field.type)
        for part in (kind, *get_args(kind)):
            if is_section(part):
                chosen = f".{_CHOSEN[field.name]}" if get_origin(kind) is dict else ""
                yield from _walk(part, place + chosen)


def _sections() -> str:
    return "\n\n".join(_section(section, paths) for section, paths in sections().items())


def _section(section: type, paths: list[str]) -> str:
    title = f"`{paths[0]}`" if paths[0] else "At the top"
    says = " ".join((section.__doc__ or "").replace("``", "`").split())
    if others := ", ".join(f"`{path}`" for path in paths[1:]):
        says += f" The same at {others}."
    rows = (
        (
            f"`{field.name}`",
            kind_of(field.type),
            default_of(field),
            MEANS[section][field.name],
        )
        for field in msgspec.structs.fields(section)
    )
    return f"## {title}\n\n{says}\n\n{table(('setting', 'values', 'unless set', 'what it says'), rows)}"


def kind_of(kind: Any) -> str:
    """What may be written for a setting of a type, in words."""
    if is_secret(kind):
        return "a text, secret"
    origin, parts = get_origin(kind), [part for part in get_args(kind) if part not in (type(None), ...)]
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in parts)
    if origin is tuple:
        return f"a list, each {kind_of(parts[0])}"
    if origin is dict:
        inner = parts[1]
        return "sections by name" if is_section(inner) else f"names with {kind_of(inner)} each"
    if is_section(kind):
        return "a section"
    return " or ".join(kind_of(part) for part in parts) if parts else _WORDS[kind]


def default_of(field: msgspec.structs.FieldInfo) -> str:
    """What holds where a setting is not written."""
    value = field.default
    if value is msgspec.NODEFAULT:
        return "**must be set**" if field.default_factory is msgspec.NODEFAULT else "none"
    if isinstance(value, msgspec.Struct):
        return "its own"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value) or "none"
    return "none" if value in (None, "") else f"`{value}`"

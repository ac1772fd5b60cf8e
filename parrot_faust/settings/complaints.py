"""What is wrong with a setting, in words that name it, where it stands and the nearest right one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

import msgspec
from ruamel.yaml.comments import CommentedMap

from parrot_faust.errors import SettingsError
from parrot_faust.settings.document import line_at
from parrot_faust.settings.sections import Settings, fields_of, is_section, path_hook


def refuse_unknown(tree: Any, kind: Any, file: str, prefix: str) -> None:
    if get_origin(kind) is dict and isinstance(tree, CommentedMap):
        for name, value in tree.items():
            refuse_unknown(value, get_args(kind)[1], file, f"{prefix}{name}.")
        return
    struct = next((part for part in (kind, *get_args(kind)) if is_section(part)), None)
    if struct is None or not isinstance(tree, CommentedMap):
        return
    fields = fields_of(struct)
    for name, value in tree.items():
        if name not in fields:
            raise SettingsError(unknown(f"{prefix}{name}", fields), file=file, line=tree.lc.key(name)[0] + 1)
        refuse_unknown(value, fields[name], file, f"{prefix}{name}.")


def unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.rpartition(".")[2], known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    return f"there is no setting {name}; {hint}"


def explain(message: str, plain: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """The setting that is wrong and what is wrong with it, from the words of `msgspec`."""
    path, text = _split(message)
    path, text = _named(path, text, plain, Settings)
    where = ".".join(path)
    if missing := re.match(r"Object missing required field `(\w+)`", text):
        return path, f"{where}.{missing[1]} is missing".removeprefix(".")
    if wrong := re.match(r"Invalid enum value '(.*)'", text, re.DOTALL):
        text = unlike(wrong[1], _words(_kind_at(path)))
    return path, f"{where}: {text[0].lower()}{text[1:]}" if where else text


def _named(path: tuple[str, ...], text: str, plain: Any, kind: Any) -> tuple[tuple[str, ...], str]:
    """The path with the name in a mapping that the message does not say, found by converting one after the other."""
    if "*" not in path:
        return path, text
    at = path.index("*")
    kind = _kind_at(path[:at], kind)
    for name in path[:at]:
        plain = plain[name] if isinstance(plain, dict) else plain[int(name)]
    within = next((get_args(part)[1] for part in (kind, *get_args(kind)) if get_origin(part) is dict), None)
    for name, value in plain.items() if isinstance(plain, dict) and within is not None else ():
        try:
            msgspec.convert(value, within, strict=True, dec_hook=path_hook)
        except msgspec.ValidationError as error:
            rest, said = _split(str(error))
            rest, said = _named(rest, said, value, within)
            return (*path[:at], str(name), *rest), said
    return path, text


def _split(message: str) -> tuple[tuple[str, ...], str]:
    """The path in a message, a place in a list or mapping being a part of its own, and the rest of the message."""
    text, _, path = message.partition(" - at `$")
    parts = path.removesuffix("`").replace("[...]", ".*").replace("[", ".").replace("]", "").split(".")
    return tuple(part for part in parts if part), text


def _kind_at(path: tuple[str, ...], kind: Any = Settings) -> Any:
    for name in path:
        kind = get_args(kind)[1] if get_origin(kind) is dict else fields_of(kind).get(name)
    return kind


def _words(kind: Any) -> tuple[str, ...]:
    """The words that a type allows, null left aside."""
    return tuple(word for part in get_args(kind) for word in (get_args(part) or (part,)) if isinstance(word, str))


def unlike(value: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(value, known, 1)
    return f"{value!r} is none of {', '.join(known)}" + (f"; did you mean {near[0]}?" if near else "")


def complaint(
    path: tuple[str, ...], text: str, tree: CommentedMap, file: str, overridden: Mapping[tuple[str, ...], str]
) -> SettingsError:
    for depth in range(len(path), 0, -1):
        if variable := overridden.get(path[:depth]):
            return SettingsError(text, file=variable)
    return SettingsError(text, file=file, line=line_at(tree, path))

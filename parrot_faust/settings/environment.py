"""The environment in the settings: ``${NAME}`` in a text, and ``PARROT_<SECTION>__<NAME>`` over a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from parrot_faust.errors import SettingsError
from parrot_faust.settings.complaints import unknown
from parrot_faust.settings.sections import Settings, fields_of

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def plain_of(tree: Any, file: str, environ: Mapping[str, str], name: str = "", line: int = 0) -> Any:
    if isinstance(tree, CommentedMap):
        return {
            str(key): plain_of(value, file, environ, str(key), tree.lc.key(key)[0] + 1) for key, value in tree.items()
        }
    if isinstance(tree, CommentedSeq):
        return [plain_of(value, file, environ, name, tree.lc.item(index)[0] + 1) for index, value in enumerate(tree)]
    if isinstance(tree, str):
        return _substituted(str(tree), file, environ, name, line)
    if isinstance(tree, float):
        return float(tree)  # the loader has number types of its own, which keep how a number was written
    return tree if isinstance(tree, bool) or not isinstance(tree, int) else int(tree)


def _substituted(text: str, file: str, environ: Mapping[str, str], name: str, line: int) -> str:
    def replace(match: re.Match[str]) -> str:
        found = environ.get(match[1], match[2])
        if found is None:
            raise SettingsError(f"{name} needs the environment variable {match[1]}", file=file, line=line)
        return found

    return _VARIABLE.sub(replace, text)


def override(plain: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Put the environment's values in their places; return the variable of each."""
    overridden = {}
    for variable, text in sorted(environ.items()):  # so that PARROT_WEB comes before PARROT_WEB__PORT
        path = tuple(variable.removeprefix("PARROT_").lower().split("__"))
        if not variable.startswith("PARROT_") or path[0] not in Settings.__struct_fields__:
            continue  # PARROT_CONFIG, PARROT_STATE_ID and others mean something else
        if path == ("state",):
            continue  # PARROT_STATE names the local distribution's folder
        kind: Any = Settings
        target = plain
        for depth, name in enumerate(path, 1):
            fields = fields_of(kind)
            if get_origin(kind) is not dict and name not in fields:
                raise SettingsError(unknown(".".join(path[:depth]), fields), file=variable)
            kind = get_args(kind)[1] if get_origin(kind) is dict else fields[name]
            if depth < len(path):
                if target.get(name) is None:
                    target[name] = {}
                target = target[name]
                if not isinstance(target, dict):
                    raise SettingsError(f"{'.'.join(path[:depth])} holds no names", file=variable)
        target[path[-1]] = _read_variable(kind, text, variable)
        overridden[path] = variable
    return overridden


def _read_variable(kind: Any, text: str, variable: str) -> Any:
    """A text is taken as it is, a list may be written with commas, all else is YAML."""
    parts = (kind, *get_args(kind))
    if get_origin(kind) is tuple and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (str, Path) or get_origin(kind) is Literal:
        return text
    if str in parts and NoneType in parts:
        return text or None
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        raise SettingsError("its value is no YAML", file=variable) from None  # and may be a secret

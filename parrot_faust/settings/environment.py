"""The environment in the settings: ``${NAME}`` and ``${file:/a/path}`` in a text, ``PARROT_<SECTION>__<NAME>`` over a
value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from parrot_faust.errors import SettingsError
from parrot_faust.secret import PASSWORD_IN_URL
from parrot_faust.settings.complaints import unknown
from parrot_faust.settings.sections import Settings, fields_of, secrets_of

_VARIABLE = re.compile(r"\$\{(?:file:(?P<file>[^}]+)|(?P<name>\w+)(?::-(?P<default>[^}]*))?)\}")
MAX_SECRET = 64 << 10  # bytes; a file beyond this holds no password


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
        if match["file"]:
            return _content(match["file"], name, file, line)
        found = environ.get(match["name"], match["default"])
        if found is None:
            raise SettingsError(f"{name} needs the environment variable {match['name']}", file=file, line=line)
        return found

    return _VARIABLE.sub(replace, text)


def _content(path: str, name: str, file: str, line: int) -> str:
    """The text of a file that holds a secret, without the line's end after it."""
    try:
        with Path(path).open("rb") as opened:
            data = opened.read(MAX_SECRET + 1)
        if len(data) > MAX_SECRET:
            raise SettingsError(f"{name}: {path} is larger than {MAX_SECRET} bytes", file=file, line=line)
        return data.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{name} needs the file {path} ({error.strerror})", file=file, line=line) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: {path} is not UTF-8", file=file, line=line) from None


def literal_secrets(tree: Any, kind: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Secrets that are written in the file itself: each setting and its line."""
    if not isinstance(tree, CommentedMap):
        return
    fields, secrets = fields_of(kind), secrets_of(kind)
    for name, value in tree.items():
        within = get_args(kind)[1] if get_origin(kind) is dict else fields.get(name)
        holds = (name in secrets and value) or (isinstance(value, str) and PASSWORD_IN_URL.search(value))
        if holds and not _VARIABLE.search(str(value)):
            yield f"{prefix}{name}", tree.lc.key(name)[0] + 1
        yield from literal_secrets(value, within, f"{prefix}{name}.")


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

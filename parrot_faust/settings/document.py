"""Reading the settings file: YAML without tags and aliases, within bounds, every value with its line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, tokens
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from parrot_faust.errors import SettingsError

MAX_BYTES = 1 << 20  # a settings file beyond this is no settings file
MAX_DEPTH = 20  # the settings need five; the parser's time grows with the square of it
_BEGIN = (
    tokens.BlockMappingStartToken,
    tokens.BlockSequenceStartToken,
    tokens.FlowMappingStartToken,
    tokens.FlowSequenceStartToken,
)
_END = (tokens.BlockEndToken, tokens.FlowMappingEndToken, tokens.FlowSequenceEndToken)


def read(file: Path) -> CommentedMap:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise SettingsError(f"larger than {MAX_BYTES} bytes", file=str(file))
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"can't be read ({error.strerror}); name the settings file in PARROT_CONFIG, or put a parrot.yaml here",
            file=str(file),
        ) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"is not UTF-8 at byte {error.start}", file=str(file)) from None
    try:
        depth = 0
        for token in YAML(pure=True).scan(text):
            depth += isinstance(token, _BEGIN) - isinstance(token, _END)
            if depth > MAX_DEPTH:
                raise SettingsError("is nested too deeply", file=str(file), line=token.start_mark.line + 1)
            if isinstance(token, (tokens.TagToken, tokens.AnchorToken, tokens.AliasToken)):
                line = token.start_mark.line + 1
                raise SettingsError("tags, anchors and aliases are not allowed here", file=str(file), line=line)
        tree = YAML(typ="rt", pure=True).load(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError("holds a character that YAML does not allow", file=str(file), line=line) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        problem = str(error.problem or "is no YAML")
        if isinstance(error, DuplicateKeyError):
            problem = problem.partition(" with value ")[0]  # the values may be secrets
        raise SettingsError(problem, file=str(file), line=line) from None
    except YAMLError as error:
        raise SettingsError(str(error), file=str(file)) from None
    if not isinstance(tree, CommentedMap):
        raise SettingsError("must hold names and values, for example `app: parrot`", file=str(file))
    return tree


def line_at(tree: Any, path: Sequence[str]) -> int:
    """The line of a setting, or of the nearest section around it; 0 when unknown."""
    line = 0
    for name in path:
        if not isinstance(tree, CommentedMap) or name not in tree:
            break
        line = tree.lc.key(name)[0] + 1
        tree = tree[name]
    return line

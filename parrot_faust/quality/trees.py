"""A rule file's text as a tree that knows its lines: YAML 1.2 without what makes YAML dangerous."""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML, tokens
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from parrot_faust.errors import RuleError

MAX_DEPTH = 20
_BEGIN = (
    tokens.BlockMappingStartToken,
    tokens.BlockSequenceStartToken,
    tokens.FlowMappingStartToken,
    tokens.FlowSequenceStartToken,
)
_END = (tokens.BlockEndToken, tokens.FlowMappingEndToken, tokens.FlowSequenceEndToken)
_REFUSED = (tokens.TagToken, tokens.AnchorToken, tokens.AliasToken, tokens.DirectiveToken)


#: JSON writes a rare character as two escapes, which YAML would read as two halves of a character.
_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def _character(match: re.Match[str]) -> str:
    high, low = int(match[2], 16), int(match[3], 16)
    return match[1] + chr(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))


class _Plain(RoundTripConstructor):
    """Dates are text: what they mean is for the column to say."""


_Plain.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str)


def read_tree(text: str, file: str) -> CommentedMap:
    """Return the tree. Raise RuleError with the line for what is no YAML, or more than a rule file needs of it."""
    if text.lstrip()[:1] == "{":
        text = _PAIR.sub(_character, text)
    try:
        _refuse_cunning(text, file)
        yaml = YAML(typ="rt", pure=True)
        yaml.Constructor = _Plain
        tree = yaml.load(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RuleError("holds a character that YAML does not allow", file=file, line=line) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = {"line": mark.line + 1, "column": mark.column + 1} if mark else {}
        problem = str(error.problem or "is no YAML")
        if isinstance(error, DuplicateKeyError):
            problem = problem.partition(" with value ")[0]
        raise RuleError(problem, file=file, **where) from None
    except (YAMLError, ValueError, ArithmeticError, LookupError, TypeError, AssertionError, RecursionError) as error:
        raise RuleError(f"is no YAML: {error}", file=file) from None
    if not isinstance(tree, CommentedMap):
        raise RuleError("must hold names and values, beginning with `table:`", file=file)
    return tree


def _refuse_cunning(text: str, file: str) -> None:
    """Refuse what makes a small file a large tree, another type of a value, or another version of YAML."""
    depth = 0
    for token in YAML(pure=True).scan(text):
        line, column = token.start_mark.line + 1, token.start_mark.column + 1
        depth += isinstance(token, _BEGIN) - isinstance(token, _END)
        if depth > MAX_DEPTH:
            raise RuleError("it is nested too deeply", file=file, line=line, column=column)
        if isinstance(token, _REFUSED):
            message = "tags, anchors, aliases and directives are not allowed here (a text that needs & * ! is quoted)"
            raise RuleError(message, file=file, line=line, column=column)


def plain(value: Any) -> Any:
    """The value without what a tree knows of the file."""
    if isinstance(value, CommentedMap):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, CommentedSeq):
        return [plain(inner) for inner in value]
    for kind in (bool, int, float, str):  # ruamel's own subclasses keep the file's spelling, which nobody here needs
        if isinstance(value, kind):
            return kind(value)
    return value

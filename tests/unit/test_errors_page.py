"""The page of errors has every error that can be met, and no other."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from parrot_faust import errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE, re.MULTILINE)
CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, errors.ParrotError) and found.__module__ == errors.__name__
}


def names_in_letters() -> set[str]:
    """Names that the code gives to what it holds back: texts for the fields `error` of letters, fates and failures."""
    found = set()
    for folder in ("agents", "parrot_faust", "models"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                values = [keyword.value for keyword in node.keywords if keyword.arg == "error"]
                values += {"RowFailure": node.args[2:3], "ChunkFailure": node.args[2:3], "fate": node.args[1:2]}.get(
                    called, []
                )
                found |= {
                    value.value
                    for value in values
                    if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value
                }
    return found


def test_every_error_has_its_row_and_every_row_its_error() -> None:
    named = [name for name, _ in ROWS]
    assert len(set(named)) == len(named)
    assert set(named) == set(CLASSES) | names_in_letters()


def test_names_that_stand_in_letters_without_a_class_are_found() -> None:
    assert names_in_letters() - set(CLASSES) == {"RuleFailed"}


def test_what_holds_back_single_records_is_in_the_second_table() -> None:
    whole, single = PAGE.split("## Of single records")
    for name, found in CLASSES.items():
        terminal = issubclass(found, errors.TerminalError) and found is not errors.TerminalError
        assert f"| `{name}` |" in (single if terminal else whole), name


def test_each_row_says_what_it_means_what_was_done_and_what_to_do() -> None:
    for name, rest in ROWS:
        cells = [cell.strip() for cell in rest.split("|")]
        assert len(cells) == 3, name
        base = name in ("ParrotError", "TransientError", "TerminalError")
        assert cells[0], name
        assert base or all(cells), name


def test_the_tree_in_the_module_names_every_error() -> None:
    tree = set(re.findall(r"^    (?:[│ ]*[├└]── )?(\w+)", errors.__doc__ or "", re.MULTILINE))
    assert tree == set(CLASSES)

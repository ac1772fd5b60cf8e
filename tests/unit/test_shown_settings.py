"""Settings and JSON that the documents show are such as can be used."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from parrot_faust import tls
from parrot_faust.settings import Settings, environment, load

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NEEDED: dict[str, Any] = {
    "source": {"topics": "x"},
    "sinks": {"kudu": {"masters": ["kudu:7051"]}, "hbase": {"thrift": "h:1", "thrift2": "h:2"}},
}
#: A value for every variable that a document names.
VALUE = "sixteen characters and more"


def blocks(language: str) -> list[tuple[str, str]]:
    fenced = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [(path.name, block) for path in DOCUMENTS for block in fenced.findall(path.read_text(encoding="utf-8"))]


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def indented() -> list[tuple[str, str]]:
    """Blocks without a fence that begin with the name of a setting."""
    found = []
    for path in DOCUMENTS:
        for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", path.read_text(encoding="utf-8"), re.MULTILINE):
            text = re.sub(r"^    ", "", block, flags=re.MULTILINE).strip("\n")
            if re.match(rf"(?:# parrot.yaml\n)?(?:{'|'.join(Settings.__struct_fields__)}):", text):
                found.append((path.name, text))
    return found


SHOWN = [
    *((name, text) for name, text in blocks("yaml") if set(parsed(text)) <= set(Settings.__struct_fields__)),
    *indented(),
]


def merged(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """`other` in `base`, sections within sections."""
    both = {
        name: merged(base[name], value) for name, value in other.items() if isinstance(base.get(name), dict) and value
    }
    return {**base, **other, **both}


def test_enough_is_shown_to_be_worth_the_look() -> None:
    assert {"README.md", "security.md", "mongodb.md", "mysql.md", "tutorial.md", "verify.md"} <= {
        name for name, _ in SHOWN
    }


@pytest.mark.parametrize(("name", "text"), SHOWN, ids=[name for name, _ in SHOWN])
def test_settings_that_are_shown_are_good(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, text: str
) -> None:
    monkeypatch.setattr(tls, "context", lambda _: None)  # the files that they name are not there
    monkeypatch.setattr(environment, "_content", lambda *_: VALUE)
    file = tmp_path / "parrot.yaml"
    with file.open("w", encoding="utf-8") as written:
        YAML(typ="safe", pure=True).dump(merged(NEEDED, parsed(text)), written)
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), VALUE)
    assert load(file, variables).source.topics


@pytest.mark.parametrize(("name", "text"), blocks("json"), ids=[name for name, _ in blocks("json")])
def test_json_that_is_shown_is_json(name: str, text: str) -> None:
    assert json.loads(text)

"""The lock file: every artefact of the local distribution, by coordinate and hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LOCK_FILE = Path(__file__).with_name("artefacts.lock.json")


@dataclass(frozen=True, slots=True)
class Artefact:
    """One file of a registry. `coordinate` is Maven's group:artifact:version[:classifier:packaging], or pip's
    name==version. `size` is in bytes; `bundle` names what it belongs to.
    """

    bundle: str
    coordinate: str
    version: str
    sha256: str
    size: int
    licence: str

    @property
    def is_python(self) -> bool:
        """Whether the Python package index has it; Maven's repository otherwise."""
        return "==" in self.coordinate

    @property
    def filename(self) -> str:
        """A name for the file, without its folder."""
        if self.is_python:
            return self.coordinate.replace("==", "-")
        parts = self.coordinate.split(":")
        classifier = f"-{parts[3]}" if len(parts) > 3 and parts[3] else ""
        return f"{parts[1]}-{parts[2]}{classifier}.{parts[4] if len(parts) > 4 else 'jar'}"


@cache
def artefacts() -> tuple[Artefact, ...]:
    """Every artefact of the lock file, in its order."""
    entries = json.loads(LOCK_FILE.read_text(encoding="utf-8"))["artefacts"]
    return tuple(Artefact(**entry) for entry in entries)


def bundle(name: str) -> tuple[Artefact, ...]:
    """The artefacts of one bundle. Raise KeyError when the lock file has none of that name."""
    found = tuple(artefact for artefact in artefacts() if artefact.bundle == name)
    if not found:
        raise KeyError(f"the lock file has no bundle {name!r}")
    return found

"""`python -m parrot_faust.reference`: write every made page of `docs/` anew, and the made parts of the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from parrot_faust.quality import reference as rules
from parrot_faust.reference import commands, metrics, settings
from parrot_faust.schema import cells, type_docs
from parrot_faust.sinks import creation_docs


def _rules(folder: Path) -> Callable[[str], str]:
    agreement = json.loads((folder / "agreement.json").read_text(encoding="utf-8"))
    return lambda text: rules.replaced(text, agreement)


def main() -> None:
    """Write what has changed, and say what that is."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    pages = {
        "autocreation.md": creation_docs.filled,
        "commands.md": commands.filled,
        "metrics.md": metrics.filled,
        "rules.md": _rules(folder),
        "schema-changes.md": cells.filled,
        "settings.md": settings.filled,
        "types.md": type_docs.filled,
    }
    for name, fill in pages.items():
        old = (folder / name).read_text(encoding="utf-8")
        if (new := fill(old)) != old:
            (folder / name).write_text(new, encoding="utf-8")
            sys.stdout.write(f"{folder / name}\n")


if __name__ == "__main__":
    main()

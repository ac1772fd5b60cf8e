"""Parts of lists: an answer stays small however many tables there are, and says where the rest is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

#: Characters of a text in a line of a list: reasons come from stores and rules, of any length.
TEXT = 240


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a page is wanted: the part of its lists, the first being 1. `query` is what its address says besides."""

    path: str = "/"
    part: int = 1
    query: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: str, query: Mapping[str, str]) -> Asked:
        """What an address asks for; a part that is no number is the first."""
        given = query.get("page", "")
        part = int(given) if given.isdecimal() and len(given) < 10 else 1
        return cls(path, max(1, part), {name: value for name, value in query.items() if name != "page"})

    @property
    def words(self) -> str:
        """A part of the names of the tables that are wanted, empty for all."""
        return self.query.get("q", "")

    def names(self, *names: str) -> bool:
        """Whether something of these names is wanted."""
        return not self.words or self.words.casefold() in " ".join(names).casefold()

    def address(self, part: int) -> str:
        """The address of another part."""
        query = dict(self.query) | ({"page": str(part)} if part > 1 else {})
        return f"{self.path}?{urlencode(query)}" if query else self.path


#: The first part of everything.
WHOLE = Asked()


def cut(view: Mapping[str, Any], asked: Asked, **most: int) -> dict[str, Any]:
    """A page's data with the wanted part of each of its lists in `most`, which says how long a part is.

    `lists` says of each how many lines there are in `all`, which is the `first` one here, counted from 1, how many are
    `left_out` after the last one here, and the address of these in `next`.
    """
    made, lists = dict(view), dict(view.get("lists", {}))
    for name, lines in most.items():
        every, before = made[name], lines * (asked.part - 1)
        shown = every[before : before + lines]
        left = max(0, len(every) - before - lines)
        lists[name] = {
            "all": len(every),
            "first": before + 1 if shown else 0,
            "left_out": left,
            "next": asked.address(asked.part + 1) if left else "",
            "before": asked.address(asked.part - 1) if asked.part > 1 else "",
        }
        made[name] = shown
    return made | {"lists": lists}


def beginning(text: str) -> str:
    """A text that is no longer than a line takes."""
    return text if len(text) <= TEXT else f"{text[: TEXT - 1]}…"


def brief(value: Any) -> Any:
    """A value of JSON as it is, or where that is long the beginning of its text."""
    if isinstance(value, str):
        return beginning(value)
    encoded = msgspec.json.encode(value)
    return value if len(encoded) <= TEXT else beginning(encoded.decode())

"""Values of the settings that are never shown: passwords, and the keys of masks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_origin, get_type_hints

import msgspec

#: A text that no log, error, page or `repr` shows.
Secret = Annotated[str, msgspec.Meta(extra={"secret": True})]

HIDDEN = "***"
#: The password is the only group.
PASSWORD_IN_URL = re.compile(r"^\w+://[^/@\s]*:([^/@\s]+)@")


def is_secret(kind: Any) -> bool:
    """Whether a field's type is `Secret`."""
    return any(bool((getattr(meta, "extra", None) or {}).get("secret")) for meta in getattr(kind, "__metadata__", ()))


def bare(kind: Any) -> Any:
    """A field's type without what is noted on it."""
    return kind.__origin__ if get_origin(kind) is Annotated else kind


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the settings. A name it does not know is an error; its secrets are not shown when it is printed."""

    def __repr__(self) -> str:
        kinds = get_type_hints(type(self), include_extras=True)
        shown = (
            f"{name}={HIDDEN if is_secret(kinds[name]) and getattr(self, name) else repr(getattr(self, name))}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def secrets_in(value: Any) -> Iterator[str]:
    """Every secret that settings hold, passwords within addresses among them."""
    if isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(type(value)):
            held = getattr(value, field.name)
            if is_secret(field.type) and held:
                yield held
            else:
                yield from secrets_in(held)
    elif isinstance(value, Mapping):
        for held in value.values():
            yield from secrets_in(held)
    elif isinstance(value, (tuple, list)):
        for held in value:
            yield from secrets_in(held)
    elif isinstance(value, str) and (found := PASSWORD_IN_URL.match(value)):
        yield found[1]

"""Whether the top-level packages of Parrot Faust are its own: their names are common, and another's may come first."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from parrot_faust.errors import SettingsError

NAMES = ("agents", "models")


def refuse_others() -> None:
    """Raise SettingsError when Python would take one of `NAMES` from elsewhere.

    Nothing is imported for this: another distribution's package lacks what ours holds, and importing from it fails
    with an error that does not say why.
    """
    own = Path(__file__).resolve().parents[1]
    for name in NAMES:
        spec = find_spec(name)
        places = [spec.origin] if spec and spec.origin else list((spec and spec.submodule_search_locations) or ())
        if not places or not all(Path(place).resolve().is_relative_to(own / name) for place in places):
            where = (
                f"was found at {', '.join(places)}, which belongs to another distribution" if places else "is missing"
            )
            raise SettingsError(f"the package `{name}` {where}: run Parrot Faust in an environment of its own")

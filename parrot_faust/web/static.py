"""The pages' style, their icon and their one script: files of this package."""

from __future__ import annotations

from importlib.resources import files

_ASSETS = files("parrot_faust.web") / "assets"

STYLE = (_ASSETS / "style.css").read_text("utf-8")
ICON = (_ASSETS / "icon.svg").read_text("utf-8")
LIVE = (_ASSETS / "live.js").read_text("utf-8")

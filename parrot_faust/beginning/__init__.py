"""`parrot init`: from what is there, the files to begin with."""

from __future__ import annotations

from parrot_faust.beginning.files import Places, connector_json, parrot_yaml
from parrot_faust.beginning.source import Source, SourceTable, look_at

__all__ = ["Places", "Source", "SourceTable", "connector_json", "look_at", "parrot_yaml"]

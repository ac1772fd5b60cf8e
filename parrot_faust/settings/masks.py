"""The masks that settings ask for."""

from __future__ import annotations

from parrot_faust.masking import Masking
from parrot_faust.settings.sections import Settings


def masking_of(settings: Settings) -> Masking:
    """What masks the columns of all tables."""
    return Masking({name: table.mask for name, table in settings.tables.items()}, settings.masking.key)

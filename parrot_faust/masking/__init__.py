"""Columns that leave the worker only hashed, cut or replaced (`mask:` of a table's settings).

`Masking` is built once from the settings; `of` gives the mask of one shape of a table, compiled and kept. What it makes
of changes is what every topic, store, page and log of ours gets to see; rules alone read the original values.
"""

from __future__ import annotations

from parrot_faust.masking.masked_change import MaskedChange, read_masked
from parrot_faust.masking.tables import Masking, TableMask
from parrot_faust.masking.ways import MaskError, way_of

__all__ = ["MaskError", "MaskedChange", "Masking", "TableMask", "read_masked", "way_of"]

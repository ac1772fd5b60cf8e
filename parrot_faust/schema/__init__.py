"""Comparing the shapes of a table, and what its types become and lose. Pure."""

from __future__ import annotations

from parrot_faust.schema.diff import diff
from parrot_faust.schema.losses import losses

__all__ = ["diff", "losses"]

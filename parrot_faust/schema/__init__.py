"""Comparing the shapes of a table. Pure."""

from __future__ import annotations

from parrot_faust.schema.diff import diff

__all__ = ["diff"]

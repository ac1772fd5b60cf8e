"""Comparing the shapes of a table, what follows for the stores, what its types lose there, its history. Pure."""

from __future__ import annotations

from parrot_faust.schema.behaviour import Behaviour, Policy, TableChoice
from parrot_faust.schema.claims import Claims
from parrot_faust.schema.diff import diff
from parrot_faust.schema.history import SchemaHistory, SchemaSeen, Terms, history_of
from parrot_faust.schema.layout import Layout, Placement
from parrot_faust.schema.losses import losses
from parrot_faust.schema.stores import STORES, Store

__all__ = [
    "STORES",
    "Behaviour",
    "Claims",
    "Layout",
    "Placement",
    "Policy",
    "SchemaHistory",
    "SchemaSeen",
    "Store",
    "TableChoice",
    "Terms",
    "diff",
    "history_of",
    "losses",
]

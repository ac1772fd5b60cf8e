"""The components, one file each, and the order they depend on each other."""

from __future__ import annotations

from parrot_faust.distribution.components import connect, hbase, kafka, kudu, postgres, registry
from parrot_faust.distribution.components.base import Component, Context

COMPONENTS: dict[str, Component] = {
    component.name: component
    for component in (
        postgres.COMPONENT,
        kafka.COMPONENT,
        registry.COMPONENT,
        connect.COMPONENT,
        hbase.COMPONENT,
        kudu.COMPONENT,
    )
}

__all__ = ["COMPONENTS", "Component", "Context"]

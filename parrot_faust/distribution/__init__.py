"""The local distribution of PostgreSQL, Kafka, Connect with Debezium, a schema registry, HBase and Kudu."""

from __future__ import annotations

from parrot_faust.distribution.local import ALL, Addresses, ComponentStatus, Local

__all__ = ["ALL", "Addresses", "ComponentStatus", "Local"]

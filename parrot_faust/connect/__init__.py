"""Kafka Connect, where Debezium's connectors run."""

from __future__ import annotations

from parrot_faust.connect.client import Connect, ConnectorStatus, FieldProblem, TaskStatus, WorkerState
from parrot_faust.connect.config import read_config, shown

__all__ = ["Connect", "ConnectorStatus", "FieldProblem", "TaskStatus", "WorkerState", "read_config", "shown"]

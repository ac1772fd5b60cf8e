"""Frozen data that travels between the parts. Imports the standard library and msgspec only."""

from __future__ import annotations

from models.change import Change, Op
from models.chunk import Chunk, ChunkHeader, Late, Row, RowOp
from models.dead_letter import CutPart, DeadLetter, Stage
from models.redrive import Asked, Edit, Fate, Place, RedriveRequest, Resolution
from models.results import AppliedDdl, PlannedDdl, RowFailure, StoreShape, WriteResult
from models.schema import Column, Kind, TableSchema, key_text
from models.schema_change import (
    AddColumn,
    Alteration,
    AlterColumnType,
    AlterComment,
    AlterKey,
    AlterNullability,
    CreateTable,
    DropColumn,
    DropTable,
    RenameColumn,
    SchemaChange,
    Truncate,
)
from models.steering import SinkOrder, Steer
from models.verdict import Action, RuleFailure, Severity
from models.window import Pause, ShapeVerdict, Tallied, WindowPart, WindowResult

__all__ = [
    "Action",
    "AddColumn",
    "AlterColumnType",
    "AlterComment",
    "AlterKey",
    "AlterNullability",
    "Alteration",
    "AppliedDdl",
    "Asked",
    "Change",
    "Chunk",
    "ChunkHeader",
    "Column",
    "CreateTable",
    "CutPart",
    "DeadLetter",
    "DropColumn",
    "DropTable",
    "Edit",
    "Fate",
    "Kind",
    "Late",
    "Op",
    "Pause",
    "Place",
    "PlannedDdl",
    "RedriveRequest",
    "RenameColumn",
    "Resolution",
    "Row",
    "RowFailure",
    "RowOp",
    "RuleFailure",
    "SchemaChange",
    "Severity",
    "ShapeVerdict",
    "SinkOrder",
    "Stage",
    "Steer",
    "StoreShape",
    "TableSchema",
    "Tallied",
    "Truncate",
    "WindowPart",
    "WindowResult",
    "WriteResult",
    "key_text",
]

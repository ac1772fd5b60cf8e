"""Templates of target tables' names, which every store has."""

from __future__ import annotations

import string

from models import PlannedDdl, TableSchema
from parrot_faust.errors import SettingsError

#: What a name template may hold.
FIELDS = ("database", "schema", "table", "prefix")


def check_template(template: str) -> None:
    """Raise SettingsError when a name template is none."""
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise SettingsError(f"the table name template {template!r} is wrong: {error}") from error
    if unknown := [field for field in fields if field not in FIELDS]:
        raise SettingsError(f"the table name template {template!r} has {unknown}: its fields are {', '.join(FIELDS)}")
    if "table" not in fields and fields:
        raise SettingsError(f"the table name template {template!r} has no {{table}}: all tables would become one")


def not_made(planned: PlannedDdl) -> str:
    """That a table is missing and left to others to make, with what would make it."""
    return f"there is no table {planned.target}, and `create: false` leaves making it to you: {planned.statement}"


def fill(template: str, schema: TableSchema) -> str:
    """The name that a template gives the table of `schema`."""
    name = template.format(
        database=schema.database,
        schema=schema.namespace,
        table=schema.relation or schema.table,
        prefix=schema.table.split(".", 1)[0],
    )
    # A source without namespaces leaves a field empty; the dot beside it would be part of no name.
    name = name.strip(".")
    return f"{name}__g{schema.generation}" if name and schema.generation > 1 else name

"""From the settings to the behaviours that the schema core decides with."""

from __future__ import annotations

from parrot_faust.schema.behaviour import Behaviour, Policy, TableChoice
from parrot_faust.settings.sections import Settings


def policy_of(settings: Settings) -> Policy:
    """What was chosen for changes of the tables' shapes."""
    tables = {
        name: TableChoice(
            Behaviour(table.schema_change) if table.schema_change else None,
            {kind: Behaviour(chosen) for kind, chosen in table.schema_change_kinds.items()},
        )
        for name, table in settings.tables.items()
        if table.schema_change or table.schema_change_kinds
    }
    kinds = {kind: Behaviour(chosen) for kind, chosen in settings.schema_change_kinds.items()}
    return Policy(Behaviour(settings.schema_change), kinds, tables)

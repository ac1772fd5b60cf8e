"""The JSON Schema of rule files, for editors: made of the same tables that reading a file goes by.

Write it anew after an expectation has changed::

    python -m parrot_faust.quality.editor_schema > quality_rules/rules.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from models import Action, Severity
from parrot_faust.quality.expectations import EXPECTATIONS, Expectation, short_name
from parrot_faust.quality.loading import OPS

_CHOICES = {
    "severity": {"enum": [str(one) for one in Severity], "description": "how bad a failure is"},
    "action": {"enum": [str(one) for one in Action], "description": "what happens to a row that fails"},
}
_OWN: dict[str, Any] = {
    "mostly": {"type": "number", "minimum": 0, "maximum": 1, "description": "the share of rows that must pass"},
    "row_condition": {"type": "string", "minLength": 1, "description": "only rows that meet it are checked"},
    "id": {"type": "string", "minLength": 1, "description": "the rule's name in failures, metrics and quarantine"},
    **_CHOICES,
}


def editor_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Data-quality rules of one table",
        "type": "object",
        "required": ["table"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1},
            "table": {"type": "string", "minLength": 1, "description": "the source topic, e.g. shop.public.orders"},
            "when": _object(
                {
                    "ops": {"type": "array", "minItems": 1, "items": {"enum": sorted(OPS)}},
                    "image": {"enum": ["before", "after"]},
                }
            ),
            "defaults": _object(_CHOICES),
            "columns": {
                "type": ["object", "null"],
                "additionalProperties": {"type": "array", "items": {"$ref": "#/$defs/column_check"}},
            },
            "rows": {"type": ["array", "null"], "items": {"$ref": "#/$defs/row_check"}},
        },
        "$defs": {
            **_OWN,
            **{short_name(name): _arguments(one) for name, one in EXPECTATIONS.items()},
            "column_check": _check({name: one for name, one in EXPECTATIONS.items() if not one.pair}),
            "row_check": _check({name: one for name, one in EXPECTATIONS.items() if one.pair}),
        },
    }


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _own() -> dict[str, Any]:
    return {name: {"$ref": f"#/$defs/{name}"} for name in _OWN}


def _check(expectations: dict[str, Expectation]) -> dict[str, Any]:
    """A check: its name alone, or its name with arguments and what is said beside it."""
    named = {name: short_name(full) for full in expectations for name in (short_name(full), full)}
    bare = [name for name, short in named.items() if _is_bare(expectations, short)]
    check = _object({**{name: {"$ref": f"#/$defs/{short}"} for name, short in named.items()}, **_own()})
    check["oneOf"] = [{"required": [name]} for name in named]
    return {"anyOf": [{"enum": bare}, check] if bare else [check]}


def _is_bare(expectations: dict[str, Expectation], short: str) -> bool:
    return any(short_name(name) == short and not (one.needed() or one.some) for name, one in expectations.items())


def _arguments(one: Expectation) -> dict[str, Any]:
    known = {name: {**argument.schema, "description": argument.says} for name, argument in one.named().items()}
    full = _object({**known, **_own()}, required=list(one.needed()))
    if one.some:
        full["anyOf"] = [{"required": [name]} for name in one.some]
    if one.short:
        return {"anyOf": [known[one.short], full]}
    return full if one.needed() or one.some else {"anyOf": [{"enum": [None, True]}, full]}


def main() -> None:
    """Write the schema to standard output."""
    json.dump(editor_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

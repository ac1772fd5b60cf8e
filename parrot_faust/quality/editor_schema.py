"""The JSON Schema of rule files, for editors: made of the same tables that reading a file goes by.

Write it anew after an expectation has changed::

    python -m parrot_faust.quality.editor_schema > quality_rules/rules.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from models import Action, Severity
from parrot_faust.quality.arguments import COLUMN, DURATION
from parrot_faust.quality.expectations import CHANGES, EXPECTATIONS, Expectation, Scope, short_name, spellings
from parrot_faust.quality.loading import MOST_EXACT
from parrot_faust.quality.rule_reading import OPS, OWN

_OWN: dict[str, Any] = {
    "mostly": {"type": "number", "minimum": 0, "maximum": 1, "description": "the share of rows that must pass"},
    "row_condition": {"type": "string", "minLength": 1, "description": "only rows that meet it are checked"},
    "id": {"type": "string", "minLength": 1, "description": "the rule's name in failures, metrics and quarantine"},
    "severity": {"enum": [str(one) for one in Severity], "description": "how bad a failure is"},
    "action": {"enum": [*(str(one) for one in Action), None], "description": "what happens to a row that fails"},
    "default": {"type": ["string", "number", "boolean"], "description": "what is put in the place of a bad value"},
    "ops": {
        "type": "array",
        "minItems": 1,
        "items": {"enum": list(OPS)},
        "description": "which changes are checked: c created, u updated, d deleted, r read by a snapshot",
    },
    "image": {"enum": ["before", "after"], "description": "which row of a change is checked"},
}


def editor_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12)."""
    rows = {name: one for name, one in EXPECTATIONS.items() if one.scope is Scope.ROW}
    windows = {name: one for name, one in EXPECTATIONS.items() if one.scope is Scope.WINDOW}
    shapes = {name: one for name, one in EXPECTATIONS.items() if one.scope is Scope.SHAPE}
    duration = {**DURATION.schema, "description": DURATION.says}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Data-quality rules of one table",
        "type": "object",
        "required": ["table"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1},
            "table": {"type": "string", "minLength": 1, "description": "the source topic, e.g. shop.public.orders"},
            "when": _nullable(_object({name: {"$ref": f"#/$defs/{name}"} for name in ("ops", "image")})),
            "defaults": _nullable(
                _object(
                    {
                        "severity": {"$ref": "#/$defs/severity"},
                        "action": {"enum": [*(str(one) for one in Action if one is not Action.DEFAULT), None]},
                    }
                )
            ),
            "columns": {
                "type": ["object", "null"],
                "propertyNames": {"minLength": 1},
                "additionalProperties": {"type": "array", "items": {"$ref": "#/$defs/column_check"}},
            },
            "rows": _list("row_check"),
            "transitions": _list("transition"),
            "immutable": _list("immutable"),
            "monotonic": _list("monotonic"),
            "windows": {
                "type": ["array", "null"],
                "items": _object(
                    {
                        "every": duration,
                        "exact": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": MOST_EXACT,
                            "description": "how many different values are counted exactly",
                        },
                        "grace": {"anyOf": [duration, {"enum": [0, "0s"]}], "description": "how long late rows count"},
                        "checks": {"type": "array", "items": {"$ref": "#/$defs/window_check"}},
                    },
                    required=["every", "checks"],
                ),
            },
            "schema": _list("shape_check"),
            "breaker": _nullable(
                _object(
                    {
                        "failed": {
                            "anyOf": [
                                {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
                                {"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]+)?%$"},
                            ],
                            "description": "pause the table when more than this share of rows failed, e.g. 20%",
                        },
                        "within": duration,
                        "at_least": {"type": "integer", "minimum": 1, "description": "rows, so that few do not decide"},
                        "resume": duration,
                    },
                    required=["failed", "within", "at_least"],
                )
            ),
        },
        "$defs": {
            **_OWN,
            **{
                short_name(name): _arguments(one, in_column=one.single and one.scope is Scope.ROW)
                for name, one in EXPECTATIONS.items()
                if one.scope is not Scope.CHANGE
            },
            "column_check": _check({name: one for name, one in rows.items() if one.single}, in_column=True),
            "row_check": _check({name: one for name, one in rows.items() if not one.single}),
            "window_check": _check(windows),
            "shape_check": _check(shapes),
            "transition": _change("transitions"),
            "immutable": {"anyOf": [COLUMN.schema, _change("immutable")]},
            "monotonic": {"anyOf": [COLUMN.schema, _change("monotonic")]},
        },
    }


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": ["object", "null"]}


def _list(name: str) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": {"$ref": f"#/$defs/{name}"}}


def _own(scope: Scope) -> dict[str, Any]:
    return {name: {"$ref": f"#/$defs/{name}"} for name in sorted(OWN[scope])}


def _check(expectations: dict[str, Expectation], *, in_column: bool = False) -> dict[str, Any]:
    """A check: its name alone, or its name with arguments and what is said beside it."""
    scope = next(iter(expectations.values())).scope
    named = {name: short_name(full) for full in expectations for name in spellings(full)}
    bare = [
        name
        for full, one in expectations.items()
        if not (_needed(one, in_column) or one.some)
        for name in spellings(full)
    ]
    check = _object({**{name: {"$ref": f"#/$defs/{short}"} for name, short in named.items()}, **_own(scope)})
    check["oneOf"] = [{"required": [name]} for name in named]
    return {"anyOf": [{"enum": bare}, check] if bare else [check]}


def _needed(one: Expectation, in_column: bool) -> tuple[str, ...]:
    return one.required if in_column else one.needed()


def _arguments(one: Expectation, *, in_column: bool) -> dict[str, Any]:
    known = {name: {**argument.schema, "description": argument.says} for name, argument in one.named().items()}
    if in_column:
        del known["column"]
    needed = _needed(one, in_column)
    full = _object({**known, **_own(one.scope)}, required=list(needed))
    if one.some:
        full["anyOf"] = [{"required": [name]} for name in one.some]
    if one.short and one.short in known:
        return {"anyOf": [known[one.short], full]}
    return full if needed or one.some else {"anyOf": [{"enum": [None, True]}, full]}


def _change(name: str) -> dict[str, Any]:
    one = CHANGES[name]
    known = {key: {**argument.schema, "description": argument.says} for key, argument in one.named().items()}
    return _object({**known, **_own(one.scope)}, required=list(one.needed()))


def main() -> None:
    """Write the schema to standard output."""
    json.dump(editor_schema(), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()

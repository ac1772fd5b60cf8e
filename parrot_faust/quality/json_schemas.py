"""JSON Schema on values: nothing is fetched, and no pattern can stall a worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from parrot_faust.quality.regexes import searcher


def json_schema_check(schema: dict[str, Any]) -> Callable[[Any], bool]:
    """Return the check of a JSON text against a schema. Raise ValueError for what is no schema.

    References lead only within the schema. The library is loaded on first use: most workers have no such rule.
    """
    import jsonschema
    import referencing
    from jsonschema import validators

    kind = validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ValueError(f"json_schema is no JSON Schema: {error.message}") from None
    _refuse_cunning(schema)
    extend: Any = validators.extend
    bounded = extend(kind, {"pattern": _pattern})
    registry: Any = referencing.Registry()  # holds nothing and retrieves nothing: no address is ever asked
    validator = bounded(schema, registry=registry)
    return lambda value: bool(validator.is_valid(json.loads(value)))


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[Any]:
    import jsonschema

    if isinstance(instance, str) and not searcher(pattern)(instance):
        yield jsonschema.ValidationError(f"{instance[:80]!r} does not match {pattern!r}")


def _refuse_cunning(schema: Any) -> None:
    """Refuse what could fetch or stall, and patterns that can't be used. Raise ValueError."""
    if isinstance(schema, list):
        for part in schema:
            _refuse_cunning(part)
    if not isinstance(schema, dict):
        return
    for name, part in schema.items():
        if name in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(part, str) and not part.startswith("#"):
            raise ValueError(f"{part!r} leads out of the schema: nothing is fetched here")
        if name == "pattern" and isinstance(part, str):
            searcher(part)
        if name == "patternProperties" and part:
            raise ValueError("patternProperties is not supported: its patterns would be matched without a time limit")
        if name not in ("const", "enum", "default", "examples"):
            _refuse_cunning(part)

"""Writing rules as YAML 1.2 that `loading.py` reads back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import UNSET

from models import Action, Severity
from parrot_faust.quality.expectations import CHANGES, EXPECTATIONS, Scope, short_name
from parrot_faust.quality.rules import Rule, RuleSet, Window

#: A text that YAML reads as nothing but itself.
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}  # older readers take more of them for booleans
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def text(value: str) -> str:
    """A text, in quotes where it needs them."""
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if value and "'" not in value and all(" " <= one <= "~" for one in value):
        return f"'{value}'"
    return f'"{"".join(map(_escaped, value))}"'


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return text(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _number(value) if isinstance(value, float) else str(value)


def duration(ms: int) -> str:
    """A time as rule files have it."""
    unit, size = next((unit, size) for unit, size in _UNITS if not ms % size)
    return f"{ms // size}{unit}"


def check_lines(rule: Rule, *, named: bool) -> list[str]:
    """A check as an item of a list, without indentation. `named` says that its column stands beside its arguments."""
    expectation, name = EXPECTATIONS[rule.type], short_name(rule.type)
    kwargs = {**({"column": rule.column} if named and rule.column else {}), **rule.kwargs}
    (only,) = kwargs if len(kwargs) == 1 else ("",)
    if only and only == expectation.short and not isinstance(kwargs[only], Mapping):
        first = f"{name}: {flow(kwargs[only])}"
    else:
        first = f"{name}: {flow(kwargs)}" if kwargs else name
    own = _own(rule, expectation.scope)
    if not own:
        return [f"- {first}"]
    return [f"- {first}" if kwargs else f"- {first}:", *(f"  {key}: {flow(value)}" for key, value in own.items())]


def sections(rules: RuleSet) -> list[str]:
    """The lines of `columns:`, `rows:` and all else that a set has, but for `when:` and `breaker:`."""
    columns: dict[str, list[Rule]] = {}
    for rule in rules.rules:
        if rule.column and rule.type not in CHANGES:
            columns.setdefault(rule.column, []).append(rule)
    lines = ["columns:"] if columns else []
    for column, checks in columns.items():
        lines += [f"  {text(column)}:", *_items(checks, "    ", named=False)]
    rows = [rule for rule in rules.rules if not rule.column]
    lines += ["rows:", *_items(rows, "  ", named=True)] if rows else []
    for name in CHANGES:
        some = [rule for rule in rules.rules if rule.type == name]
        lines += [f"{name}:", *(f"  - {_change(rule)}" for rule in some)] if some else []
    lines += ["windows:", *(line for one in rules.windows for line in _window(one))] if rules.windows else []
    return lines + (["schema:", *_items(rules.shape, "  ", named=True)] if rules.shape else [])


def _items(rules: Any, indent: str, *, named: bool) -> Iterator[str]:
    return (indent + line for rule in rules for line in check_lines(rule, named=named))


def _window(window: Window) -> list[str]:
    grace = duration(window.grace_ms) if window.grace_ms else "0s"
    return [
        f"  - every: {duration(window.every_ms)}",
        f"    grace: {grace}",
        "    checks:",
        *_items(window.rules, "      ", named=True),
    ]


def _change(rule: Rule) -> str:
    kwargs = dict(rule.kwargs)
    if "allow" in kwargs:
        kwargs["allow"] = dict(kwargs["allow"])
    return flow({"column": rule.column, **kwargs, **_own(rule, Scope.CHANGE)})


def _own(rule: Rule, scope: Scope) -> dict[str, Any]:
    """What is said beside the expectation, where it is not what is usual."""
    own: dict[str, Any] = {}
    name = short_name(rule.type)
    if rule.id != (f"{'.'.join(rule.columns)}.{name}" if rule.columns else name):
        own["id"] = rule.id
    if rule.row_condition:
        own["row_condition"] = rule.row_condition
    if rule.mostly != 1.0:
        own["mostly"] = rule.mostly
    if rule.severity is not Severity.CRITICAL:
        own["severity"] = str(rule.severity)
    if scope in (Scope.ROW, Scope.CHANGE) and rule.action is not Action.QUARANTINE:
        own["action"] = str(rule.action)
    if rule.default is not UNSET:
        own["default"] = rule.default
    if scope is Scope.ROW and rule.when is not UNSET:
        own["ops"] = list(rule.when.ops)
        if rule.when.image == "before":
            own["image"] = "before"
    return own


def _number(value: float) -> str:
    shown = repr(value)
    if "e" in shown and "." not in shown:
        return shown.replace("e", ".0e")  # without a point some readers take it for a text
    return shown


def _escaped(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    code = ord(one)
    if " " <= one <= "~" or (code < 0xD800 and one.isprintable()):
        return one
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"

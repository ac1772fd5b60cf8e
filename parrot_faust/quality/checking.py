"""What is worth saying of a rule set that can be read: patterns that may explode, and rules that do not fit a table."""

from __future__ import annotations

from models import Column, TableSchema
from parrot_faust.quality.compiling import compile_rules
from parrot_faust.quality.regexes import BUDGET_S, Bounded, explodes, searcher
from parrot_faust.quality.rules import RuleSet
from parrot_faust.quality.shapes import judge_shape


def warnings_of(rules: RuleSet) -> list[str]:
    """What may surprise who wrote the rules."""
    found = []
    for rule in rules.every_rule():
        for pattern in [rule.kwargs.get("regex"), *(rule.kwargs.get("regex_list") or ())]:
            if not isinstance(pattern, str):
                continue
            bounded = isinstance(searcher(pattern), Bounded)
            reason = explodes(pattern)
            if reason and bounded:
                found.append(
                    f"rule {rule.id}: the pattern {pattern!r} may explode ({reason}), and it needs an engine "
                    f'that backtracks: a row that takes over {BUDGET_S * 1e3:g} ms fails with "time limit"'
                )
            elif reason:
                found.append(
                    f"rule {rule.id}: the pattern {pattern!r} may explode in other engines ({reason}); here its time "
                    "is linear in the text"
                )
    return found


def misfits(rules: RuleSet, schema: TableSchema) -> list[tuple[str, str]]:
    """Rules that would be suspended on a table of this shape, or can't do what they say, each with the reason."""
    compiled = compile_rules(rules, schema)
    found = [(rule.id, reason) for rule, reason in (*compiled.suspended, *compiled.concerns)]
    known = {column.name for column in schema.columns}
    for rule in (rule for window in rules.windows for rule in window.rules):
        if missing := sorted(set(rule.columns) - known):
            found.append((rule.id, f"the table has no column {', '.join(missing)}"))
    return found


def shape_failures(rules: RuleSet, schema: TableSchema) -> list[str]:
    """Which of the rules about the table's columns do not hold for this shape."""
    columns: dict[str, Column | None] = {column.name: column for column in schema.columns}
    verdicts = [(rule, judge_shape(rule, columns)) for rule in rules.shape]
    return [
        f"rule {rule.id} does not hold for the table as it is: {verdict.observed}"
        for rule, verdict in verdicts
        if not verdict.success
    ]

"""The pages made from code say what the code has, and nothing in it goes unsaid."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

from parrot_faust.creation import KuduRange
from parrot_faust.delivery.stats import Outcome
from parrot_faust.masking import way_of
from parrot_faust.reference import commands, metrics, settings
from parrot_faust.settings import Settings, Source
from parrot_faust.tls import Tls
from parrot_faust.web.metrics import METERS, OUTCOMES

DOCS = Path(__file__).resolve().parents[2] / "docs"
DASHBOARD = DOCS.parent / "deploy" / "grafana-dashboard.json"
PAGES: dict[str, Callable[[str], str]] = {
    "settings.md": settings.filled,
    "metrics.md": metrics.filled,
    "commands.md": commands.filled,
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_makes(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert PAGES[name](text) == text, "run: make reference"


def test_every_setting_says_what_it_is_and_nothing_else_does() -> None:
    found = settings.sections()
    assert found[Settings] == [""]
    assert found[Tls] == ["kafka.tls", "source.registry_tls", "sinks.hbase.tls"]
    assert "tables.<topic>.kudu.range" in found[KuduRange]
    assert settings.MEANS.keys() == found.keys()
    for section in found:
        assert list(settings.MEANS[section]) == list(section.__struct_fields__), section
        assert all(settings.MEANS[section].values()), section


def test_types_and_defaults_are_said_as_they_are_written() -> None:
    def said(section: type, name: str) -> tuple[str, str]:
        field = next(field for field in msgspec.structs.fields(section) if field.name == name)
        return settings.kind_of(field.type), settings.default_of(field)

    assert said(Source, "topics") == ("a text", "**must be set**")
    assert said(Source, "registry_password") == ("a text, secret", "none")
    assert said(Source, "exclude") == ("a list, each a text", "none")
    assert said(Settings, "brokers") == ("a list, each a text", "`127.0.0.1:9092`")
    assert said(Settings, "truncate") == ("`report`", "`report`")
    assert said(Tls, "verify_host") == ("`true`, `false`", "`true`")


def test_every_label_and_outcome_of_a_metric_is_explained() -> None:
    assert set(metrics.LABELS) == {label for meter in METERS for label in meter.labels}
    assert tuple(metrics.OUTCOME) == OUTCOMES
    assert set(OUTCOMES) == {*Outcome, "tombstones"}
    assert all(meter.help.endswith(".") for meter in METERS)


def test_every_command_and_option_says_what_it_does() -> None:
    found = dict(commands.commands())
    assert len(found) > 50
    for path, context in found.items():
        assert context.command.help, path
        for option in context.command.params:
            if isinstance(option, click.Option):
                assert option.help, (path, option.name)


def test_every_metric_of_the_dashboard_is_on_the_page() -> None:
    def expressions(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["expr"]] if isinstance(node.get("expr"), str) else []
            return own + [text for value in node.values() for text in expressions(value)]
        return [text for one in node for text in expressions(one)] if isinstance(node, list) else []

    shown = set(re.findall(r"\bparrot_\w+", " ".join(expressions(json.loads(DASHBOARD.read_text(encoding="utf-8"))))))
    assert len(shown) > 5
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert {name for name in shown if re.sub(r"_(bucket|sum|count)$", "", name) not in text} == set()


def test_the_ways_to_mask_that_are_documented_exist() -> None:
    text = (DOCS / "security.md").read_text(encoding="utf-8")
    shown = re.findall(r"^      \w+: (sha256|keep last 4|redact)\b", text, re.MULTILINE)
    assert [way_of(word).word for word in shown] == ["sha256", "keep last 4", "redact"]

"""A connector's settings file: taken as Connect has it, refused where it is wrong, and shown without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parrot_faust.connect import read_config, shown
from parrot_faust.errors import ConnectError

CLASS = {"connector.class": "io.debezium.connector.postgresql.PostgresConnector"}


def write(folder: Path, content: Any) -> Path:
    file = folder / "connector.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize("wrap", [lambda config: config, lambda config: {"name": "x", "config": config}])
def test_both_forms_are_taken_and_every_value_is_a_text(tmp_path: Path, wrap: Any) -> None:
    file = write(tmp_path, wrap({**CLASS, "database.port": 5432, "tombstones.on.delete": True}))
    assert read_config(file, {}) == {**CLASS, "database.port": "5432", "tombstones.on.delete": "true"}


def test_secrets_come_from_the_environment_and_connects_own_references_stay(tmp_path: Path) -> None:
    file = write(tmp_path, {**CLASS, "database.password": "${DB}", "other.password": "${file:/run/s:p}"})
    assert read_config(file, {"DB": 'a"b'}) == {
        **CLASS,
        "database.password": 'a"b',
        "other.password": "${file:/run/s:p}",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"connector.class": }', ":1:21: Expecting value"),
        ("[]", "connector.class is missing"),
        ({"config": {"name": "x"}}, "connector.class is missing"),
        ({**CLASS, "transforms": ["a"]}, "transforms must be a text"),
        ({**CLASS, "database.password": "${GONE}"}, "database.password needs the environment variable GONE"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, content: Any, said: str) -> None:
    file = write(tmp_path, content)
    with pytest.raises(ConnectError) as refused:
        read_config(file, {})
    assert str(refused.value).startswith(str(file))
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=r"no\.json can't be read: No such file"):
        read_config(tmp_path / "no.json", {})


@pytest.mark.parametrize(
    ("key", "value", "seen"),
    [
        ("database.password", "hunter2", "********"),
        ("value.converter.basic.auth.credentials.source", "x", "********"),
        ("sasl.jaas.config", "x", "********"),
        ("database.password", "${file:/run/s:p}", "${file:/run/s:p}"),
        ("database.password", "", ""),
        ("database.hostname", "db", "db"),
    ],
)
def test_secrets_are_hidden_and_where_they_are_kept_is_not(key: str, value: str, seen: str) -> None:
    assert shown(key, value) == seen

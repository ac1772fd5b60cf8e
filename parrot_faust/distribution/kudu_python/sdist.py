"""Getting kudu-python's sources. They exist only as a source distribution, and pip runs its setup.py to download it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from parrot_faust.distribution.fetch import Cache, sha256_of
from parrot_faust.distribution.lock import Artefact
from parrot_faust.errors import DistributionError

#: The last setuptools with pkg_resources, which setup.py imports, is below 82.
SETUPTOOLS = "setuptools==80.9.0 --hash=sha256:062d34222ad13e0cc312a4c02d73f059e86a4acbfbdea8f8f76b28c99f306922"
CYTHON_VERSION = "0.29.37"  # what setup.py asks for by name before it does anything else


def fetch_sdist(artefact: Artefact, cache: Cache, scratch: Path) -> Path:
    """Return the verified source distribution, from the cache or else fetched into it.

    `scratch` is an empty folder to work in. Raise DistributionError when it can't be had or is not the locked one.
    """
    if cache.check(artefact):
        return cache.path(artefact)
    fetched = download(artefact, scratch)
    target = cache.path(artefact)
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(target)
    cache.check(artefact, fully=True)
    return target


def download(artefact: Artefact, scratch: Path) -> Path:
    """Download into `scratch` with pip, in an environment of its own that is thrown away with it."""
    environment = scratch / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    requirement = scratch / "setuptools.txt"
    requirement.write_text(f"{SETUPTOOLS}\n", encoding="utf-8")
    _pip(python, "install", "--no-deps", "--require-hashes", "--requirement", str(requirement))
    _stand_in_for_cython(environment)
    sources = _empty_kudu_home(scratch / "kudu")
    wanted = scratch / "wanted.txt"
    wanted.write_text(f"{artefact.coordinate} --hash=sha256:{artefact.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--require-hashes"]
    destination = scratch / "sdist"
    _pip(python, "download", *options, "--dest", str(destination), "--requirement", str(wanted), KUDU_HOME=str(sources))
    found = [path for path in destination.iterdir() if path.suffix == ".gz"]
    if len(found) != 1 or sha256_of(found[0]) != artefact.sha256:
        raise DistributionError(f"{artefact.coordinate} did not arrive as it is locked: it is refused")
    return found[0]


def _pip(python: Path, command: str, *arguments: str, **variables: str) -> None:
    line = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*line, command, *arguments],
        env={**os.environ, "CC": "g++", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["pip said nothing"]
        reason = next((line for line in lines if line.startswith("ERROR:")), lines[-1])
        raise DistributionError(f"kudu-python's sources could not be fetched: {reason}")


def _stand_in_for_cython(environment: Path) -> None:
    """setup.py runs Cython over sources whose result is in the archive already: here it finds one that does nothing."""
    (site,) = environment.glob("lib/python*/site-packages")
    metadata = f"Metadata-Version: 2.1\nName: Cython\nVersion: {CYTHON_VERSION}\n"
    files = {
        f"Cython-{CYTHON_VERSION}.dist-info/METADATA": metadata,
        "Cython/__init__.py": "",
        "Cython/Build.py": "cythonize = list\n",
        "Cython/Distutils.py": "from setuptools.command.build_ext import build_ext\n",
    }
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _empty_kudu_home(folder: Path) -> Path:
    """The least that setup.py takes for a Kudu source tree."""
    header = folder / "src" / "kudu" / "util" / "int128.h"
    header.parent.mkdir(parents=True)
    header.write_text("#define KUDU_INT128_SUPPORTED 1\n", encoding="utf-8")
    (folder / "build" / "latest").mkdir(parents=True)
    return folder

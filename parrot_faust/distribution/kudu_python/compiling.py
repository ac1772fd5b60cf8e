"""Compiling kudu-python's generated C++ against headers of our own, without its setup.py."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from parrot_faust.distribution.kudu_python.libraries import STANDS_IN_FOR
from parrot_faust.errors import DistributionError

HERE = Path(__file__).parent
OWN_HEADERS = HERE / "include"
STAND_IN_SOURCE = HERE / "tcmalloc_stand_in.cpp"
#: client is by far the longest to compile, so it starts first and the others run beside it.
MODULES = ("client", "schema", "errors")
#: -fwrapv is what Cython's output is written for; warnings about generated code would help nobody.
FLAGS = ("-O2", "-w", "-fPIC", "-shared", "-DNDEBUG", "-fwrapv", "-fvisibility=hidden", "-s")
CURE = "install it, for example with: apt-get install g++"

_ASK = (
    "import json, sys, sysconfig; print(json.dumps(["
    "'cp%d%d' % sys.version_info[:2], sysconfig.get_config_var('EXT_SUFFIX'), sysconfig.get_path('include')]))"
)


@dataclass(frozen=True, slots=True)
class Target:
    """The Python to build for: its tag (``cp311``), what extension modules end in, and its header folder."""

    tag: str
    suffix: str
    include: Path

    @classmethod
    def of(cls, python: Path) -> Target:
        """Ask `python`. Raise DistributionError when it does not answer or this platform has no binaries."""
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise DistributionError(
                f"Kudu's libraries exist for Linux x86_64 only, this is {platform.system()} {platform.machine()}: "
                "use `docker compose up`"
            )
        try:
            done = subprocess.run([str(python), "-c", _ASK], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise DistributionError(f"{python} is no Python that runs: {error}") from error
        tag, suffix, include = json.loads(done.stdout)
        return cls(tag, suffix, Path(include))


def compiler(target: Target) -> str:
    """The path of g++. Raise DistributionError, naming the cure, when it or Python's own headers are not there."""
    found = shutil.which("g++")
    if found is None:
        raise DistributionError(f"g++ is needed once to build Kudu's Python client and is not on PATH: {CURE}")
    if not (target.include / "Python.h").exists():
        raise DistributionError(
            f"Python's headers are needed once to build Kudu's Python client and {target.include} has no Python.h: "
            "install them, for example with: apt-get install python3-dev"
        )
    return found


def compile_modules(
    sources: Path, output: Path, target: Target, headers: Path, libraries: Path, link: Sequence[str], run_path: str
) -> list[Path]:
    """Compile the modules of `sources` into `output`, side by side; return them.

    `link` are library names in `libraries`, `run_path` is where they are looked for at run time. The run path is
    written in its old form, which the libraries below inherit: with the new one they take the machine's Kerberos.
    """
    command = compiler(target)
    end = [f"-L{libraries}", "-Wl,--no-as-needed", *(f"-l{name}" for name in link)]
    end.append(f"-Wl,--disable-new-dtags,-rpath,{run_path}")

    def build(name: str) -> Path:
        module = output / f"{name}{target.suffix}"
        includes = [f"-I{headers}", f"-I{target.include}"]
        _run([command, *FLAGS, *includes, str(sources / f"{name}.cpp"), "-o", str(module), *end])
        return module

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(build, MODULES))


def compile_stand_in(output: Path, target: Target) -> Path:
    """Compile the stand-in for tcmalloc into the folder `output`; return its path."""
    library = output / STANDS_IN_FOR
    flags = ["-O2", "-fPIC", "-shared", "-s", f"-Wl,-soname,{STANDS_IN_FOR}"]
    _run([compiler(target), *flags, str(STAND_IN_SOURCE), "-o", str(library), "-ldl"])
    return library


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        first = next((line for line in lines if "error" in line), lines[-1] if lines else "g++ said nothing")
        raise DistributionError(f"Kudu's Python client could not be built: {first}")


def current_python() -> Path:
    """The interpreter that runs, by its path within its environment."""
    return Path(sys.executable)

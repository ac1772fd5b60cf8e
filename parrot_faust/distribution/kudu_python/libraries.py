"""What the compiled modules need of Kudu's client libraries: which files, and whether every symbol is there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from parrot_faust.errors import DistributionError

CLIENT = "libkudu_client.so"
#: The libraries that kudu-python calls. A client installed by itself carries the other two inside the first.
CALLED = ("kudu_client", "kudu_util", "kudu_common")
#: Replaced by our stand-in, see tcmalloc_stand_in.cpp.
STANDS_IN_FOR = "libtcmalloc.so.4"
#: Plain is enough to talk to a cluster without Kerberos.
SASL_MECHANISM = Path("sasl2", "libplain.so")

_NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.+)]")
_OF_KUDU = "4kudu"  # namespace kudu, as it is written in a mangled name


def called(folder: Path) -> list[str]:
    """The names to link with, of those that kudu-python calls and `folder` holds. Raise DistributionError when the
    client library itself is not there.
    """
    if not (folder / CLIENT).exists():
        raise DistributionError(
            f"{folder} has no {CLIENT}: KUDU_HOME must name a folder with include/ and lib/ of Kudu"
        )
    return [name for name in CALLED if (folder / f"lib{name}.so").exists()]


def closure(folder: Path, root: str = CLIENT) -> list[str]:
    """File names in `folder` that loading `root` brings in, `root` among them and the stand-in's name not."""
    found: list[str] = []
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name in found or name == STANDS_IN_FOR or not (folder / name).exists():
            continue
        found.append(name)
        waiting += _NEEDED.findall(_output("readelf", "--wide", "--dynamic", str(folder / name)))
    return sorted(found)


def missing_symbols(modules: Iterable[Path], libraries: Iterable[Path]) -> list[str]:
    """Kudu's symbols that the modules want and the libraries do not define, demangled and sorted.

    A declaration of ours that is not exactly the library's ends up here, before it can crash anything.
    """
    wanted = {symbol for module in modules for symbol in _symbols("--undefined-only", module) if _OF_KUDU in symbol}
    defined = {symbol for library in libraries for symbol in _symbols("--defined-only", library)}
    absent = sorted(wanted - defined)
    return _output("c++filt", *absent).splitlines() if absent else []


def _symbols(which: str, file: Path) -> set[str]:
    lines = _output("nm", "--dynamic", "--format=posix", which, str(file)).splitlines()
    return {line.split(" ", 1)[0].split("@", 1)[0] for line in lines if line}


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise DistributionError(f"{command[0]} is needed to build Kudu's Python client: install binutils") from error
    except subprocess.CalledProcessError as error:
        raise DistributionError(f"{' '.join(command)} failed: {error.stderr.strip()}") from error

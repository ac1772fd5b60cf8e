"""Building the wheel once, into the cache, and installing it.

Neither a wheel of kudu-python nor Kudu's C++ headers are published anywhere; its sources and Kudu's libraries are. So
the generated sources are compiled against headers of our own (include/), every symbol they then want is looked for in
the libraries, and the libraries travel inside the wheel: `import kudu` needs no environment variable.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from parrot_faust.distribution import fetch, lock
from parrot_faust.distribution.kudu_python import compiling, libraries, wheel
from parrot_faust.distribution.kudu_python.sdist import fetch_sdist
from parrot_faust.distribution.unpack import unpack_tar, unpack_zip
from parrot_faust.errors import DistributionError

NAME = "kudu-python"
#: kudu-python asks for exact old versions of these; newer ones pass all of its and our tests.
REQUIRES = ("six", "pytz")
KUDU_HOME = "KUDU_HOME"

Progress = Callable[[str], None]


def silent(_step: str) -> None:
    """Progress that nobody watches."""


def ensure_wheel(
    cache: Path, kudu_tree: Path | None = None, python: Path | None = None, progress: Progress = silent
) -> Path:
    """Return the wheel for `python` (the running one by default), built when the cache has none of these inputs.

    `kudu_tree` is the unpacked kudu-binary archive when the caller has it; otherwise it is fetched. With KUDU_HOME in
    the environment its include/ and lib/ are used instead and nothing of Kudu's is fetched or put into the wheel.
    `progress` hears each step in words. Raise DistributionError, which says what to do, on any failure.
    """
    target = compiling.Target.of(python or compiling.current_python())
    home = Path(os.environ[KUDU_HOME]).resolve() if os.environ.get(KUDU_HOME) else None
    version = wheel_version(target, home)
    tag = f"{target.tag}-{target.tag}-linux_x86_64"
    path = cache / "wheels" / f"{NAME.replace('-', '_')}-{version}-{tag}.whl"
    if path.exists():
        return path
    compiling.compiler(target)  # said before anything is fetched
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_suffix(".lock")), tempfile.TemporaryDirectory(dir=path.parent, prefix="building-") as folder:
        if path.exists():  # another process has built it meanwhile
            return path
        scratch = Path(folder)
        progress("fetching the sources of kudu-python")
        source = _sources(fetch.Cache(cache), scratch)
        packed = scratch / "packed"
        _python_files(source, packed / "kudu")
        progress("compiling kudu-python")
        if home is not None:
            _against(home, source, packed / "kudu", target)
        else:
            tree = kudu_tree or _kudu_tree(fetch.Cache(cache), scratch)
            _with_libraries(tree / "lib", source, packed / "kudu", target)
        progress("packing the wheel")
        made = scratch / path.name
        wheel.pack(packed, made, name=NAME, version=version, tag=tag, requires=REQUIRES)
        made.replace(path)
    return path


def wheel_version(target: compiling.Target, home: Path | None) -> str:
    """kudu-python's version with a local part that is equal exactly when all inputs of the build are."""
    digest = hashlib.sha256()
    (sources,) = lock.bundle(NAME)
    (binaries,) = lock.bundle("kudu")
    kudu = binaries.sha256 if home is None else f"{home} {fetch.sha256_of(home / 'lib' / libraries.CLIENT)}"
    for part in (sources.sha256, kudu, target.tag, target.suffix, *compiling.FLAGS):
        digest.update(part.encode() + b"\0")
    recipe = [compiling.HERE / name for name in ("build.py", "compiling.py", "libraries.py", "wheel.py")]
    for file in sorted([*recipe, compiling.STAND_IN_SOURCE, *compiling.OWN_HEADERS.rglob("*.h")]):
        digest.update(file.read_bytes())
    return f"{sources.version}+parrot.{digest.hexdigest()[:12]}"


def install(path: Path, python: Path | None = None) -> bool:
    """Install the wheel at `path` into `python`'s environment, without its dependencies; return whether it had to be.

    Takes uv where there is one, pip otherwise. Raise DistributionError when neither can.
    """
    chosen = python or compiling.current_python()
    version = path.name.split("-")[1]
    if python is None and _installed() == version:
        return False
    uv = shutil.which("uv") or shutil.which("uv", path=str(chosen.parent))
    options = ["--quiet", "--no-deps", "--no-index", "--force-reinstall", str(path)]
    command = [uv, "pip", "install", "--python", str(chosen)] if uv else [str(chosen), "-m", "pip", "install"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DistributionError(f"{path.name} could not be installed into {chosen}: {last}")
    return True


def _installed() -> str | None:
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return None


def _sources(cache: fetch.Cache, scratch: Path) -> Path:
    (artefact,) = lock.bundle(NAME)
    fetching = scratch / "fetching"
    fetching.mkdir()
    archive = fetch_sdist(artefact, cache, fetching)
    unpack_tar(archive, scratch / "source")
    (root,) = (scratch / "source").iterdir()
    return root


def _kudu_tree(cache: fetch.Cache, scratch: Path) -> Path:
    artefacts = lock.bundle("kudu")
    cache.ensure(artefacts, fetch.Silent())
    unpack_zip(cache.path(artefacts[0]), scratch / "binaries")
    (root,) = (path for path in (scratch / "binaries").iterdir() if (path / "lib").is_dir())
    return root


def _python_files(source: Path, package: Path) -> None:
    package.mkdir(parents=True)
    for file in (source / "kudu").glob("*.py"):
        shutil.copyfile(file, package / file.name)
    shutil.copyfile(source / "LICENSE.txt", package / "LICENSE.txt")


def _with_libraries(folder: Path, source: Path, package: Path, target: compiling.Target) -> None:
    """Compile against our headers and put Kudu's libraries into the package."""
    own = package / "lib"
    link = libraries.called(folder)
    modules = compiling.compile_modules(
        source / "kudu", package, target, compiling.OWN_HEADERS, folder, link, "$ORIGIN/lib"
    )
    _check(modules, folder, link)
    own.mkdir()
    for name in libraries.closure(folder):
        shutil.copyfile(folder / name, own / name)
    compiling.compile_stand_in(own, target)
    (own / libraries.SASL_MECHANISM).parent.mkdir()
    shutil.copyfile(folder / libraries.SASL_MECHANISM, own / libraries.SASL_MECHANISM)


def _against(home: Path, source: Path, package: Path, target: compiling.Target) -> None:
    """Compile against the headers and libraries of a machine that has Kudu's own."""
    folder = home / "lib"
    link = libraries.called(folder)
    modules = compiling.compile_modules(source / "kudu", package, target, home / "include", folder, link, str(folder))
    _check(modules, folder, link)


def _check(modules: list[Path], folder: Path, link: list[str]) -> None:
    absent = libraries.missing_symbols(modules, [folder / f"lib{name}.so" for name in link])
    if absent:
        raise DistributionError(
            f"the declarations in kudu_python/include do not fit {folder}: {len(absent)} symbols are not there, "
            f"for example {absent[0]}"
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time builds; the others wait for it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

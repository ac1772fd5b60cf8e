"""Unpacking archives without trusting them."""

from __future__ import annotations

import io
import json
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from parrot_faust.distribution.fetch import exclusively
from parrot_faust.errors import DistributionError

MAX_UNPACKED = 2 << 30  # bytes; the largest archive here unpacks to 150 MB
EXECUTABLE = 0o755


def check_name(archive: str, name: str) -> None:
    """Raise DistributionError when an entry would land outside the folder it is unpacked to."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise DistributionError(f"{archive} holds the entry {name!r}, which leaves the folder: nothing was unpacked")


def unpack_tar(archive: Path | io.BufferedIOBase, target: Path, *, name: str = "") -> None:
    """Unpack a tar archive of any compression: plain files, folders, and links that stay inside."""
    label = name or str(archive)
    source = (
        tarfile.open(archive, "r:*") if isinstance(archive, Path) else tarfile.open(fileobj=archive, mode="r:*")  # noqa: SIM115
    )
    with source as tar:
        members = tar.getmembers()
        if sum(member.size for member in members) > MAX_UNPACKED:
            raise DistributionError(f"{label} would unpack to more than {MAX_UNPACKED} bytes")
        for member in members:
            check_name(label, member.name)
            if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
                raise DistributionError(f"{label} holds the special file {member.name!r}: nothing was unpacked")
        try:
            tar.extractall(target, members=members, filter="data")
        except tarfile.FilterError as error:
            raise DistributionError(f"{label}: {error}") from error


def unpack_zip(archive: Path, target: Path) -> None:
    """Unpack a zip archive of plain files and folders."""
    with zipfile.ZipFile(archive) as source:
        entries = source.infolist()
        if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise DistributionError(f"{archive} would unpack to more than {MAX_UNPACKED} bytes")
        for entry in entries:
            check_name(str(archive), entry.filename)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise DistributionError(f"{archive} holds the link {entry.filename!r}: nothing was unpacked")
        source.extractall(target)  # noqa: S202 - every entry was checked above


def tree(cache: Path, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder `key` below the cache, built by `build` if it is not there yet.

    It appears by a rename when it is whole. A file in it that was changed later is named by a DistributionError.
    """
    target = cache / "trees" / key
    manifest = target / ".manifest.json"
    if manifest.exists():
        _verify(target, json.loads(manifest.read_text(encoding="utf-8")))
        return target
    with exclusively(target.parent / f"{key}.lock"):
        if manifest.exists():  # made by another command, which was waited for
            return target
        for left in target.parent.glob(f"{key}-*"):  # of a command that was killed
            shutil.rmtree(left, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{key}-"))
        try:
            build(scratch)
            scratch.chmod(EXECUTABLE)
            (scratch / ".manifest.json").write_text(json.dumps(_listing(scratch)), encoding="utf-8")
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _listing(root: Path) -> dict[str, list[int]]:
    return {
        str(path.relative_to(root)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.name != ".manifest.json"
    }


def _verify(root: Path, manifest: dict[str, list[int]]) -> None:
    for name, known in manifest.items():
        try:
            found = (root / name).stat()
        except FileNotFoundError:
            raise DistributionError(f"{root / name} is gone: delete {root} and run the command again") from None
        if [found.st_size, found.st_mtime_ns] != known:
            raise DistributionError(f"{root / name} was changed: delete {root} and run the command again")

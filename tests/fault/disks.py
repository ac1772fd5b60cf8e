"""A small disk that can be filled: a file system in memory of a fixed size, where one may mount."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BALLAST = ".ballast"
BLOCK = 1 << 16


@dataclass(frozen=True)
class Disk:
    """A mounted folder of a fixed size."""

    folder: Path

    def fill(self) -> None:
        """Take what is left of it, to the last byte; what is freed meanwhile too, when called again."""
        with (self.folder / BALLAST).open("ab", buffering=0) as ballast:
            for size in (BLOCK, 1):
                try:
                    while ballast.write(b"\0" * size):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        """Give back what was taken."""
        (self.folder / BALLAST).unlink(missing_ok=True)


def may_mount(folder: Path) -> bool:
    """Whether this process may mount a file system here."""
    probe = folder / "mount-probe"
    probe.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", probe], capture_output=True, check=False
    ).returncode
    if done == 0:
        subprocess.run(["umount", probe], check=True)
    probe.rmdir()
    return done == 0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Mount a file system of `size` bytes at a folder. Whatever still uses it at the end keeps it until it lets go."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    disk = Disk(folder)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)

"""Packing a folder as a wheel."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

#: Zip archives know no earlier time. A fixed one makes equal inputs equal wheels.
TIME = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644 << 16


def pack(root: Path, target: Path, *, name: str, version: str, tag: str, requires: tuple[str, ...]) -> None:
    """Write everything below `root`, with metadata, as the wheel `target`. `tag` is python-abi-platform."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "License: Apache-2.0"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    contents[f"{info}/METADATA"] = "\n".join([*metadata, ""]).encode()
    wheel = ["Wheel-Version: 1.0", "Generator: parrot-faust", "Root-Is-Purelib: false", f"Tag: {tag}", ""]
    contents[f"{info}/WHEEL"] = "\n".join(wheel).encode()
    record = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in contents.items()]
    record.append(f"{info}/RECORD,,")
    contents[f"{info}/RECORD"] = "\n".join([*record, ""]).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = FILE_MODE
            archive.writestr(entry, content)


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

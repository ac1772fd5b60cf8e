from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from parrot_faust.distribution.unpack import check_name, tree, unpack_tar, unpack_zip
from parrot_faust.errors import DistributionError

OUTSIDE = ["../evil", "a/../../evil", "/evil", "a/..\\evil", "a\0b"]


def tar_of(folder: Path, *members: tarfile.TarInfo) -> Path:
    archive = folder / "archive.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        harmless = tarfile.TarInfo("harmless.txt")
        harmless.size = 2
        tar.addfile(harmless, io.BytesIO(b"ok"))
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return archive


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def landed(target: Path) -> list[str]:
    return sorted(str(path.relative_to(target.parent)) for path in target.parent.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leaves_the_folder_is_refused(name: str) -> None:
    with pytest.raises(DistributionError, match=r"some\.jar holds the entry .* leaves the folder"):
        check_name("some.jar", name)


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil"])
def test_a_tar_member_outside_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    archive = tar_of(tmp_path, member(name))
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(DistributionError, match="leaves the folder: nothing was unpacked"):
        unpack_tar(archive, target)
    assert landed(target) == []


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE], ids=["char", "block", "fifo"])
def test_devices_and_pipes_in_a_tar_are_refused_before_anything_is_written(tmp_path: Path, kind: bytes) -> None:
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(DistributionError, match="special file 'odd'"):
        unpack_tar(tar_of(tmp_path, member("odd", kind)), target)
    assert landed(target) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE], ids=["symbolic", "hard"])
@pytest.mark.parametrize("link", ["../../outside", "/etc/passwd"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, kind: bytes, link: str) -> None:
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(DistributionError):
        unpack_tar(tar_of(tmp_path, member("link", kind, link)), target)
    assert not os.path.lexists(target / "link")


def test_a_file_written_through_a_link_does_not_land_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    through = member("door/evil.txt")
    through.size = 1
    with pytest.raises(DistributionError):
        unpack_tar(tar_of(tmp_path, member("door", tarfile.SYMTYPE, str(outside)), through), tmp_path / "target")
    assert list(outside.iterdir()) == []


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    unpack_tar(tar_of(tmp_path, member("same.txt", tarfile.SYMTYPE, "harmless.txt")), tmp_path / "target")
    assert (tmp_path / "target" / "same.txt").read_text() == "ok"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "a\\..\\evil"])
def test_a_zip_entry_outside_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as jar:
        jar.writestr("harmless.txt", "ok")
        jar.writestr(name, "evil")
    target = tmp_path / "deep" / "target"
    target.mkdir(parents=True)
    with pytest.raises(DistributionError, match="leaves the folder: nothing was unpacked"):
        unpack_zip(archive, target)
    assert landed(target) == []


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as jar:
        jar.writestr(entry, "/etc/passwd")
    with pytest.raises(DistributionError, match="holds the link 'link'"):
        unpack_zip(tmp_path / "archive.zip", tmp_path / "target")


def test_an_archive_that_would_fill_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parrot_faust.distribution.unpack.MAX_UNPACKED", 1000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as jar:
        jar.writestr("zeros", b"\0" * 1001)
    large = member("zeros")
    large.size = 1001
    for unpack, archive in ((unpack_zip, tmp_path / "bomb.zip"), (unpack_tar, tar_of(tmp_path, large))):
        with pytest.raises(DistributionError, match="more than 1000 bytes"):
            unpack(archive, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_tree_is_built_once(tmp_path: Path) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "file").write_text("x")

    assert tree(tmp_path, "key", build) == tree(tmp_path, "key", build)
    assert len(built) == 1


def test_a_tree_whose_building_failed_is_built_anew(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        tree(tmp_path, "key", fail)
    left = tmp_path / "trees" / "key-killed"
    left.mkdir(parents=True)  # as a command that was killed leaves it
    made = tree(tmp_path, "key", lambda folder: (folder / "whole").touch())
    assert [path.name for path in made.iterdir() if not path.name.startswith(".")] == ["whole"]
    assert not left.exists()


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_file_of_a_tree_is_named(tmp_path: Path, damage: str) -> None:
    made = tree(tmp_path, "key", lambda folder: (folder / "file").write_text("x") and None)
    if damage == "gone":
        (made / "file").unlink()
    else:
        (made / "file").write_text("yy")
    with pytest.raises(DistributionError, match=rf"key/file (was changed|is gone): delete .*{made.name}"):
        tree(tmp_path, "key", lambda _folder: None)

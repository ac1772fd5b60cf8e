from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from parrot_faust.distribution.kudu_python import build, compiling, ensure_wheel, libraries, wheel
from parrot_faust.distribution.kudu_python.compiling import Target
from parrot_faust.errors import DistributionError


@pytest.fixture
def target() -> Target:
    return Target.of(Path(sys.executable))


def compiled(folder: Path, name: str, code: str, *more: str) -> Path:
    source = folder / f"{name}.cpp"
    source.write_text(code, encoding="utf-8")
    library = folder / f"{name}.so"
    subprocess.run(["g++", "-shared", "-fPIC", str(source), "-o", str(library), *more], check=True)
    return library


def test_declaration_that_is_not_the_librarys_is_found(tmp_path: Path) -> None:
    library = compiled(
        tmp_path, "libkudu_client", "namespace kudu { int Right(int x) { return x; } int Wrong(long) { return 0; } }"
    )
    declared = (
        "namespace kudu { int Right(int); int Wrong(int); } int use() { return kudu::Right(1) + kudu::Wrong(2); }"
    )
    module = compiled(tmp_path, "module", declared)
    assert libraries.missing_symbols([module], [library]) == ["kudu::Wrong(int)"]


def test_nothing_is_missing_where_declarations_fit(tmp_path: Path) -> None:
    library = compiled(tmp_path, "libkudu_client", "namespace kudu { int Right(int x) { return x; } }")
    module = compiled(tmp_path, "module", "namespace kudu { int Right(int); } int use() { return kudu::Right(1); }")
    assert libraries.missing_symbols([module], [library]) == []


def test_closure_holds_what_loading_brings_in_and_nothing_of_the_machine(tmp_path: Path) -> None:
    compiled(tmp_path, "libdeep", "int deep() { return 1; }")
    compiled(tmp_path, "libalone", "int alone() { return 1; }")
    links = ["-Wl,--no-as-needed", f"-L{tmp_path}", "-ldeep"]
    compiled(tmp_path, "libkudu_client", "int top() { return 1; }", *links)
    assert libraries.closure(tmp_path) == ["libdeep.so", "libkudu_client.so"]


def test_folder_without_kudu_is_named(tmp_path: Path) -> None:
    with pytest.raises(DistributionError, match="KUDU_HOME"):
        libraries.called(tmp_path)


def test_packed_wheel_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "kudu" / "lib").mkdir(parents=True)
    (root / "kudu" / "__init__.py").write_text("x = 1\n")
    (root / "kudu" / "lib" / "libx.so").write_bytes(b"\x7fELF")
    made = tmp_path / "made.whl"
    wheel.pack(root, made, name="kudu-python", version="1.0+a", tag="cp311-cp311-linux_x86_64", requires=("six",))
    with zipfile.ZipFile(made) as archive:
        record = archive.read("kudu_python-1.0+a.dist-info/RECORD").decode().splitlines()
        listed = {line.split(",")[0]: line.split(",")[1] for line in record}
        assert set(listed) == set(archive.namelist())
        for name, digest in listed.items():
            if digest:
                found = base64.urlsafe_b64encode(hashlib.sha256(archive.read(name)).digest()).rstrip(b"=").decode()
                assert digest == f"sha256={found}"


def test_equal_inputs_pack_to_equal_wheels(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.py").write_text("1")
    for name in ("one", "two"):
        wheel.pack(root, tmp_path / name, name="k", version="1", tag="t", requires=())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_missing_compiler_is_one_line_that_names_the_cure(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DistributionError, match="install g\\+\\+") as missing:
        ensure_wheel(tmp_path)
    assert "\n" not in str(missing.value)


def test_missing_python_headers_are_named(tmp_path: Path) -> None:
    with pytest.raises(DistributionError, match=r"Python\.h"):
        compiling.compiler(Target("cp311", ".so", tmp_path))


def test_wheel_in_the_cache_needs_no_compiler(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"kudu_python-{build.wheel_version(target, None)}-{target.tag}-{target.tag}-linux_x86_64.whl"
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / name).write_bytes(b"")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure_wheel(tmp_path) == tmp_path / "wheels" / name


def test_changed_header_makes_another_wheel(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.wheel_version(target, None)
    (tmp_path / "client.h").write_text("// changed\n")
    monkeypatch.setattr(compiling, "OWN_HEADERS", tmp_path)
    assert build.wheel_version(target, None) != before


def test_another_python_makes_another_wheel(target: Target) -> None:
    other = Target("cp399", target.suffix, target.include)
    assert build.wheel_version(other, None) != build.wheel_version(target, None)


def test_refused_code_is_told_with_its_first_error(target: Target, tmp_path: Path) -> None:
    for name in compiling.MODULES:
        (tmp_path / f"{name}.cpp").write_text("int broken = nonsense;\n")
    with pytest.raises(DistributionError, match="nonsense"):
        compiling.compile_modules(tmp_path, tmp_path, target, tmp_path, tmp_path, [], "$ORIGIN/lib")

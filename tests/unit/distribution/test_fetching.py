from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from parrot_faust.distribution import fetch
from parrot_faust.distribution.fetch import AT_ONCE, Cache, Silent
from parrot_faust.distribution.lock import Artefact
from parrot_faust.errors import DistributionError

Advance = Callable[[int], None]
PATIENCE_S = 60.0  # only a failing test waits so long


def content(name: str) -> bytes:
    return f"the bytes of {name}".encode() * 100


def artefact(name: str) -> Artefact:
    data = content(name)
    return Artefact("some", f"org.example:{name}:1.0", "1.0", hashlib.sha256(data).hexdigest(), len(data), "MIT")


class Repository:
    """Stands for the registry: counts what is asked of it, and fails where it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.forged: set[str] = set()

    def __call__(self, wanted: Artefact, folder: Path, advance: Advance) -> Path:
        name = wanted.coordinate.split(":")[1]
        self.asked.append(name)
        if name in self.broken:
            raise DistributionError(f"{wanted.coordinate} could not be fetched: the line is cut")
        file = folder / wanted.filename
        file.write_bytes(b"something else" if name in self.forged else content(name))
        advance(wanted.size)
        return file


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = Repository()
    monkeypatch.setattr(fetch, "_from_maven", made)
    return made


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_what_was_fetched_once_is_not_fetched_again(cache: Cache, repository: Repository) -> None:
    wanted = [artefact("a"), artefact("b")]
    assert cache.ensure(wanted, Silent()) == wanted
    assert cache.ensure(wanted, Silent()) == []
    assert Cache(cache.root).ensure(wanted, Silent(), fully=True) == []
    assert sorted(repository.asked) == ["a", "b"]
    assert cache.path(wanted[0]).read_bytes() == content("a")


def test_one_changed_byte_is_noticed_and_named(cache: Cache, repository: Repository) -> None:
    cache.ensure([artefact("a")], Silent())
    file = cache.path(artefact("a"))
    data = bytearray(file.read_bytes())
    data[7] ^= 1
    file.write_bytes(data)
    with pytest.raises(DistributionError, match=r"a-1\.0\.jar is not org\.example:a:1\.0 as it was locked") as error:
        cache.ensure([artefact("a")], Silent())
    assert str(file) in str(error.value)


def test_a_changed_byte_under_the_old_time_is_noticed_when_all_is_read_again(
    cache: Cache, repository: Repository
) -> None:
    cache.ensure([artefact("a")], Silent())
    file = cache.path(artefact("a"))
    before = file.stat()
    file.write_bytes(b"T" + file.read_bytes()[1:])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DistributionError, match=r"org\.example:a:1\.0"):
        cache.ensure([artefact("a")], Silent(), fully=True)


def test_a_truncated_file_is_noticed(cache: Cache, repository: Repository) -> None:
    cache.ensure([artefact("a")], Silent())
    file = cache.path(artefact("a"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DistributionError, match=r"org\.example:a:1\.0"):
        cache.check(artefact("a"))


@pytest.mark.parametrize("left", [b"", b"[12", b'{"size": 1}'])
def test_a_half_written_note_of_verification_is_made_anew(cache: Cache, repository: Repository, left: bytes) -> None:
    cache.ensure([artefact("a")], Silent())
    note = cache.path(artefact("a")).with_name("verified.json")
    whole = note.read_bytes()
    note.write_bytes(left)
    assert cache.check(artefact("a"))
    assert note.read_bytes() == whole


def test_a_wrong_hash_on_arrival_is_refused_by_name_and_not_kept(cache: Cache, repository: Repository) -> None:
    repository.forged.add("b")
    with pytest.raises(DistributionError, match=r"org\.example:b:1\.0 arrived with SHA-256 .* it is refused"):
        cache.ensure([artefact("b")], Silent())
    assert not cache.path(artefact("b")).exists()
    assert not list(cache.root.rglob("*.jar"))


def test_after_an_interruption_only_what_is_missing_is_fetched(cache: Cache, repository: Repository) -> None:
    wanted = [artefact(name) for name in "abc"]
    repository.broken.add("c")
    with pytest.raises(DistributionError, match="the line is cut"):
        cache.ensure(wanted, Silent())
    have = {one.coordinate for one in wanted if cache.check(one)}
    assert artefact("c").coordinate not in have
    repository.broken.clear()
    repository.asked.clear()
    cache.ensure(wanted, Silent())
    assert sorted(repository.asked) == sorted(c.split(":")[1] for c in {one.coordinate for one in wanted} - have)


def test_what_a_killed_fetch_has_left_is_removed(cache: Cache, repository: Repository) -> None:
    left = cache.path(artefact("a")).parent / "fetching-abc"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"x")
    cache.ensure([artefact("a")], Silent())
    assert not left.exists()
    assert cache.check(artefact("a"))


def test_several_are_fetched_at_a_time(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(AT_ONCE, timeout=PATIENCE_S)
    repository = Repository()

    def slow(wanted: Artefact, folder: Path, advance: Advance) -> Path:
        together.wait()  # breaks unless that many are here at once
        return repository(wanted, folder, advance)

    monkeypatch.setattr(fetch, "_from_maven", slow)
    cache.ensure([artefact(f"a{number}") for number in range(AT_ONCE)], Silent())
    assert len(repository.asked) == AT_ONCE


def test_two_commands_share_a_cache_and_fetch_each_artefact_once(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, inside, go = Repository(), threading.Event(), threading.Event()

    def slow(wanted: Artefact, folder: Path, advance: Advance) -> Path:
        inside.set()
        go.wait(PATIENCE_S)
        assert folder.exists()
        return repository(wanted, folder, advance)

    monkeypatch.setattr(fetch, "_from_maven", slow)
    fetched: list[list[Artefact]] = []
    commands = [
        threading.Thread(target=lambda: fetched.append(Cache(cache.root).ensure([artefact("a")], Silent())))
        for _ in range(2)
    ]
    commands[0].start()
    assert inside.wait(PATIENCE_S)
    commands[1].start()
    commands[1].join(0.2)  # it waits for the first one
    go.set()
    for command in commands:
        command.join(PATIENCE_S)
    assert repository.asked == ["a"]
    assert sorted(len(one) for one in fetched) == [0, 1]


def test_one_failure_stops_the_other_downloads(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, failed, stopped = threading.Event(), threading.Event(), threading.Event()

    def endless(wanted: Artefact, folder: Path, advance: Advance) -> Path:
        if wanted.coordinate.split(":")[1] == "broken":
            assert begun.wait(PATIENCE_S)  # one that has not begun is not stopped: it never begins
            failed.set()
            raise DistributionError("the line is cut")
        begun.set()
        failed.wait(PATIENCE_S)
        for _ in range(int(PATIENCE_S * 100)):
            try:
                advance(1)
            except DistributionError:
                stopped.set()
                raise
            threading.Event().wait(0.01)
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr(fetch, "_from_maven", endless)
    with pytest.raises(DistributionError, match="the line is cut"):
        cache.ensure([artefact("broken"), artefact("endless")], Silent())
    assert stopped.is_set()


def test_progress_hears_of_every_byte(cache: Cache, repository: Repository) -> None:
    heard: list[tuple[str, str, int]] = []

    class Ear:
        def begin(self, artefact: Artefact) -> None:
            heard.append(("begin", artefact.coordinate, 0))

        def advance(self, artefact: Artefact, count: int) -> None:
            heard.append(("advance", artefact.coordinate, count))

        def end(self, artefact: Artefact) -> None:
            heard.append(("end", artefact.coordinate, 0))

    wanted = artefact("a")
    cache.ensure([wanted], Ear())
    assert [what for what, _, _ in heard] == ["begin", "advance", "end"]
    assert sum(count for _, _, count in heard) == wanted.size


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARROT_CACHE", str(tmp_path / "here"))
    assert fetch.default_cache() == tmp_path / "here"
    monkeypatch.delenv("PARROT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetch.default_cache() == tmp_path / "parrot-faust"

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parrot_faust.cli.check import _local_connect
from parrot_faust.distribution.state import ProcessRecord, State, default_folder
from parrot_faust.errors import DistributionError


def free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_ports_are_free_ones_and_stay_the_same(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    ports = {name: state.port(name) for name in ("kafka", "postgres", "hbase", "kudu")}
    assert len(set(ports.values())) == len(ports)
    assert all(free(port) for port in ports.values())
    again = State.load(tmp_path)
    assert again.identity == state.identity
    assert {name: again.port(name) for name in ports} == ports


def test_a_port_in_use_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", State.load(tmp_path / "first").port("kafka")))
        taken = holder.getsockname()[1]
        # The kernel proposes what leads to the taken port first, then what it likes.
        proposals = [taken - 15_000 + 16_000 * 2]

        class Proposed(socket.socket):
            def getsockname(self) -> tuple[str, int]:
                return ("127.0.0.1", proposals.pop()) if proposals else super().getsockname()

        monkeypatch.setattr("parrot_faust.distribution.state.socket.socket", Proposed)
        assert State.load(tmp_path / "second").port("kafka") != taken
        assert not proposals


def test_a_command_that_only_looks_does_not_change_ports_that_another_chose(tmp_path: Path) -> None:
    looking = State.load(tmp_path)
    starting = State.load(tmp_path)
    chosen = starting.port("kafka")
    starting.processes["kafka"] = ProcessRecord(1, 2.0)
    starting.save()
    assert looking.port("kafka") == chosen
    looking.port("postgres")
    after = State.load(tmp_path)
    assert after.port("kafka") == chosen
    assert after.processes == {"kafka": ProcessRecord(1, 2.0)}


def test_saving_records_keeps_ports_that_another_command_chose(tmp_path: Path) -> None:
    starting, looking = State.load(tmp_path), State.load(tmp_path)
    chosen = looking.port("connect")
    starting.save()
    assert State.load(tmp_path).port("connect") == chosen


def test_components_that_ask_side_by_side_get_ports_of_their_own(tmp_path: Path) -> None:
    names = [f"component-{number}" for number in range(20)]
    states = [State.load(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: states[number % 4].port(names[number % 20]), range(80)))
    assert len(set(answers)) == len(names)
    assert all(answers[number] == answers[number + 20] for number in range(60))


def test_a_new_folder_asked_from_many_sides_has_one_identity(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len({state.identity for state in pool.map(lambda _: State.load(tmp_path), range(16))}) == 1


def test_a_password_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    password = state.secret("postgres")
    file = tmp_path / "secrets" / "postgres"
    assert len(password) >= 24
    assert State.load(tmp_path).secret("postgres") == password
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert State.load(tmp_path / "other").secret("postgres") != password


def test_a_password_asked_from_many_sides_is_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: State.load(tmp_path).secret("postgres"), range(16)))) == 1


def test_the_state_file_holds_no_password_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    password = state.secret("postgres")
    state.port("postgres")
    state.save()
    assert password not in (tmp_path / "state.json").read_text()
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_writing_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    state.port("kafka")
    state.secret("postgres")
    state.save()
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"state.json", "writing", "secrets/postgres"}


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"identity": "x", "ports": {}, "processes": {"kafka": 3}}'])
def test_a_state_that_cant_be_read_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(DistributionError, match=r"state\.json can't be read .* delete the folder"):
        State.load(tmp_path)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_is_not_this_user_s_is_named_and_commands_go_on_that_need_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    def refuse(folder: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(folder))

    monkeypatch.setenv("PARROT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DistributionError, match="PARROT_STATE"):
        State.load(tmp_path / "state")
    assert _local_connect() is None


def test_a_reader_never_sees_half_a_state(tmp_path: Path) -> None:
    state = State.load(tmp_path)
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            state.processes[f"process-{number}"] = ProcessRecord(number, float(number))
            state.save()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or reads == 0:
        json.loads((tmp_path / "state.json").read_text())
        reads += 1
    writer.join()
    assert len(State.load(tmp_path).processes) == 200


def test_a_second_command_is_told_that_one_is_working(tmp_path: Path) -> None:
    first, second = State.load(tmp_path), State.load(tmp_path)
    with first.locked(), pytest.raises(DistributionError, match="another parrot command is working"), second.locked():
        pass
    with second.locked():
        pass


def test_the_folder_can_be_chosen_and_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARROT_STATE", "here")
    assert default_folder() == tmp_path / "here"
    monkeypatch.delenv("PARROT_STATE")
    assert default_folder().name == ".parrot"
    assert default_folder().is_absolute()

"""A browser is found, or installed, or its lack is said in one line with its cure: the tests are never skipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from chromium import APT, CURE, PLAYWRIGHT, ChromiumMissing, Machine, find

THEIRS = "/home/me/.cache/ms-playwright/chrome"


class Imagined:
    """A machine on which commands bring programs, of which some do not start."""

    def __init__(self, *programs: str, root: bool = True, broken: Sequence[str] = (), **brings: str) -> None:
        self.programs, self.broken, self.brings = [*programs], broken, brings
        self.commands: list[Sequence[str]] = []
        self.machine = Machine(self.which, self.run, lambda: THEIRS, lambda: root)

    def which(self, name: str) -> str | None:
        path = name if name.startswith("/") else f"/usr/bin/{name}"
        return path if path in self.programs else None

    def run(self, command: Sequence[str], timeout_s: float) -> bool:
        assert timeout_s > 0
        if command[-1] == "--version":
            return command[0] not in self.broken
        self.commands.append(command)
        what = "playwright" if command == PLAYWRIGHT else command[1]
        self.programs += [self.brings[what]] if self.brings.get(what) else []
        return what in self.brings


def test_one_on_the_machine_is_taken_and_nothing_is_installed() -> None:
    imagined = Imagined("/usr/bin/chromium", "/usr/bin/google-chrome")
    assert find(imagined.machine) == Path("/usr/bin/chromium")
    assert not imagined.commands


def test_playwrights_own_of_a_former_time_is_taken() -> None:
    imagined = Imagined(THEIRS)
    assert find(imagined.machine) == Path(THEIRS)
    assert not imagined.commands


def test_one_that_does_not_start_is_passed_over() -> None:
    imagined = Imagined("/usr/bin/chromium-browser", "/usr/bin/google-chrome", broken=["/usr/bin/chromium-browser"])
    assert find(imagined.machine) == Path("/usr/bin/google-chrome")


def test_where_none_is_playwright_installs_one() -> None:
    imagined = Imagined("/usr/bin/apt-get", playwright=THEIRS)
    assert find(imagined.machine) == Path(THEIRS)
    assert imagined.commands == [PLAYWRIGHT]


@pytest.mark.parametrize(
    "more", [{}, {"playwright": ""}, {"playwright": THEIRS, "broken": [THEIRS]}], ids=["fails", "lies", "can't start"]
)
def test_where_playwright_can_not_root_takes_the_distributions_package(more: dict[str, str]) -> None:
    imagined = Imagined("/usr/bin/apt-get", update="", install="/usr/bin/chromium", **more)
    assert find(imagined.machine) == Path("/usr/bin/chromium")
    assert imagined.commands == [PLAYWRIGHT, *APT]


@pytest.mark.parametrize(
    ("imagined", "because"),
    [
        (Imagined("/usr/bin/apt-get", root=False, update="", install="/usr/bin/chromium"), "only root"),
        (Imagined(), "there is no apt-get"),
        (Imagined("/usr/bin/apt-get"), "apt-get could not"),
        (Imagined("/usr/bin/apt-get", update="", install="/usr/bin/chromium", broken=["/usr/bin/chromium"]), "starts"),
    ],
    ids=["not root", "not Debian", "no network", "can't start"],
)
def test_where_none_can_be_had_one_line_names_the_cure(imagined: Imagined, because: str) -> None:
    with pytest.raises(ChromiumMissing) as told:
        find(imagined.machine)
    assert CURE in str(told.value)
    assert because in str(told.value)
    assert "\n" not in str(told.value)

"""A Chromium for the tests: one on the machine, else what Playwright installs, else the distribution's package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "chrome-headless-shell")
#: Playwright gives it a new profile, and no sandbox, which root could not have. It is to ask nobody of its own accord.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PLAYWRIGHT = (sys.executable, "-m", "playwright", "install", "chromium")
APT = (("apt-get", "update"), ("apt-get", "install", "-y", "--no-install-recommends", "chromium"))
ANSWER_S = 60.0
FETCH_S = 600.0
CURE = "install it (Debian: apt-get install chromium), so that it is on the PATH"


class ChromiumMissing(Exception):
    """There is none, and none could be installed."""


def run(command: Sequence[str], timeout_s: float) -> bool:
    """Whether a command could be run, and said that all went well."""
    environment = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000",  # it tries again, and others
    }
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def playwright_s() -> str:
    """Where Playwright's own is, or would be."""
    with sync_playwright() as tool:
        return tool.chromium.executable_path


@dataclass(frozen=True)
class Machine:
    """What is asked of the machine."""

    which: Callable[[str], str | None] = shutil.which
    run: Callable[[Sequence[str], float], bool] = run
    playwright_s: Callable[[], str] = playwright_s
    is_root: Callable[[], bool] = lambda: os.geteuid() == 0


HERE = Machine()


def find(machine: Machine = HERE) -> Path:
    """A Chromium that starts. Raise ChromiumMissing with the cure in one line when there is none."""
    if found := _on(machine):
        return found
    tried = ["none is on this machine"]
    if machine.run(PLAYWRIGHT, FETCH_S) and (found := _on(machine)):
        return found
    tried.append("Playwright could not install one that starts")
    if not machine.is_root():
        tried.append("only root could install a package")
    elif machine.which("apt-get") is None:
        tried.append("there is no apt-get")
    elif all(machine.run(command, FETCH_S) for command in APT) and (found := _on(machine)):
        return found
    else:
        tried.append("apt-get could not install one that starts")
    raise ChromiumMissing(f"the tests of the web view need Chromium: {CURE}. {', '.join(tried).capitalize()}.")


def _on(machine: Machine) -> Path | None:
    """One that is there and starts: some names belong to scripts that only say what to install."""
    for name in (*NAMES, machine.playwright_s()):
        path = machine.which(name)
        if path and machine.run((path, "--no-sandbox", "--version"), ANSWER_S):
            return Path(path)
    return None


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, running. While it does, this thread can begin no event loop: `asyncio.run` needs another one."""
    found = find()
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=found, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()

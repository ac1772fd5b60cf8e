"""What every component states of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parrot_faust.distribution.fetch import Cache
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.processes import Launch
from parrot_faust.distribution.state import State

LOOPBACK = "127.0.0.1"
#: The servers run beside each other on a developer's machine: one small heap each, and the collector with the least
#: threads. The first compiler tier alone brings them up in half the time and is fast enough for what a demo asks.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")


@dataclass(frozen=True, slots=True)
class Context:
    """What a component may use to start: its state, the cache, and a Java runtime."""

    state: State
    cache: Cache
    java: Path | None

    def jars(self, name: str) -> list[Path]:
        """The files of a bundle in the cache."""
        return [self.cache.path(artefact) for artefact in bundle(name)]

    def class_path(self, name: str) -> str:
        """A Java class path of a bundle."""
        return ":".join(str(path) for path in self.jars(name))

    def jvm(self, heap_mb: int, *options: str) -> list[str]:
        """The start of a Java command line."""
        if self.java is None:
            raise ValueError("this component needs a Java runtime")
        return [str(self.java), f"-Xmx{heap_mb}m", *JVM, *options]


@dataclass(frozen=True, slots=True)
class Component:
    """A server of the distribution.

    `processes` names what `launches` starts, in order. `prepare` runs before them and may take long; `ready` asks the
    server itself whether it can do its work, and raises anything (or returns False) while it can't. `address` is what
    a client needs, for people.
    """

    name: str
    version: str
    bundles: tuple[str, ...]
    processes: tuple[str, ...]
    needs: tuple[str, ...]
    java: bool
    prepare: Callable[[Context], None]
    launches: Callable[[Context], Sequence[Launch]]
    ready: Callable[[Context], bool]
    address: Callable[[State], str]
    timeout_s: float = 120.0

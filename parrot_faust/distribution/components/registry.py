"""The schema registry: Apicurio, with the Confluent-compatible API. Its schemas live in a file."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from parrot_faust.distribution.components.base import LOOPBACK, Component, Context
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.processes import Launch
from parrot_faust.distribution.state import State
from parrot_faust.distribution.unpack import tree, unpack_tar

VERSION = "2.6.13"
ANSWER_TIMEOUT_S = 3


def _programs(context: Context) -> Path:
    (artefact,) = bundle("registry")
    archive = context.cache.path(artefact)
    return tree(context.cache.root, f"registry-{artefact.sha256[:16]}", lambda folder: unpack_tar(archive, folder))


def prepare(context: Context) -> None:
    """Unpack it, once."""
    _programs(context)


def launches(context: Context) -> Sequence[Launch]:
    """One process. Its database is a file: in memory, as it is by default, ids would begin again at every start, and
    what was written before would be read with another schema, or none.
    """
    programs = _programs(context)
    runner = next(programs.glob("**/*-runner.jar"))
    folder = context.state.data("registry")
    options = context.jvm(
        512,
        f"-Dquarkus.http.host={LOOPBACK}",
        f"-Dquarkus.http.port={context.state.port('registry')}",
        f"-Dquarkus.datasource.jdbc.url=jdbc:h2:file:{folder / 'schemas'}",
        "-Dquarkus.log.level=WARN",
        "-Dregistry.events.sink.testsink=",
    )
    return [Launch("registry", [*options, "-jar", runner], folder=folder)]


def url(state: State) -> str:
    """The base of Apicurio's own API and of the Confluent-compatible one."""
    return f"http://{LOOPBACK}:{state.port('registry')}/apis"


def ready(context: Context) -> bool:
    """Whether the Confluent-compatible API lists its subjects."""
    with urllib.request.urlopen(  # noqa: S310 - an http address of our own
        f"{url(context.state)}/ccompat/v7/subjects", timeout=ANSWER_TIMEOUT_S
    ) as answer:
        return isinstance(json.load(answer), list)


COMPONENT = Component(
    name="registry",
    version=VERSION,
    bundles=("registry",),
    processes=("registry",),
    needs=(),
    java=True,
    prepare=prepare,
    launches=launches,
    ready=ready,
    address=lambda state: f"{url(state)}/ccompat/v7",
)

"""Kudu: one master and one tablet server. These binaries are made for tests and demos, never for production."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from parrot_faust.distribution.components.base import LOOPBACK, Component, Context
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.processes import Launch
from parrot_faust.distribution.state import State
from parrot_faust.distribution.unpack import EXECUTABLE, tree, unpack_zip

VERSION = "1.18.0"
ANSWER_TIMEOUT_S = 10


def programs(context: Context) -> Path:
    """The folder with bin, lib and www, unpacked once."""
    (artefact,) = bundle("kudu")

    def build(folder: Path) -> None:
        unpack_zip(context.cache.path(artefact), folder)
        for path in folder.glob("*/bin/*"):  # a zip archive of this kind keeps no run bits
            path.chmod(EXECUTABLE)

    unpacked = tree(context.cache.root, f"kudu-{artefact.sha256[:16]}", build)
    return next(unpacked.glob("*/bin")).parent


def _environment(root: Path) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(root / "lib"), "SASL_PATH": str(root / "lib" / "sasl2")}


def prepare(context: Context) -> None:
    """Unpack the programs, once."""
    programs(context)


def masters(state: State) -> str:
    """The master's address."""
    return f"{LOOPBACK}:{state.port('kudu-master')}"


def launches(context: Context) -> Sequence[Launch]:
    """The master, then the tablet server, which looks for it until it is there."""
    state, root = context.state, programs(context)

    def launch(name: str, program: str, *flags: str) -> Launch:
        folder = state.data(name)
        common = [
            f"--fs_wal_dir={folder}/wal",
            f"--rpc_bind_addresses={LOOPBACK}:{state.port(name)}",
            f"--webserver_interface={LOOPBACK}",
            f"--webserver_port={state.port(f'{name}-web')}",
            f"--webserver_doc_root={root}/www",
            f"--log_dir={folder}",
            "--unlock_experimental_flags",
            "--unlock_unsafe_flags",
            # A machine whose clock is not synchronised by NTP would end the servers otherwise.
            "--time_source=system_unsync",
            "--minloglevel=1",
            "--logtostderr",
        ]
        return Launch(name, [root / "bin" / program, *common, *flags], _environment(root), folder)

    return [
        launch("kudu-master", "kudu-master", "--default_num_replicas=1"),
        launch("kudu-tserver", "kudu-tserver", f"--tserver_master_addrs={masters(state)}"),
    ]


def ready(context: Context) -> bool:
    """Whether the tablet server answers, and the master knows of it."""
    tserver = f"{LOOPBACK}:{context.state.port('kudu-tserver')}"
    if _ask(context, "status", tserver) is None:
        return False
    known = _ask(context, "list", masters(context.state), "--columns=rpc-addresses", "--format=space")
    return known is not None and tserver in known


def _ask(context: Context, *words: str) -> str | None:
    root = programs(context)
    done = subprocess.run(
        [root / "bin" / "kudu", "tserver", *words],
        env=_environment(root),
        capture_output=True,
        text=True,
        timeout=ANSWER_TIMEOUT_S,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None


COMPONENT = Component(
    name="kudu",
    version=VERSION,
    bundles=("kudu",),
    processes=("kudu-master", "kudu-tserver"),
    needs=(),
    java=False,
    prepare=prepare,
    launches=launches,
    ready=ready,
    address=masters,
)

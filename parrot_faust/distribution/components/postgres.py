"""PostgreSQL, with logical decoding on."""

from __future__ import annotations

import io
import os
import pwd
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from parrot_faust.distribution.components.base import LOOPBACK, Component, Context
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.processes import Launch, run
from parrot_faust.distribution.state import State
from parrot_faust.distribution.unpack import tree, unpack_tar

VERSION = "17.6"
DATABASE = "shop"
USER = "parrot"
CONNECT_TIMEOUT_S = 3


def _owner() -> tuple[int, int] | None:
    """Whom the server runs as: it refuses to be root. None for oneself."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


def _reachable(folder: Path) -> bool:
    """Whether any user may pass through to `folder`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (folder, *folder.parents))


def _home(state: State) -> Path:
    """The folder for data and programs: below the state folder, or a temporary one where that is closed to others."""
    if _owner() is None or _reachable(state.folder):
        return state.data("postgres")
    folder = Path(tempfile.gettempdir()) / f"parrot-postgres-{state.identity}"
    folder.mkdir(exist_ok=True)
    return folder


def _programs(context: Context) -> Path:
    (artefact,) = bundle("postgres")

    def build(folder: Path) -> None:
        with zipfile.ZipFile(context.cache.path(artefact)) as jar:
            (name,) = [name for name in jar.namelist() if name.endswith(".txz")]
            unpack_tar(io.BytesIO(jar.read(name)), folder, name=f"{artefact.filename}!{name}")

    base = context.cache.root
    if _owner() is not None and not (base.exists() and _reachable(base)):
        base = _home(context.state)
    return tree(base, f"postgres-{artefact.sha256[:16]}", build)


def prepare(context: Context) -> None:
    """Make the database cluster, once. It gets its name when it is whole: initdb may be killed at any point."""
    home, programs, owner = _home(context.state), _programs(context), _owner()
    if (home / "cluster").exists():
        return
    home.chmod(0o755)
    making = home / "making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    password = making / "password"
    password.touch(mode=0o600)
    password.write_text(context.state.secret("postgres"), encoding="utf-8")
    if owner:
        os.chown(making, *owner)
        os.chown(password, *owner)
    user, group = owner or (None, None)
    options = ["-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", "--no-sync", f"--pwfile={password}"]
    command: list[str | Path] = [programs / "bin/initdb", "-D", making / "cluster", "-U", USER, *options]
    run(context.state, Launch("initdb", command, folder=home, user=user, group=group))
    (making / "cluster").rename(home / "cluster")
    shutil.rmtree(making)


def launches(context: Context) -> Sequence[Launch]:
    """One server process; it serves loopback only and no socket file."""
    owner = _owner()
    settings = {
        "port": context.state.port("postgres"),
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",
        "wal_level": "logical",
        "max_replication_slots": 20,
        "max_wal_senders": 20,
        "max_connections": 60,
        "shared_buffers": "64MB",
        "wal_sender_timeout": 0,
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    home = _home(context.state)
    command: list[str | Path] = [_programs(context) / "bin/postgres", "-D", home / "cluster", *options]
    user, group = owner or (None, None)
    return [Launch("postgres", command, folder=home, user=user, group=group)]


def parameters(state: State) -> dict[str, Any]:
    """What psycopg needs to connect to the shop database."""
    return {
        "host": LOOPBACK,
        "port": state.port("postgres"),
        "user": USER,
        "password": state.secret("postgres"),
        "dbname": DATABASE,
    }


def ready(context: Context) -> bool:
    """Whether it answers a query; the database is made at the first time."""
    wanted = parameters(context.state)
    maintenance = {**wanted, "dbname": "postgres"}
    with psycopg.connect(**maintenance, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True) as connection:
        exists = connection.execute("select 1 from pg_database where datname = %s", (DATABASE,)).fetchone()
        if not exists:
            connection.execute(f"create database {DATABASE}")
    return True


COMPONENT = Component(
    name="postgres",
    version=VERSION,
    bundles=("postgres",),
    processes=("postgres",),
    needs=(),
    java=False,
    prepare=prepare,
    launches=launches,
    ready=ready,
    address=lambda state: f"{LOOPBACK}:{state.port('postgres')}",
)

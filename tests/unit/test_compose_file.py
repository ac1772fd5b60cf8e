"""docker-compose.yml: the way for machines on which the local distribution has no binaries."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import containers
import jsonschema
import pytest
from ruamel.yaml import YAML

from parrot_faust.distribution.components import COMPONENTS
from parrot_faust.distribution.components.hbase import OPENS
from parrot_faust.distribution.lock import bundle
from parrot_faust.distribution.state import State

TOP = Path(__file__).resolve().parents[2]
DISTRIBUTION = TOP / "parrot_faust" / "distribution"
#: What is built: its services and the list of jars that goes in.
BUILT = {
    "hbase.Dockerfile": ({"hbase", "hbase-thrift", "hbase-thrift2"}, "hbase-jars.txt"),
    "connect.Dockerfile": ({"connect"}, "avro-converter-jars.txt"),
}
#: service -> the bundle of the lock file whose (first) version its image has
VERSIONS = {
    "postgres": "postgres",
    "kafka": "kafka",
    "registry": "registry",
    "connect": "debezium-postgres",
    "hbase": "hbase",
    "hbase-thrift": "hbase",
    "hbase-thrift2": "hbase",
    "kudu-master": "kudu",
    "kudu-tserver": "kudu",
}
LOOPBACK_PORT = re.compile(r"127\.0\.0\.1:(\d+|\$\{[A-Z0-9_]+:-\d+\}):\d+")
VARIABLE = re.compile(r"(?<!\$)\$\{?([A-Z][A-Z0-9_]*)")
PINNED = re.compile(r"[\w./-]+:\d+\.\d+[\w.-]*")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load((TOP / "docker-compose.yml").read_text(encoding="utf-8"))
    return content


def schema() -> dict[str, Any]:
    """The compose specification's own schema, as the package check-jsonschema carries it."""
    file = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(schema(), format_checker=jsonschema.FormatChecker())


def test_it_is_what_the_compose_specification_asks_for(compose: dict[str, Any]) -> None:
    assert [f"{list(error.absolute_path)}: {error.message}" for error in validator().iter_errors(compose)] == []


@pytest.mark.parametrize(
    "broken",
    [{"imagee": "x"}, {"healthcheck": {"tests": "x"}}, {"ports": "5432"}, {"depends_on": {"kafka": "up"}}],
)
def test_the_schema_refuses_what_is_wrong(compose: dict[str, Any], broken: dict[str, Any]) -> None:
    services = {**compose["services"], "postgres": {**compose["services"]["postgres"], **broken}}
    assert not validator().is_valid({**compose, "services": services})


def test_every_part_of_the_distribution_is_there(compose: dict[str, Any]) -> None:
    processes = {process for component in COMPONENTS.values() for process in component.processes}
    assert set(compose["services"]) == processes == set(VERSIONS)


def test_every_image_is_pinned_to_the_locked_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert PINNED.fullmatch(service["image"]), f"{name} has no exact tag: {service['image']}"
        locked = {"kafka": COMPONENTS["kafka"].version, "hbase": COMPONENTS["hbase"].version}
        version = locked.get(VERSIONS[name]) or bundle(VERSIONS[name])[0].version
        tag = service["image"].rsplit(":", 1)[1]
        assert version in (tag, f"{tag}.0"), f"{name} is {tag}, the lock file has {version}"


def test_what_is_built_is_built_of_pinned_images_and_locked_jars(compose: dict[str, Any]) -> None:
    built = {name for name, service in compose["services"].items() if "build" in service}
    assert built == set().union(*(services for services, _ in BUILT.values()))
    for dockerfile, (services, jars) in BUILT.items():
        for name in services:
            build = compose["services"][name]["build"]
            assert TOP / build["context"] / build["dockerfile"] == DISTRIBUTION / dockerfile
        text = (DISTRIBUTION / dockerfile).read_text(encoding="utf-8")
        images = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
        assert len(images) == 2
        assert all(PINNED.fullmatch(image) for image in images)
        (copied,) = re.findall(r"^COPY (?!--from)(.*) \./$", text, re.MULTILINE)
        assert copied.split() == [jars, "artefacts.lock.json"]
        assert all((DISTRIBUTION / name).is_file() for name in copied.split())
    assert all(
        option.removeprefix("--add-opens=") in (DISTRIBUTION / "hbase.Dockerfile").read_text() for option in OPENS
    )


def test_connect_is_kafka_s_image_with_the_locked_connector(compose: dict[str, Any], tmp_path: Path) -> None:
    from parrot_faust.distribution.components import connect

    text = (DISTRIBUTION / "connect.Dockerfile").read_text(encoding="utf-8")
    (locked,) = bundle("debezium-postgres")
    assert f"ARG DEBEZIUM={locked.version}\n" in text
    assert f"FROM {compose['services']['kafka']['image']}\n" in text
    theirs = dict(line.split("=", 1) for line in _lines(compose["configs"]["connect-worker"]["content"]))
    ours = dict(line.split("=", 1) for line in _lines(connect.settings(State.load(tmp_path), Path("/opt/plugins"))))
    where = {"bootstrap.servers", "listeners", "rest.advertised.host.name", "rest.advertised.port"}
    assert {name: value for name, value in ours.items() if name not in where} == {
        name: value for name, value in theirs.items() if name not in where
    }


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_every_service_says_when_it_is_healthy(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        check = service["healthcheck"]
        assert check["test"][0] in ("CMD", "CMD-SHELL"), f"{name} is not asked"
        assert not check.get("disable")
        assert {"interval", "timeout", "retries"} <= set(check)


def test_every_port_is_bound_to_loopback(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert set(published) == {"postgres", "kafka", "registry", "connect", "hbase", "kudu-master"}
    for name, ports in published.items():
        for port in ports:
            assert LOOPBACK_PORT.fullmatch(port), f"{name} publishes {port}"
    assert not [name for name, service in compose["services"].items() if service.get("network_mode") == "host"]


def test_the_tests_find_every_container_where_the_file_puts_it(compose: dict[str, Any]) -> None:
    found = containers.addresses("secret")
    published = {port.rsplit(":", 2)[1].strip("}-") if "$" not in port else re.findall(r":-(\d+)\}", port)[0]
                 for service in compose["services"].values() for port in service.get("ports", [])}  # fmt: skip
    named = [found.kafka, found.hbase_thrift, found.hbase_thrift2, *found.kudu_masters]
    named += [urlsplit(url).netloc for url in (found.registry, found.connect)]
    named.append(f"{found.postgres['host']}:{found.postgres['port']}")
    assert all(address.startswith("127.0.0.1:") for address in named)
    assert {address.rsplit(":", 1)[1] for address in named} == published - {"7050"}
    assert found.postgres_inside[0] in compose["services"]
    assert urlsplit(found.registry_native).hostname in compose["services"]
    assert found.postgres["user"] == compose["services"]["postgres"]["environment"]["POSTGRES_USER"]


def test_what_others_wait_for_is_there_and_waited_for_until_it_is_healthy(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        needs = service.get("depends_on", {})
        assert all(need in services and how == {"condition": "service_healthy"} for need, how in needs.items())
        if (mode := service.get("network_mode", "")).startswith("service:"):
            assert mode.removeprefix("service:") in needs, f"{name} may start before the network it lives in"
    assert set(services["connect"]["depends_on"]) == {"kafka", "registry"}


def test_no_password_is_written_down_and_every_variable_is_explained(compose: dict[str, Any]) -> None:
    text = (TOP / "docker-compose.yml").read_text(encoding="utf-8")
    example = (TOP / ".env.example").read_text(encoding="utf-8")
    assert compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith(
        "${PARROT_POSTGRES_PASSWORD:?"
    )
    explained = set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.MULTILINE))
    assert set(VARIABLE.findall(text)) == explained
    assert re.search(r"^PARROT_POSTGRES_PASSWORD=$", example, re.MULTILINE), "the example holds a password"
    for name, default in re.findall(r"\$\{([A-Z0-9_]+):-(\d+)\}", text):
        assert f"#{name}={default}" in example
    assert ".env" in (TOP / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_postgres_captures_changes_and_kafka_needs_no_zookeeper(compose: dict[str, Any]) -> None:
    assert "wal_level=logical" in compose["services"]["postgres"]["command"]
    kafka = compose["services"]["kafka"]["environment"]
    assert kafka["KAFKA_PROCESS_ROLES"] == "broker,controller"
    assert "127.0.0.1:" in kafka["KAFKA_ADVERTISED_LISTENERS"]


def test_hbase_is_set_as_the_local_one_is(compose: dict[str, Any], tmp_path: Path) -> None:
    from parrot_faust.distribution.components import hbase

    ours = {name: str(value) for name, value in hbase._settings(State.load(tmp_path)).items()}
    site = ElementTree.fromstring(compose["configs"]["hbase-site"]["content"])
    theirs = {entry.findtext("name"): entry.findtext("value") for entry in site}
    # Where files lie and who may connect differ by nature, ports are the usual ones inside of a container.
    own = re.compile(r"dir|Dir|\.port$|clientPort$|ipaddress|handler")
    assert {name: value for name, value in theirs.items() if name and not own.search(name)} == {
        name: value for name, value in ours.items() if not own.search(name)
    }
    assert theirs["hbase.regionserver.thrift.ipaddress"] == "0.0.0.0"
    mounted = {one["source"]: one["target"] for one in compose["services"]["hbase"]["configs"]}
    assert mounted["hbase-site"] == "/opt/hbase/conf/hbase-site.xml"

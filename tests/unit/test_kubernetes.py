"""`Dockerfile` and `deploy/kubernetes`: what Kubernetes' own schemas ask for, and that the files mean each other."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from agents.rule_book import read_rule_folder
from parrot_faust import __version__
from parrot_faust.settings import Settings, load
from parrot_faust.web.server import is_own

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
#: The oldest and the newest Kubernetes whose schemas are asked.
VERSIONS = ("1.29", "1.37")
TEXT = {"type": "string", "minLength": 1}
#: What is used of KEDA's own kinds, from its documentation.
KEDA: dict[str, Any] = {
    "ScaledObject": {
        "type": "object",
        "required": ["scaleTargetRef", "triggers"],
        "additionalProperties": False,
        "properties": {
            "scaleTargetRef": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {"name": TEXT},
            },
            "minReplicaCount": {"type": "integer", "minimum": 0},
            "maxReplicaCount": {"type": "integer", "minimum": 1},
            "pollingInterval": {"type": "integer", "minimum": 1},
            "cooldownPeriod": {"type": "integer", "minimum": 1},
            "advanced": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "horizontalPodAutoscalerConfig": {"type": "object", "properties": {"behavior": {"type": "object"}}}
                },
            },
            "triggers": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["type", "metadata"],
                    "additionalProperties": False,
                    "properties": {
                        "type": {"const": "kafka"},
                        "metadata": {
                            "type": "object",
                            "required": ["bootstrapServers", "consumerGroup", "lagThreshold"],
                            "additionalProperties": False,
                            "properties": {
                                "bootstrapServers": TEXT,
                                "consumerGroup": TEXT,
                                "topic": TEXT,
                                "lagThreshold": {"type": "string", "pattern": "^[0-9]+$"},
                                "offsetResetPolicy": {"enum": ["latest", "earliest"]},
                            },
                        },
                        "authenticationRef": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
                    },
                },
            },
        },
    },
    "TriggerAuthentication": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "secretTargetRef": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["parameter", "name", "key"],
                    "additionalProperties": False,
                    "properties": {
                        "parameter": {"enum": ["sasl", "username", "password", "tls", "ca", "cert", "key"]},
                        "name": TEXT,
                        "key": TEXT,
                    },
                },
            }
        },
    },
}


def documents(file: Path) -> list[dict[str, Any]]:
    return list(YAML(typ="safe", pure=True).load_all(file.read_text(encoding="utf-8")))


OBJECTS = {
    (one["kind"], one["metadata"]["name"]): one
    for file in sorted(FOLDER.glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for one in documents(file)
}
POD = OBJECTS["Deployment", "parrot"]["spec"]["template"]
WORKER = POD["spec"]["containers"][0]
LABELS = POD["metadata"]["labels"]


def check(one: dict[str, Any], version: str) -> None:
    if (schema := KEDA.get(one["kind"])) is None:
        kubernetes_validate.validate(one, version, strict=True)
        return
    assert one["apiVersion"] == "keda.sh/v1alpha1"
    jsonschema.validate(one["spec"], schema)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("which", OBJECTS, ids="-".join)
def test_each_object_is_what_its_schema_asks_for(which: tuple[str, str], version: str) -> None:
    check(OBJECTS[which], version)


@pytest.mark.parametrize(
    ("which", "broken"),
    [
        ("Deployment", {"replica": 2}),
        ("Deployment", {"template": {"spec": {"containers": "x"}}}),
        ("PodDisruptionBudget", {"maxUnavailable": []}),
        ("Service", {"ports": [{"targetPort": "http"}]}),
        ("ScaledObject", {"triggers": []}),
        ("ScaledObject", {"maxReplicas": 4}),
    ],
)
def test_the_schemas_refuse_what_is_wrong(which: str, broken: dict[str, Any]) -> None:
    one = OBJECTS[which, "parrot"]
    with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
        check({**one, "spec": {**one["spec"], **broken}}, VERSIONS[-1])


def test_the_kustomization_names_every_file_and_the_version_of_the_image() -> None:
    (kustomization,) = documents(FOLDER / "kustomization.yaml")
    files = {file.name for file in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    (image,) = kustomization["images"]
    assert (image["name"], image["newTag"]) == (WORKER["image"], __version__)


def test_all_that_selects_workers_selects_these() -> None:
    assert OBJECTS["Deployment", "parrot"]["spec"]["selector"]["matchLabels"] == LABELS
    assert OBJECTS["PodDisruptionBudget", "parrot"]["spec"]["selector"]["matchLabels"] == LABELS
    assert OBJECTS["NetworkPolicy", "parrot"]["spec"]["podSelector"]["matchLabels"] == LABELS
    assert OBJECTS["Service", "parrot"]["spec"]["selector"] == LABELS
    (spread,) = POD["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == LABELS
    assert OBJECTS["ScaledObject", "parrot"]["spec"]["scaleTargetRef"] == {"name": "parrot"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "parrot.yaml"
    file.write_text(OBJECTS["ConfigMap", "parrot"]["data"]["parrot.yaml"], encoding="utf-8")
    secrets = {one["name"]: "secret" for one in WORKER["env"]}
    return load(file, secrets)


def test_the_settings_are_good_and_agree_with_the_rest(settings: Settings) -> None:
    mounts = {one["name"]: one["mountPath"] for one in WORKER["volumeMounts"]}
    assert str(settings.quality) == mounts["rules"]
    assert settings.state.is_relative_to(mounts["state"])
    assert (mounts["settings"], mounts["state"]) == (
        variable("PARROT_CONFIG"),
        variable("PARROT_STATE").rpartition("/")[0],
    )
    (port,) = WORKER["ports"]
    assert port == {"name": "http", "containerPort": settings.web.port}
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(settings.web.port)
    scaled = OBJECTS["ScaledObject", "parrot"]["spec"]
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["bootstrapServers"] == ",".join(settings.brokers)
    assert trigger["metadata"]["consumerGroup"] == settings.app
    assert scaled["minReplicaCount"] <= scaled["maxReplicaCount"] <= settings.topics.partitions


def test_probes_ask_for_a_path_that_is_answered_to_a_pod_s_address(settings: Settings) -> None:
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert WORKER[probe]["httpGet"] == {"path": "/health", "port": "http"}
    assert is_own("10.42.0.7:6066", settings.web.host)
    assert not is_own("parrot.default.svc:6066", settings.web.host)


def test_the_rules_are_good(tmp_path: Path) -> None:
    for name, text in OBJECTS["ConfigMap", "parrot-rules"]["data"].items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(read_rule_folder(tmp_path)) == 1


def test_every_secret_is_named_on_the_page() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    wanted = {
        (one["valueFrom"]["secretKeyRef"]["name"], one["valueFrom"]["secretKeyRef"]["key"]) for one in WORKER["env"]
    }
    authentication = OBJECTS["TriggerAuthentication", "parrot-kafka"]["spec"]["secretTargetRef"]
    wanted |= {(one["name"], one["key"]) for one in authentication}
    assert {name for name, _ in wanted} == {"parrot"}
    assert set(re.findall(r"--from-literal=([\w-]+)=", page)) == {key for _, key in wanted}


def test_the_container_is_as_little_as_can_be() -> None:
    security, pod = WORKER["securityContext"], POD["spec"]["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["runAsNonRoot"] is True
    assert POD["spec"]["automountServiceAccountToken"] is False
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert user == (str(pod["runAsUser"]), str(pod["runAsGroup"]))
    assert f"useradd --uid {pod['runAsUser']}" in DOCKERFILE  # Kudu's client asks for the user's name


def variable(name: str) -> str:
    (value,) = re.findall(rf"^ +{name}=(\S+?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    return str(value)


def test_the_image_is_made_of_files_that_are_there_and_pinned_ones() -> None:
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"python:3.11.14-slim-bookworm"}
    copied = [
        name for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()
    ]
    assert len(copied) == 8
    assert all((ROOT / name).exists() for name in copied)
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(let_in) == set(copied)
    assert re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE) == ['["faust", "-q", "-A", "parrot_faust", "worker"]']
    assert DOCKERFILE.count("--require-hashes") == 2


class _Health(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), _Health)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (500, False)])
def test_the_health_check_tells_a_worker_that_answers(server: HTTPServer, status: int, healthy: bool) -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    _, *arguments = json.loads(command)
    _Health.status = status
    environment = {"PARROT_WEB__PORT": str(server.server_port)}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode == 0) is healthy, shlex.join(arguments) + done.stderr

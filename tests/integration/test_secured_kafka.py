"""Kafka that asks who is there: every way in works, and every way it can be wrong is said in one line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import secured_kafka
from certificates import Authority
from pipelines import eventually
from secured_kafka import PASSWORD, USER, SecuredKafka

from parrot_faust.demo.worker import Worker, free_port
from parrot_faust.distribution import Local
from parrot_faust.errors import SettingsError
from parrot_faust.kafka import client_options, connection_options
from parrot_faust.settings import Settings, load
from parrot_faust.transport.admin import BrokerAdmin, TopicPlan
from parrot_faust.transport.reader import RecordReader

pytestmark = pytest.mark.integration
LOG = logging.getLogger("tests.secured")
LOGIN = "{{mechanism: {mechanism}, user: {user}, password: '${{KAFKA_PASSWORD}}'}}"

TLS = "{{tls: {{ca: '{ca}'}}}}"

SETTINGS = """\
app: secured
brokers: '{broker}'
kafka: {kafka}
state: '{folder}/state'
web: {{port: {port}}}
source: {{topics: 'secured[.].*', format: json}}
sinks: {{kudu: {{masters: ['127.0.0.1:1'], replicas: 1}}}}
"""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka.running(tmp_path_factory.mktemp("kafka"), Local.here().cache) as running:
        yield running


def settings(folder: Path, broker: str, section: str, password: str = PASSWORD) -> Settings:
    """Settings as a worker reads them."""
    file = folder / "parrot.yaml"
    file.write_text(SETTINGS.format(broker=broker, kafka=section, folder=folder, port=free_port()), encoding="utf-8")
    return load(file, {"KAFKA_PASSWORD": password, "KEY_PASSWORD": "of-the-key-geheim"})


def login(mechanism: str = "SCRAM-SHA-512", user: str = USER) -> str:
    return LOGIN.format(mechanism=mechanism, user=user)


def ways(kafka: SecuredKafka) -> dict[str, tuple[str, str]]:
    ca, client = kafka.authority.ca, kafka.client
    own = f"certificate: '{client.certificate}', key: '{client.key}', key_password: '${{KEY_PASSWORD}}'"
    return {
        "SCRAM-SHA-512": ("LOGIN", f"{{tls: {{ca: '{ca}'}}, sasl: {login()}}}"),
        "SCRAM-SHA-256": ("LOGIN", f"{{tls: {{ca: '{ca}'}}, sasl: {login('SCRAM-SHA-256')}}}"),
        "PLAIN": ("LOGIN", f"{{tls: {{ca: '{ca}'}}, sasl: {login('PLAIN')}}}"),
        "client certificate": ("MUTUAL", f"{{tls: {{ca: '{ca}', {own}}}}}"),
        "another name": ("ELSEWHERE", f"{{tls: {{ca: '{ca}', verify_host: false}}, sasl: {login()}}}"),
    }


@pytest.mark.parametrize("way", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", "client certificate", "another name"])
async def test_every_way_in_works_for_asking_and_reading(kafka: SecuredKafka, tmp_path: Path, way: str) -> None:
    listener, section = ways(kafka)[way]
    made = settings(tmp_path, kafka.address(listener), section)
    admin, reader = BrokerAdmin(client_options(made), 1, LOG), RecordReader(made.brokers, connection_options(made))
    try:
        await admin.connect(lambda: False)
        assert await admin.ensure([TopicPlan("asked", 2, {})]) == {"asked": 2}
        assert await reader.partitions("asked") == [0, 1]
    finally:
        await admin.close()
        await reader.close()


def wrongs(kafka: SecuredKafka, folder: Path) -> dict[str, tuple[str, str, str, str]]:
    """Listener, section, password, and what the error must say."""
    ca, other = kafka.authority.ca, Authority(folder / "other", "other").ca
    tls = f"tls: {{ca: '{ca}'}}"
    return {
        "password": ("LOGIN", f"{{{tls}, sasl: {login()}}}", "wr0ng-geheim", "(kafka.sasl.password)"),
        "user": ("LOGIN", f"{{{tls}, sasl: {login(user='nobody')}}}", PASSWORD, "user 'nobody'"),
        "authority": ("LOGIN", f"{{tls: {{ca: '{other}'}}, sasl: {login()}}}", PASSWORD, "kafka.tls.ca"),
        "host": ("ELSEWHERE", f"{{{tls}, sasl: {login()}}}", PASSWORD, "kafka.tls.verify_host"),
        "expired": ("EXPIRED", f"{{{tls}, sasl: {login()}}}", PASSWORD, "has expired"),
        "no certificate": ("MUTUAL", f"{{{tls}}}", PASSWORD, "kafka.tls.certificate"),
    }


@pytest.mark.parametrize("wrong", ["password", "user", "authority", "host", "expired", "no certificate"])
async def test_what_is_wrong_is_said_and_waited_for_no_longer(
    kafka: SecuredKafka, tmp_path: Path, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parrot_faust.transport.admin.CONNECT_RETRY_S", 0.05)
    listener, section, password, says = wrongs(kafka, tmp_path)[wrong]
    made = settings(tmp_path, kafka.address(listener), section, password)
    with pytest.raises(SettingsError) as caught:
        await asyncio.wait_for(BrokerAdmin(client_options(made), 1, LOG).connect(lambda: False), 30.0)
    assert says in str(caught.value)
    assert kafka.address(listener) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert password not in str(caught.value)


@pytest.mark.parametrize(("listener", "section"), [("LOGIN", "{{}}"), ("PLAIN", TLS)])
async def test_a_broker_that_hangs_up_is_waited_for_with_a_hint(
    kafka: SecuredKafka,
    tmp_path: Path,
    listener: str,
    section: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("parrot_faust.transport.admin.CONNECT_RETRY_S", 0.05)
    monkeypatch.setattr("parrot_faust.transport.reach.PROBE_TIMEOUT_MS", 1000)
    made = settings(tmp_path, kafka.address(listener), section.format(ca=kafka.authority.ca))
    turns = iter([False, False, True])
    await BrokerAdmin(client_options(made), 1, LOG).connect(lambda: next(turns))
    (said,) = [record.getMessage() for record in caplog.records if record.name == LOG.name]
    assert "(kafka.tls" in said


def test_a_worker_that_is_not_let_in_ends_with_one_line_that_names_the_setting(
    kafka: SecuredKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {name: wrongs(kafka, tmp_path)[name] for name in ("password", "authority", "host", "expired")}
    workers = {}
    for name, (listener, section, password, _) in wrong.items():
        monkeypatch.setenv("KAFKA_PASSWORD", password)
        folder, port = tmp_path / name, free_port()
        text = SETTINGS.format(broker=kafka.address(listener), kafka=section, folder=folder, port=port)
        workers[name] = Worker(folder, text, port)
        workers[name].launch()
    try:
        for name, worker in workers.items():
            eventually(lambda worker=worker: not worker.running, 60.0)
            log = worker.log.read_text()
            assert worker.stop() not in (0, None), log
            last = log.strip().splitlines()[-1]
            assert wrong[name][3] in last, log
            assert wrong[name][2] not in log
            assert "Traceback" not in log
    finally:
        for worker in workers.values():
            worker.stop()

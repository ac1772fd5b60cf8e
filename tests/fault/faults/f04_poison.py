"""Records that are no events: each of them is dead-lettered byte for byte, and nothing else is."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

from report import Result
from tapes import Entry
from world import Scene, World

from faults import Fault
from parrot_faust.demo.worker import Worker

KINDS = ("bad JSON", "truncated Avro", "unknown schema id", "unknown op", "wrong magic byte")
UNKNOWN_ID = 999_999


def run(world: World, fault: Fault) -> Result:
    """Rubbish of every kind goes into every table's topic, between its changes; sent again it is rubbish still."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        (worker,) = scene.begin()
        poison = pour(scene, fault.firings(world))
        scene.healed()
        scene.judge(dead=len(poison))
        check_letters(scene, poison)
        _replay(scene, worker, len(poison))
        check_letters(scene, poison)
    return scene.result


def _replay(scene: Scene, worker: Worker, letters: int) -> None:
    """Every letter is sent again, fails for the same reason, and is one letter still."""
    done = subprocess.run(
        [Path(sys.executable).with_name("parrot"), "deadletters", "replay", "--json"],
        env={**os.environ, "PARROT_CONFIG": str(worker.settings)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    report = json.loads(done.stdout) if done.returncode == 1 else {}
    scene.check(report.get("outcomes") == {"failed": letters}, f"the replay came to {done.stdout} {done.stderr}")
    scene.check(report.get("after", {}).get("open") == letters, f"after the replay {report.get('after')} letters")


def pour(scene: Scene, times: int) -> list[Entry]:
    """Put so many records of poison into the topics while changes pass, and count each as a firing."""
    sample = _sample(scene)
    poison = []
    for number in range(times):
        table = scene.work.tables[number % len(scene.work.tables)]
        value = _poison(KINDS[number % len(KINDS)], sample, number)
        key = f"poison {number}".encode()
        partition = scene.random.randrange(4)
        poison.append(scene.oracle.tapes.produce(scene.run.topic(table.name), value, key, partition))
        scene.fired()
        scene.wait_made(20)
    return poison


def check_letters(scene: Scene, poison: list[Entry]) -> None:
    """Exactly the poison is among the dead letters, byte for byte, with its address, filed once each."""
    topics = {scene.run.topic(table.name) for table in scene.work.tables}
    filed = scene.oracle.tapes.read(f"{scene.run.app}.dead.{topic}" for topic in topics)
    found: Counter[tuple[str, int, int, bytes | None, bytes | None]] = Counter()
    for letter in filed:
        headers = {name: value.decode() for name, value in letter.headers.items() if name.startswith("parrot.")}
        address = headers["parrot.topic"], int(headers["parrot.partition"]), int(headers["parrot.offset"])
        found[*address, letter.key, letter.value] += 1
        scene.check(bool(headers.get("parrot.error")), f"the dead letter of {address} does not say why")
    wanted = {(*one.address, one.key, one.value) for one in poison}
    scene.check(set(found) >= wanted, f"{len(wanted - set(found))} records are not filed as they were")
    scene.check(set(found) <= wanted, f"{len(set(found) - wanted)} dead letters are none of the poison")


def _sample(scene: Scene) -> bytes:
    """A real event of the first table."""
    topic = scene.run.topic(scene.work.tables[0].name)
    return next(entry.value for entry in scene.oracle.tapes.read([topic]) if entry.value is not None)


def _poison(kind: str, sample: bytes, number: int) -> bytes:
    match kind:
        case "bad JSON":
            return b'{"payload": {"op": "u", "after": {"id": ' + str(number).encode()
        case "truncated Avro":
            return sample[: 5 + (len(sample) - 5) * (1 + number % 3) // 5]
        case "unknown schema id":
            return b"\0" + struct.pack(">i", UNKNOWN_ID + number) + sample[5:]
        case "unknown op":
            source = {"version": "3", "connector": "postgresql", "name": "x", "db": "shop", "schema": "s", "table": "t"}
            event = {"before": None, "after": {"id": number}, "op": "x", "ts_ms": 1, "source": source}
            return json.dumps(event).encode()
        case _:
            return b"\x07" + sample[1:]


FAULT = Fault(4, "poison among the changes", planned=30, quick=15, run=run)

"""Rows, cells and keys at a store's limit and just beyond it: applied, or dead letters that fit, and nothing stops."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import stored
from durable import Watched
from report import Result
from world import Scene, World

from faults import Fault
from models import Kind

CELL = 64 * 1024  # Kudu's, in bytes
KEY = 16 * 1024  # Kudu's, in bytes
LIMITS = (CELL, KEY, 900_000)  # the last is that of a row, `delivery.chunk_bytes`
PARTS = 18  # columns of the table whose rows are large as a whole
ROW_SIZES = (49_000, 61_000, 580_000)  # a column: 0.9, 1.1 and 10 MB a row
ROUNDS = 3
ROUND_DEAD = 6  # two cells and two keys that Kudu refuses, two rows that nobody takes

KINDS = {
    "cells": {"id": Kind.INT32, "t": Kind.STRING, "b": Kind.BYTES},
    "keys": {"k": Kind.STRING, "size": Kind.INT32},
    "large": {"id": Kind.INT32} | {f"c{number}": Kind.STRING for number in range(PARTS)},
}
Rows = dict[Any, dict[str, Any]]


def run(world: World, fault: Fault) -> Result:
    """Three times, under load: everything at its limit, everything beyond it, and ordinary rows after them."""
    with world.scene(fault.number, fault.title, fault.firings(world)) as scene:
        run = scene.run
        run.sql("create table cells (id int primary key, t text, b bytea)")
        run.sql("create table keys (k text primary key, size int)")
        run.sql(f"create table large (id int primary key, {', '.join(f'c{number} text' for number in range(PARTS))})")
        scene.oracle.tables += [Watched("cells", ("id",), n=None, rows=False), Watched("keys", ("k",), n=None)]
        scene.oracle.tables += [Watched("large", ("id",), n=None, rows=False)]
        scene.begin(capture={"producer.override.max.request.size": str(15 << 20)})
        wanted: dict[tuple[str, str], Rows] = {(store, name): {} for store in ("kudu", "hbase") for name in KINDS}
        for turn in range(ROUNDS):
            put(scene, turn, wanted)
            scene.wait_made(300)
        scene.healed()
        for (store, name), rows in wanted.items():
            compare(scene, store, name, rows)
        scene.judge(dead=ROUNDS * ROUND_DEAD)
        letters(scene)
    return scene.result


def put(scene: Scene, turn: int, wanted: dict[tuple[str, str], Rows]) -> None:
    """One of every size, each counted as a firing when it is beyond a limit, and what each store must have of them."""
    run, base = scene.run, turn * 1000
    for number, size in enumerate((CELL - 1, CELL, CELL + 1)):
        rows = {base + number: ("ø" + "x" * (size - 2), None), base + 10 + number: (None, b"\xff" * size)}
        for key, (text, data) in rows.items():
            run.sql("insert into cells values (%s, %s, %s)", key, text, data)
            fits = ("hbase",) if size > CELL else ("kudu", "hbase")
            for store in fits:
                wanted[store, "cells"][key] = {"id": key, "t": text, "b": data}
    for size in (KEY - 1, KEY, KEY + 1, 30_000):
        run.sql("insert into keys values (%s, %s)", f"{turn}" + "k" * (size - 1), size)
        for store in ("hbase",) if size > KEY else ("kudu", "hbase"):
            wanted[store, "keys"][f"{turn}" + "k" * (size - 1)] = {"k": f"{turn}" + "k" * (size - 1), "size": size}
    for number, size in enumerate(ROW_SIZES):
        values = [chr(97 + place) * size for place in range(PARTS)]
        run.sql(f"insert into large values (%s{', %s' * PARTS})", base + number, *values)
        if number == 0:
            row = {f"c{place}": value for place, value in enumerate(values)} | {"id": base}
            wanted["kudu", "large"][base] = wanted["hbase", "large"][base] = row
    run.sql("insert into cells (id) select %s + n from generate_series(100, 107) n", base)
    for store in ("kudu", "hbase"):
        wanted[store, "cells"] |= {base + n: {"id": base + n, "t": None, "b": None} for n in range(100, 108)}
    scene.fired(ROUND_DEAD)


def compare(scene: Scene, store: str, name: str, wanted: Rows) -> None:
    """A store's rows are these, to the byte."""
    key = next(iter(KINDS[name]))
    read = stored.kudu_rows if store == "kudu" else stored.hbase_rows
    found = read(scene.run.addresses, f"{scene.run.name}.{name}", KINDS[name], key)
    for each in wanted.keys() | found.keys():
        row = {column: value for column, value in found.get(each, {}).items() if value is not None}
        if row != {column: value for column, value in wanted.get(each, {}).items() if value is not None}:
            scene.problem(f"P1: {name} {str(each)[:20]} ({len(str(each))} characters) differs in {store}")
            scene.result.differences += 1
    scene.result.rows += len(wanted)


def letters(scene: Scene) -> None:
    """Every dead letter names table and limit, and holds its record whole, or its head with size and hash."""
    inputs = scene.oracle.picture().inputs
    filed, whole = set(), 0
    for name in KINDS:
        topic = scene.run.topic(name)
        for letter in scene.oracle.tapes.read([f"{scene.run.app}.dead.{topic}"]):
            headers = {key: value.decode() for key, value in letter.headers.items() if key.startswith("parrot.")}
            address = headers["parrot.topic"], int(headers["parrot.partition"]), int(headers["parrot.offset"])
            filed.add(address)
            original = inputs[address].value or b""
            scene.check(topic in headers["parrot.message"], f"{address}: {headers['parrot.message']} names no table")
            named = any(str(limit) in headers["parrot.message"] for limit in LIMITS)
            scene.check(named, f"{address}: {headers['parrot.message']} names no limit")
            if letter.value == original:
                whole += 1
            else:
                kept = headers.get("parrot.value_sha256") == sha256(original).hexdigest()
                scene.check(kept, f"the dead letter of {address} is neither its record nor its head with its hash")
    scene.check(len(filed) == ROUNDS * ROUND_DEAD, f"{len(filed)} records are filed, not {ROUNDS * ROUND_DEAD}")
    scene.note(f"{len(filed)} records beyond a limit are filed, {whole} of their letters whole")


FAULT = Fault(13, "rows, cells and keys at their limits and beyond", planned=ROUNDS * ROUND_DEAD, quick=None, run=run)

"""The sinks in the shapes of Kafka Connect's API. A sink is a connector, its writer in each worker a task. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from parrot_faust.secret import HIDDEN, is_secret

CLASS = "parrot_faust.sinks.{sink}"
TASK_CLASS = "agents.writer.Writer"


def workers(sink: str, whole: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The workers with a writer of a sink, in the order of their tasks' numbers."""
    return [(name, view) for name, view in sorted(whole["workers"].items()) if sink in view["sinks"]]


def status(sink: str, whole: Mapping[str, Any], *, paused: bool) -> dict[str, Any]:
    """What Connect says at `/status`."""
    found = workers(sink, whole)
    connector = {"state": "PAUSED" if paused else "RUNNING", "worker_id": ""}
    if found:
        connector |= _where(found[0][1])
    tasks = [task(number, sink, name, whole) for number, (name, _) in enumerate(found)]
    return {"name": sink, "connector": connector, "tasks": tasks, "type": "sink"}


def task(number: int, sink: str, worker: str, whole: Mapping[str, Any]) -> dict[str, Any]:
    """What Connect says of a task. One whose store does not answer has failed, with the reason as its trace."""
    view = whole["workers"][worker]
    writer = view["sinks"][sink]
    made = {"id": number, "state": "RUNNING"} | _where(view)
    if worker in whole["silent"]:
        made["state"] = "UNASSIGNED"
    elif writer.get("restarting"):
        made["state"] = "RESTARTING"
    elif writer.get("stands"):
        made["state"] = "PAUSED"
    elif writer["state"] != "ok":
        made |= {"state": "FAILED", "trace": writer["error"]}
    return made


def restarting(made: Mapping[str, Any], *, only_failed: bool) -> dict[str, Any]:
    """A status as it is answered to who asked for a restart: with the tasks that begin anew."""

    def marked(one: Mapping[str, Any]) -> dict[str, Any]:
        if only_failed and one["state"] != "FAILED":
            return dict(one)
        return {name: value for name, value in one.items() if name != "trace"} | {"state": "RESTARTING"}

    return {**made, "tasks": [marked(one) for one in made["tasks"]]}


def config(sink: str, section: Any, topic: str, tasks: int) -> dict[str, str]:
    """What Connect says at `/config`: the sink's section of the settings, without secrets. All values are texts."""
    return {
        "name": sink,
        "connector.class": CLASS.format(sink=sink),
        "tasks.max": str(tasks),
        "topics": topic,
    } | dict(sorted(_flat(section).items()))


def info(sink: str, made: Mapping[str, str], tasks: int) -> dict[str, Any]:
    """What Connect says of a connector."""
    numbers = [{"connector": sink, "task": number} for number in range(tasks)]
    return {"name": sink, "config": dict(made), "tasks": numbers, "type": "sink"}


def tasks(sink: str, made: Mapping[str, str], tasks: int) -> list[dict[str, Any]]:
    """What Connect says at `/tasks`."""
    return [
        {"id": {"connector": sink, "task": number}, "config": {**made, "task.class": TASK_CLASS}}
        for number in range(tasks)
    ]


def plugins(configured: Mapping[str, Any], version: str) -> list[dict[str, str]]:
    """What Connect says at `/connector-plugins`."""
    return [{"class": CLASS.format(sink=sink), "type": "sink", "version": version} for sink in sorted(configured)]


def error(code: int, message: str) -> dict[str, Any]:
    """How Connect says that it can't."""
    return {"error_code": code, "message": message}


def _where(view: Mapping[str, Any]) -> dict[str, str]:
    return {"worker_id": f"{view['host']}:{view['port']}", "version": view["version"]}


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """Settings as names with dots and texts. What is not set is left out, and what is secret is not shown."""
    if isinstance(value, msgspec.Struct):
        kinds = get_type_hints(type(value), include_extras=True)
        inner = {
            field: HIDDEN if is_secret(kinds[field]) and getattr(value, field) else getattr(value, field)
            for field in value.__struct_fields__
        }
    elif isinstance(value, dict):
        inner = {str(key): each for key, each in value.items()}
    else:
        return {} if value in (None, "", ()) else {name: _text(value)}
    made: dict[str, str] = {}
    for field, each in inner.items():
        made |= _flat(each, f"{name}.{field}" if name else field)
    return made


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return ",".join(_text(each) for each in value)
    return str(value)

"""Kafka Connect's REST API: the connectors that capture the source."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from parrot_faust.errors import ConnectError

NOT_FOUND, LOGIN = 404, (401, 403)  # HTTP
ANSWER_TIMEOUT_S = 15.0
POLL_S = 0.2
MAX_ERROR = 300  # characters; Debezium puts whole statements into its errors, and repeats them in each cause


class TaskStatus(msgspec.Struct, frozen=True):
    """One task of a connector. `trace` is Java's, empty unless it failed."""

    id: int
    state: str
    worker_id: str = ""
    trace: str = ""


class WorkerState(msgspec.Struct, frozen=True):
    """The connector itself, beside its tasks."""

    state: str
    worker_id: str = ""
    trace: str = ""


class ConnectorStatus(msgspec.Struct, frozen=True):
    """What Connect says of a connector. States are RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, RESTARTING."""

    name: str
    connector: WorkerState
    tasks: tuple[TaskStatus, ...] = ()
    type: str = ""

    @property
    def failed(self) -> bool:
        """Whether it, or one of its tasks, has failed."""
        return "FAILED" in self._states

    @property
    def running(self) -> bool:
        """Whether it runs with all its tasks, of which it has one at least."""
        return bool(self.tasks) and all(state == "RUNNING" for state in self._states)

    @property
    def reason(self) -> str:
        """The error that failed and its causes, each once and cut where it is long, without the places in the code."""
        traces = [self.connector.trace, *(task.trace for task in self.tasks)]
        lines = [line.strip() for trace in traces for line in trace.splitlines()]
        errors: list[str] = []
        for line in lines:
            if line.startswith(("at ", "... ")) or not line:
                continue
            if not errors or line.startswith("Caused by:"):
                errors.append(line)
            else:
                errors[-1] += f"; {line}"
        cut = (error if len(error) <= MAX_ERROR else f"{error[:MAX_ERROR]}..." for error in errors)
        return "; ".join(dict.fromkeys(cut))

    @property
    def _states(self) -> list[str]:
        return [self.connector.state, *(task.state for task in self.tasks)]


class FieldProblem(msgspec.Struct, frozen=True):
    """A setting of a connector that Connect refuses, and why."""

    name: str
    errors: tuple[str, ...]


class Connect:
    """A client of one Connect cluster. Blocking: for commands and the demo, not for the worker.

    `user` and `password` are sent by basic authentication, as is what an address has before its host. `fails_for_good`
    is off where tasks that failed are tried again by themselves, which Connect's are not.

    Every method raises ConnectError when Connect does not answer or refuses, with its own words.
    """

    def __init__(self, url: str, *, user: str = "", password: str = "", fails_for_good: bool = True) -> None:
        self.url, login = _without_login(url.rstrip("/"))
        login = f"{user}:{password}" if password else login
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if login:
            self._headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        self.fails_for_good = fails_for_good

    def names(self) -> list[str]:
        """The connectors there are, by name."""
        return sorted(self._call("GET", "/connectors"))

    def statuses(self) -> list[ConnectorStatus]:
        """The status of every connector, by name."""
        found = self._call("GET", "/connectors?expand=status")
        return [_status(found[name]["status"]) for name in sorted(found)]

    def status(self, name: str) -> ConnectorStatus:
        """The status of a connector. One that was made just now may have none yet: that is refused too."""
        return _status(self._call("GET", f"{_path(name)}/status"))

    def config(self, name: str) -> dict[str, str]:
        """A connector's settings, secrets among them."""
        return dict(self._call("GET", f"{_path(name)}/config"))

    def converters(self) -> list[str]:
        """The classes of the converters that Connect can use."""
        found = self._call("GET", "/connector-plugins?connectorsOnly=false")
        return sorted(one["class"] for one in found if one["type"] == "converter")

    def problems(self, config: Mapping[str, str]) -> list[FieldProblem]:
        """What Connect and the connector find wrong with settings; the connector may ask its database."""
        plugin = urllib.parse.quote(config["connector.class"].rsplit(".", 1)[-1], safe="")
        answer = self._call("PUT", f"/connector-plugins/{plugin}/config/validate", dict(config))
        found = (one["value"] for one in answer["configs"])
        return [FieldProblem(one["name"], tuple(one["errors"])) for one in found if one["errors"]]

    def put(self, name: str, config: Mapping[str, str]) -> None:
        """Make the connector, or give it other settings."""
        self._call("PUT", f"{_path(name)}/config", dict(config))

    def pause(self, name: str) -> None:
        """Let it hold; what is committed meanwhile stays in the source's log."""
        self._call("PUT", f"{_path(name)}/pause")

    def resume(self, name: str) -> None:
        """Let it go on."""
        self._call("PUT", f"{_path(name)}/resume")

    def restart(self, name: str) -> None:
        """Start it and all its tasks again."""
        self._call("POST", f"{_path(name)}/restart?includeTasks=true&onlyFailed=false")

    def delete(self, name: str) -> None:
        """Delete it. Its offsets stay: one of the same name goes on where it was."""
        self._call("DELETE", _path(name))

    def wait(self, name: str, until: Callable[[ConnectorStatus], bool], timeout_s: float) -> ConnectorStatus:
        """Return the first status that `until` accepts. Raise ConnectError when it fails, or not within the time."""
        deadline = time.monotonic() + timeout_s
        status: ConnectorStatus | None = None
        while time.monotonic() < deadline:
            try:
                status = self.status(name)
            except ConnectError as error:
                if error.status != 404:
                    raise
            else:
                if until(status):
                    return status
                if status.failed and self.fails_for_good:
                    raise ConnectError(f"the connector {name} failed: {status.reason or 'it gives no reason'}")
            time.sleep(POLL_S)
        last = f"; it is {status.connector.state}" if status else "; Connect has not begun with it"
        raise ConnectError(f"the connector {name} is not there within {timeout_s:.0f} s{last}")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(f"{self.url}{path}", data, self._headers, method=method)  # noqa: S310
            with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S) as answer:  # noqa: S310 - as above
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise ConnectError(self._refused(method, path, error), error.code) from None
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or error
            text = f"Connect does not answer at {self.url}: {getattr(why, 'strerror', None) or why}"
            raise ConnectError(f"{text}; see whether it runs, or name another address") from None
        return json.loads(text) if text else None

    def _refused(self, method: str, path: str, error: urllib.error.HTTPError) -> str:
        said = _words(error.read())
        if error.code == NOT_FOUND and (named := re.match(r"/connectors/([^/?]+)", path)):
            what, listed = ("connector", "list") if self.fails_for_good else ("sink", "--sinks list")
            name = urllib.parse.unquote(named[1])
            return (
                f"there is no {what} {name} at {self.url} ({said}); `parrot connector {listed}` shows those there are"
            )
        address = error.code in LOGIN and self.fails_for_good  # a worker says itself what it wants
        login = "; see the user and the password in its address" if address else ""
        return f"Connect at {self.url} refused {method} {path}: {said}{login}"


def _without_login(url: str) -> tuple[str, str]:
    """An address as it may be shown, and the user and password that it had."""
    parts = urllib.parse.urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    return urllib.parse.urlunsplit(parts._replace(netloc=host)), urllib.parse.unquote(login)


def _path(name: str) -> str:
    return f"/connectors/{urllib.parse.quote(name, safe='')}"


def _status(answer: Any) -> ConnectorStatus:
    return msgspec.convert(answer, ConnectorStatus)


def _words(body: bytes) -> str:
    """Connect's own message, of which only the first line is for people."""
    try:
        text = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace")
    return " ".join(text.split())[:600]

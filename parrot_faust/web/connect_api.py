"""Kafka Connect's REST API for the sinks, for the consoles, scripts and alerts that people have for Connect."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from parrot_faust.errors import ParrotError
from parrot_faust.web import connect_shapes as shapes
from parrot_faust.web.actions import HEADER, Doer, Keyring, from_our_pages, login

Handler = Callable[[web.Request], Awaitable[web.Response]]

NAME_SHOWN = 100
SETTINGS_DECIDE = "sinks are made, changed and deleted in the worker's settings, not here"


class ConnectApi:
    """Answers as Connect would of the sinks of an app."""

    def __init__(
        self,
        *,
        sinks: Mapping[str, Any],
        topic: Callable[[str], str],
        look: Callable[[], Mapping[str, Any]],
        paused: Callable[[str], bool],
        keys: Keyring,
        doer: Doer,
        log: Any,
    ) -> None:
        """`sinks` are the sections of the settings by sink, `topic` names the one that a sink's writers read, `look`
        gives the state of all workers.
        """
        self._sinks, self._topic, self._look, self._paused = sinks, topic, look, paused
        self._keys, self._doer, self._log = keys, doer, log

    def register(self, router: Any) -> None:
        """Add the routes."""
        one = "/connectors/{sink}"
        for path, read in (
            ("/connectors", self._list),
            (one, self._info),
            (f"{one}/status", self._status),
            (f"{one}/config", self._config),
            (f"{one}/tasks", self._tasks),
            (f"{one}/tasks/{{task}}/status", self._task_status),
            (f"{one}/topics", self._topics),
            ("/connector-plugins", self._plugins),
        ):
            router.add_get(path, read)
        router.add_put(f"{one}/pause", self._acting(self._pause))
        router.add_put(f"{one}/resume", self._acting(self._pause))
        router.add_post(f"{one}/restart", self._acting(self._restart))
        router.add_post(f"{one}/tasks/{{task}}/restart", self._acting(self._restart_task))
        router.add_route("*", "/connectors{rest:.*}", _no_such)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.Response:
        whole, names = self._look(), sorted(self._sinks)
        wanted = request.query.getall("expand", [])
        if not wanted:
            return _json(names)
        makers = {"status": self._status_of, "info": self._info_of}
        return _json({name: {one: makers[one](name, whole) for one in wanted if one in makers} for name in names})

    async def _info(self, request: web.Request) -> web.Response:
        return _json(self._info_of(self._sink(request, "Connector {} not found"), self._look()))

    async def _status(self, request: web.Request) -> web.Response:
        return _json(self._status_of(self._sink(request, "No status found for connector {}"), self._look()))

    async def _config(self, request: web.Request) -> web.Response:
        return _json(self._config_of(self._sink(request, "Connector {} not found"), self._look()))

    async def _tasks(self, request: web.Request) -> web.Response:
        sink, whole = self._sink(request, "Connector {} not found"), self._look()
        return _json(shapes.tasks(sink, self._config_of(sink, whole), len(shapes.workers(sink, whole))))

    async def _task_status(self, request: web.Request) -> web.Response:
        number = request.match_info["task"]
        missing = f"No status found for task {request.match_info['sink']}-{number}"
        sink, whole = self._sink(request, missing), self._look()
        return _json(shapes.task(*self._task(sink, number, whole, missing), whole))

    async def _topics(self, request: web.Request) -> web.Response:
        name = request.match_info["sink"]  # of one that it does not know Connect says that it has none
        return _json({name: {"topics": [self._topic(name)] if name in self._sinks else []}})

    async def _plugins(self, _: web.Request) -> web.Response:
        own = next(iter(self._look()["workers"].values()))
        return _json(shapes.plugins(self._sinks, own["version"]))

    def _status_of(self, sink: str, whole: Mapping[str, Any]) -> dict[str, Any]:
        return shapes.status(sink, whole, paused=self._paused(sink))

    def _config_of(self, sink: str, whole: Mapping[str, Any]) -> dict[str, str]:
        tasks = len(shapes.workers(sink, whole))
        return shapes.config(sink, self._sinks[sink], self._topic(sink), tasks)

    def _info_of(self, sink: str, whole: Mapping[str, Any]) -> dict[str, Any]:
        return shapes.info(sink, self._config_of(sink, whole), len(shapes.workers(sink, whole)))

    def _sink(self, request: web.Request, missing: str) -> str:
        name = request.match_info["sink"]
        if name not in self._sinks:
            raise _Refused(404, missing.format(name))
        return name

    @staticmethod
    def _task(sink: str, number: str, whole: Mapping[str, Any], missing: str) -> tuple[int, str, str]:
        """A task's number, sink and worker."""
        found = shapes.workers(sink, whole)
        if not number.isdecimal() or int(number) >= len(found):
            raise _Refused(404, missing)
        return int(number), sink, found[int(number)][0]

    # -- acting ------------------------------------------------------------------------------------------------------

    def _acting(self, act: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            if "Origin" in request.headers and not from_our_pages(request):
                raise _Refused(403, "this came from another site")
            # A cookie counts for a browser only, which says where a request comes from.
            if not (self._keys.known(request) if "Origin" in request.headers else self._keys.sent(request)):
                self._log.warning("web view: somebody at %s steered a sink without the token", request.remote)
                self._keys.token()  # which makes it, if nobody has needed it so far
                raise _Refused(401, f"send the token of {self._keys.file} as password, with any name, or as {HEADER}")
            return await act(request)

        return guarded

    async def _pause(self, request: web.Request) -> web.Response:
        sink = self._sink(request, "Unknown connector {}")
        await self._do(request.path.rsplit("/", 1)[1], {"sink": sink}, request)
        return web.Response(status=202)

    async def _restart(self, request: web.Request) -> web.Response:
        """All writers begin anew, whether Connect's tasks were asked for or not: a sink has nothing else to restart."""
        sink = self._sink(request, "Unknown connector: {}")
        with_tasks, only_failed = (request.query.get(name) == "true" for name in ("includeTasks", "onlyFailed"))
        before = self._status_of(sink, self._look())
        await self._do("restart", {"sink": sink, "only_failed": "true" if only_failed else ""}, request)
        if not (with_tasks or only_failed):
            return web.Response(status=204)
        return _json(shapes.restarting(before, only_failed=only_failed), 202)

    async def _restart_task(self, request: web.Request) -> web.Response:
        number = request.match_info["task"]
        sink = self._sink(request, "Unknown connector: {}")
        _, _, worker = self._task(sink, number, self._look(), f"Unknown task: {sink}-{number}")
        await self._do("restart", {"sink": sink, "workers": worker}, request)
        return web.Response(status=204)

    async def _do(self, action: str, fields: Mapping[str, str], request: web.Request) -> None:
        who, (name, _) = request.remote or "", login(request)
        if name:  # which nobody has checked
            who += f" as {''.join(filter(str.isprintable, name))[:NAME_SHOWN]}"
        try:
            await self._doer.act(action, fields, who)
        except ParrotError as error:
            raise _Refused(500, str(error)) from None


class _Refused(web.HTTPException):
    """An answer in the shape of Connect's errors."""

    def __init__(self, code: int, message: str) -> None:
        self.status_code = code
        super().__init__(text=json.dumps(shapes.error(code, message)))
        self.headers["Content-Type"] = "application/json"  # as Connect has it, with no charset
        if code == 401:
            self.headers["WWW-Authenticate"] = 'Basic realm="parrot", charset="UTF-8"'


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(value).encode(), status=status, content_type="application/json")


async def _no_such(request: web.Request) -> web.Response:
    """What is no part of this API, or not for sinks."""
    if request.method in ("POST", "PUT", "PATCH", "DELETE"):
        raise _Refused(405, f"HTTP 405 Method Not Allowed: {SETTINGS_DECIDE}")
    raise _Refused(404, "HTTP 404 Not Found")

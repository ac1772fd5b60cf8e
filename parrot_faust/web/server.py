"""The worker's web server: Faust's, with our pages only, for callers that name it by its own address."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, ClassVar

import msgspec
from aiohttp import web as aiohttp_web
from faust.web.drivers.aiohttp import Web

from parrot_faust.web import judging, other_pages, overview, quality_page, table_page
from parrot_faust.web.actions import Keyring, register
from parrot_faust.web.connect_api import ConnectApi
from parrot_faust.web.metrics import Metrics
from parrot_faust.web.paging import Asked
from parrot_faust.web.static import ICON, LIVE, STYLE
from parrot_faust.web.stats_page import stats_page

Handler = Callable[[aiohttp_web.Request], Awaitable[aiohttp_web.StreamResponse]]

log = logging.getLogger("parrot")

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
LOOPBACK_NAMES = {"127.0.0.1", "localhost", "::1"}
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+))(?::\d+)?")


class PageServer(Web):
    """Faust's web driver without Faust's own pages, which show tables and settings to whoever asks."""

    default_blueprints: ClassVar[Any] = ()
    production_blueprints: ClassVar[Any] = ()
    debug_blueprints: ClassVar[Any] = ()
    optional_blueprints: ClassVar[Any] = ()


def new_web(app: Any) -> PageServer:
    """Build the server of an app whose `parts.snapshot` gives the state to show."""
    web = PageServer(app)
    parts = app.parts
    bound = parts.settings.web.host
    keys = Keyring(parts.settings.state, parts.settings.web.port)

    @aiohttp_web.middleware
    async def guard(request: aiohttp_web.Request, handler: Any) -> aiohttp_web.StreamResponse:
        response: aiohttp_web.StreamResponse
        try:
            if not is_own(request.host, bound):
                raise aiohttp_web.HTTPForbidden(text="this address is not served under that name")
            response = await handler(request)
        except aiohttp_web.HTTPException as error:
            error.headers.update(HEADERS)
            raise
        except Exception:
            log.exception("web view: %s could not be answered", request.path)
            response = aiohttp_web.Response(status=500, text="the worker could not answer; its log says why")
        response.headers.update(HEADERS)
        return response

    async def stats(request: aiohttp_web.Request) -> aiohttp_web.Response:
        return json_answer(stats_page(parts.snapshot(), of(request)))

    async def index(request: aiohttp_web.Request) -> aiohttp_web.Response:
        view = overview.view(parts.exchange.look(), parts.fleet, await parts.observing.known(), of(request))
        return answer(request, view, lambda: overview.html(view, parts.fleet, may_act=keys.known(request)))

    async def table(request: aiohttp_web.Request) -> aiohttp_web.Response:
        name, observing = request.match_info["table"], parts.observing
        about, long = await observing.table(name), request.query.get("range") == "6h"
        if asked := request.query.get("key", "").strip():
            about |= {"asked": asked, "trace": await observing.trace(name, asked)}
        known = await observing.known()
        view = table_page.view(parts.exchange.look(), parts.fleet, known, name, about, of(request), long=long)
        if view is None:
            missing = overview.missing(await common(), name)
            raise aiohttp_web.HTTPNotFound(text=missing, content_type="text/html")
        return answer(request, view, lambda: table_page.html(view, may_act=keys.known(request)))

    def plain(make: Callable[..., Any], html: Callable[[Any], str]) -> Handler:
        async def handle(request: aiohttp_web.Request) -> aiohttp_web.Response:
            view = make(parts.exchange.look(), parts.fleet, await parts.observing.known(), of(request))
            return answer(request, view, lambda: html(view))

        return handle

    async def quality(request: aiohttp_web.Request) -> aiohttp_web.Response:
        known, asked = await parts.observing.known(), of(request)
        about = await parts.observing.quality(asked)
        view = quality_page.quality(parts.exchange.look(), parts.fleet, known, about, asked)
        return answer(request, view, lambda: quality_page.quality_html(view, may_act=keys.known(request)))

    async def schema(request: aiohttp_web.Request) -> aiohttp_web.Response:
        known, events = await parts.observing.known(), parts.observing.events()
        held = parts.observing.held()
        view = other_pages.schema(parts.exchange.look(), parts.fleet, known, events, held, of(request))
        return answer(request, view, lambda: other_pages.schema_html(view, may_act=keys.known(request)))

    async def errors(request: aiohttp_web.Request) -> aiohttp_web.Response:
        known, (groups, unread) = await parts.observing.known(), await parts.observing.groups()
        view = other_pages.errors(parts.exchange.look(), parts.fleet, known, groups, unread, of(request))
        return answer(request, view, lambda: other_pages.errors_html(view, may_act=keys.known(request)))

    async def common() -> Any:
        whole, known = parts.exchange.look(), await parts.observing.known()
        return overview.common(whole, judging.judged(whole, parts.fleet, known), known)

    register(web.web_app.router, keys, parts.acting, common, log)
    ConnectApi(
        sinks={sink: getattr(parts.settings.sinks, sink) for sink in parts.processes},
        topic=parts.names.writes,
        look=parts.exchange.look,
        paused=parts.steering.paused,
        keys=keys,
        doer=parts.acting,
        log=log,
    ).register(web.web_app.router)

    metrics = Metrics(parts.snapshot)

    async def scrape(request: aiohttp_web.Request) -> aiohttp_web.Response:
        body, content_type = metrics.page(request.headers.get("Accept", ""))
        return aiohttp_web.Response(body=body, headers={"Content-Type": content_type})

    async def health(_: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.json_response({"status": "ok"})

    web.web_app.middlewares.append(guard)
    for path, handler in (
        ("/", index),
        ("/tables/{table:.+}", table),
        ("/quality", quality),
        ("/schema", schema),
        ("/errors", errors),
        ("/agents", plain(other_pages.agents, other_pages.agents_html)),
        ("/cluster", plain(other_pages.cluster, other_pages.cluster_html)),
        ("/stats", stats),
        ("/health", health),
        ("/metrics", scrape),
        ("/style.css", _style),
        ("/live.js", _live),
        ("/icon.svg", _icon),
    ):
        web.web_app.router.add_get(path, handler)
    return web


def answer(request: aiohttp_web.Request, view: Any, html: Callable[[], str]) -> aiohttp_web.Response:
    """A page as JSON for who asks for that, else as HTML."""
    if request.query.get("format") == "json" or "application/json" in request.headers.get("Accept", ""):
        return json_answer(view)
    response = aiohttp_web.Response(text=html(), content_type="text/html")
    response.enable_compression()
    return response


def json_answer(view: Any) -> aiohttp_web.Response:
    """Data as JSON."""
    response = aiohttp_web.Response(body=msgspec.json.encode(view), content_type="application/json")
    response.enable_compression()
    return response


def of(request: aiohttp_web.Request) -> Asked:
    """What of a page is asked for."""
    return Asked.of(request.rel_url.raw_path, request.query)


def is_own(host: str, bound: str) -> bool:
    """Whether a request's `host` names this server, which listens on the address `bound`.

    A page elsewhere that made a name of its own point to this address would send that name. An address is no such name,
    so one that listens on all of a machine's addresses is known by each.
    """
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = (found[1] or found[2]).lower()
    return name in LOOPBACK_NAMES or name == bound.lower() or (bound in ("0.0.0.0", "::") and _is_address(name))  # noqa: S104


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def _style(_: aiohttp_web.Request) -> aiohttp_web.Response:
    return aiohttp_web.Response(text=STYLE, content_type="text/css")


async def _live(_: aiohttp_web.Request) -> aiohttp_web.Response:
    return aiohttp_web.Response(text=LIVE, content_type="text/javascript")


async def _icon(_: aiohttp_web.Request) -> aiohttp_web.Response:
    return aiohttp_web.Response(text=ICON, content_type="image/svg+xml")

"""The worker's web server: Faust's, with our pages only, for callers that name it by its own address."""

from __future__ import annotations

from typing import Any, ClassVar

from aiohttp import web as aiohttp_web
from faust.web.drivers.aiohttp import Web

from parrot_faust.web.pages import overview

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LOOPBACK_NAMES = {"127.0.0.1", "localhost", "[::1]"}


class PageServer(Web):
    """Faust's web driver without Faust's own pages, which show tables and settings to whoever asks."""

    default_blueprints: ClassVar[Any] = ()
    production_blueprints: ClassVar[Any] = ()
    debug_blueprints: ClassVar[Any] = ()
    optional_blueprints: ClassVar[Any] = ()


def new_web(app: Any) -> PageServer:
    """Build the server of an app whose `parts.snapshot` gives the state to show."""
    web = PageServer(app)
    own = {*LOOPBACK_NAMES, app.parts.settings.web.host}

    @aiohttp_web.middleware
    async def guard(request: aiohttp_web.Request, handler: Any) -> aiohttp_web.StreamResponse:
        # A page elsewhere that made a name of its own point to this address would send that name.
        if request.host.rpartition(":")[0] not in own and request.host not in own:
            raise aiohttp_web.HTTPForbidden(text="this address is not served under that name")
        response: aiohttp_web.StreamResponse = await handler(request)
        response.headers.update(HEADERS)
        return response

    async def stats(_: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.json_response(app.parts.snapshot())

    async def index(request: aiohttp_web.Request) -> aiohttp_web.Response:
        if request.query.get("format") == "json" or "application/json" in request.headers.get("Accept", ""):
            return await stats(request)
        return aiohttp_web.Response(text=overview(app.parts.snapshot()), content_type="text/html")

    async def health(_: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.json_response({"status": "ok"})

    web.web_app.middlewares.append(guard)
    for path, handler in (
        ("/", index),
        ("/stats", stats),
        ("/health", health),
        ("/style.css", _style),
        ("/live.js", _live),
    ):
        web.web_app.router.add_get(path, handler)
    return web


async def _style(_: aiohttp_web.Request) -> aiohttp_web.Response:
    from parrot_faust.web.static import STYLE

    return aiohttp_web.Response(text=STYLE, content_type="text/css")


async def _live(_: aiohttp_web.Request) -> aiohttp_web.Response:
    from parrot_faust.web.static import LIVE

    return aiohttp_web.Response(text=LIVE, content_type="text/javascript")

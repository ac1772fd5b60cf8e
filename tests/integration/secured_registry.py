"""A front of TLS and basic auth before the real registry, as a reverse proxy would be in front of one."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from certificates import Identity

USER, PASSWORD = "reader", "r3gistry-geheim"


@asynccontextmanager
async def front(registry: str, identity: Identity) -> AsyncIterator[str]:
    """The address of the front; what comes with user and password goes on to `registry`."""
    expected = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    async def forward(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != expected:
            return web.json_response({"error_code": 401, "message": "Unauthorized"}, status=401)
        body = await request.read()
        async with session.request(request.method, registry + request.path_qs, data=body) as answer:
            return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)

    secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secured.load_cert_chain(identity.certificate, identity.key)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app)
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=secured)
        await site.start()
        try:
            yield f"https://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

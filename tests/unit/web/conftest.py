"""Fixtures of the tests that speak to a worker's web server; which worker is each module's fixture `app`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from signed_in import Doer

from parrot_faust.application import ParrotApp


@pytest.fixture
def doer(app: ParrotApp) -> Doer:
    made = Doer()
    app.parts.acting.act = made.act  # type: ignore[method-assign]
    return made


@pytest.fixture
async def client(app: ParrotApp, doer: Doer) -> AsyncIterator[aiohttp.ClientSession]:
    await app.web.start_server()
    jar = aiohttp.CookieJar(unsafe=True)  # which takes cookies of addresses too
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{app.parts.settings.web.port}", cookie_jar=jar) as session:
            yield session
    finally:
        await app.web.stop_server()
